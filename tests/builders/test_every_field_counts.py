"""Every scalar field that a pipeline.config may hold changes what is built from it.

Each path of each sample below gets another valid value by an override; a description of everything
that the builders then hand to a run must differ. `BUILT_ALIKE` lists the exceptions.
"""

import dataclasses
import enum
import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from google.protobuf.descriptor import FieldDescriptor

from avatx import config
from avatx.builders import data_builder, experiment_builder, frame_settings_builder, trunk_builder
from avatx.config import checks as config_checks
from avatx.config import schema
from avatx.errors import UserError
from avatx.meta_architectures.action_faster_rcnn import ActionFasterRCNN
from avatx.meta_architectures.video_classifier import VideoClassifier
from avatx.protos import pipeline_pb2

ROOT = pathlib.Path(__file__).parents[2]
RCNN = "model.action_faster_rcnn"

# Shipped configs, and overrides with which together they hold every branch of every oneof.
SAMPLES = {
    "tx": (
        "demo",
        [
            f"{RCNN}.trunk.i3d.depth_multiplier=0.0625",
            f"{RCNN}.second_stage_box_predictor.tx_box_predictor.num_layers=1",
            "train_config.optimizer={ use_moving_average: true momentum_optimizer { learning_rate "
            "{ cosine_decay_learning_rate { total_steps: 100 warmup_steps: 10 } } } }",
            "train_config.optimizer.learning_rate_multiplier={ pattern: 'tx' multiplier: 0.5 }",
            f"{RCNN}.second_stage_classification_loss=SIGMOID_FOCAL",
            "train_config.batch_size=6",
            "eval_config.groundtruth_path=truth.csv",
            f"{RCNN}.clip.frame_settings.shorter_side=128",
        ],
    ),
    "adamw": (
        "demo",
        [
            f"{RCNN}.trunk.i3d.depth_multiplier=0.0625",
            "train_config.optimizer={ adamw_optimizer { learning_rate { constant_learning_rate {} "
            "} } }",
        ],
    ),
    "colours, groundtruth boxes, steps": (
        "demo",
        [
            f"{RCNN}.trunk.i3d.depth_multiplier=0.0625",
            f"{RCNN}.proposal_source=GROUNDTRUTH",
            "train_config.data_augmentation_options={ random_color {} }",
            "train_config.optimizer={ adam_optimizer { learning_rate { manual_step_learning_rate "
            "{ schedule { step: 5 learning_rate: 0.5 } } } } }",
        ],
    ),
    "boxes from elsewhere": (
        "demo",
        [
            f"{RCNN}.trunk.i3d.depth_multiplier=0.0625",
            f"{RCNN}.proposal_source=EXTERNAL",
            "train_input_reader.external_boxes={ input_path: 'train.csv' }",
            "eval_input_reader.external_boxes={ input_path: 'val.csv' }",
        ],
    ),
    "tx and i3d": (
        "tx_i3d_r300",
        [
            f"{RCNN}.trunk.i3d.depth_multiplier=0.0625",
            "train_config.optimizer.adam_optimizer.learning_rate={ constant_learning_rate {} }",
        ],
    ),
    "i3d": ("i3d_r64", [f"{RCNN}.trunk.i3d.depth_multiplier=0.0625"]),
    "two streams": (
        "tx_highres_two_stream",
        [
            f"{RCNN}.trunk.two_stream={{ rgb {{ i3d {{ depth_multiplier: 0.0625 }} }} flow "
            "{ i3d { depth_multiplier: 0.0625 } } }"
        ],
    ),
    "classifier": (
        "pretrain_i3d",
        [
            "model.video_classifier.trunk.i3d.depth_multiplier=0.0625",
            "train_config.optimizer.use_moving_average=true",
        ],
    ),
    "resnet": ("demo", [f"{RCNN}.trunk={{ resnet_3d {{}} }}"]),
    "movinet": ("demo", [f"{RCNN}.trunk={{ movinet {{}} }}"]),
}
# A path of a sample -> which of its fields are left to the samples before: building these trunks
# takes seconds, and nothing but the trunk is new in them.
ONLY_BELOW = {
    "adamw": "train_config.optimizer",
    "resnet": f"{RCNN}.trunk",
    "movinet": f"{RCNN}.trunk",
}

# Values that cannot be found by trying.
VALUES = {
    "label_map_path": ["OTHER_MAP"],
    "final_endpoint": ["Mixed_4e"],
    "model_id": ["a1", "101"],
    "max_pool": ["AXIS_MAXIMA"],
    "protocol": ["AVA_2019"],
    "fine_tune_checkpoint_type": ["detection"],
    "best_checkpoint_metric": ["person_AP", "top_5"],
    "metrics_set": ["ava_frame_map"],
    "optical_flow": ["dis"],
}

# Path -> the test that shows the field's effect, or why no other value is taken.
BUILT_ALIKE = {
    "eval_input_reader.shuffle": "refused: tests/config/test_pipeline_config.py::"
    "test_a_wrong_override_is_named",
    "eval_input_reader.max_skipped_share": "refused: tests/config/test_pipeline_config.py::"
    "test_a_wrong_override_is_named",
}


@pytest.fixture(scope="module", autouse=True)
def in_a_fraction_of_the_time():
    """No variables are made, for the layers' own numbers tell their shapes; and a trunk that was
    built before, from an equal message, is taken again."""
    trunks = {}

    def build(message, **options):
        key = (message.SerializeToString(deterministic=True), tuple(sorted(options.items())))
        if key not in trunks:
            trunks[key] = build_trunk(message, **options)
        return trunks[key]

    build_trunk = trunk_builder.build
    with pytest.MonkeyPatch.context() as patch:
        for model in (ActionFasterRCNN, VideoClassifier):
            patch.setattr(model, "create_variables", lambda self: None)
        patch.setattr(trunk_builder, "build", build)
        yield


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    (folder / "MAP").write_text('item { name: "sit" id: 1 }')
    (folder / "OTHER_MAP").write_text('item { name: "sit" id: 1 } item { name: "stand" id: 2 }')
    return folder


def built(loaded, folder, path="model"):
    """Everything that a run is given, described: the one function that knows how to get it.

    The model, which takes longest, is left out where `path` lies outside of its message.
    """
    given = {}

    def keep(name):
        def build_dataset(source, batch_size, **others):
            given[name] = {"source": source, "batch": batch_size, **others}

        return build_dataset

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        experiment = experiment_builder.build(loaded, "model_dir")
        patch.setattr(data_builder, "build_dataset", keep("train"))
        experiment.make_train_dataset(7, None, 3)
        patch.setattr(data_builder, "build_dataset", keep("eval"))
        experiment.make_eval_dataset(5, None)
        assert set(given) == {"train", "eval"}
        model = experiment.make_model() if path.startswith("model") else None
    ours = {
        field.name: getattr(experiment, field.name)
        for field in dataclasses.fields(experiment)
        if not field.name.startswith("make_") and field.name != "config_text"
    }
    frames = frame_settings_builder.build(loaded)
    return described({"model": model, "data": given, "frames": frames, **ours})


PLAIN = (str, int, float, bool, bytes, type(None), np.generic)
# Of Keras: counted over a process, or its own bookkeeping.
UNTOLD = {"name", "_name", "_obj_reference_counts_dict"}


def described(value, path="", seen=frozenset()):
    """{path: plain value} of everything that can be reached from `value`."""
    if isinstance(value, PLAIN):
        return {path: value}
    if isinstance(value, enum.Enum):
        return {path: value.name}
    if id(value) in seen:
        return {path: "(seen)"}
    seen = seen | {id(value)}
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        parts = list(enumerate(value))
    elif hasattr(value, "_fields"):
        parts = list(zip(value._fields, value, strict=True))
    elif dataclasses.is_dataclass(value):
        parts = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    elif isinstance(value, (tf_keras.layers.Layer, tf.Module)):
        if type(value).__module__.startswith(("tf_keras", "keras")):
            parts = list(value.get_config().items()) if is_leaf(value) else []
        else:
            parts = [(k, v) for k, v in vars(value).items() if is_ours(k, v)]
        if hasattr(value, "_flatten_layers"):
            layers = value._flatten_layers(recursive=False, include_self=False)
            parts += [(f"layer {index}", layer) for index, layer in enumerate(layers)]
    elif hasattr(value, "__dict__") and type(value).__module__.startswith("avatx"):
        parts = list(vars(value).items())
    else:
        return {path: type(value).__name__}
    found = {path: type(value).__name__}
    for name, part in parts:
        if name not in UNTOLD:
            found.update(described(part, f"{path}.{name}" if path else str(name), seen))
    return found


def is_leaf(layer) -> bool:
    return not list(layer._flatten_layers(recursive=False, include_self=False))


def is_ours(name, value) -> bool:
    simple = isinstance(value, (*PLAIN, enum.Enum)) or dataclasses.is_dataclass(value)
    numbers = isinstance(value, tuple) and all(isinstance(part, PLAIN) for part in value)
    return (simple or numbers) and (not name.startswith("_") or dataclasses.is_dataclass(value))


def sample(name, folder):
    base, overrides = SAMPLES[name]
    readers = [
        override
        for reader in ("train_input_reader", "eval_input_reader")
        for override in (
            f"{reader}.label_map_path=MAP",
            f"{reader}.tf_record_input_reader.input_path={reader}-*",
        )
    ]
    path = str(ROOT / f"configs/playground/{base}.config")
    return config.load(path, [*overrides, *readers])


def scalar_paths(message, prefix=""):
    """(path, field, value) of every scalar field of the messages that are set, set or not."""
    for field in message.DESCRIPTOR.fields:
        path = f"{prefix}{field.name}"
        value = getattr(message, field.name)
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            yield path, field, value
        elif schema.is_repeated(field):
            for index, one in enumerate(value):
                yield from scalar_paths(one, f"{path}[{index}].")
        elif message.HasField(field.name) or field.containing_oneof is None:
            # A message that is left out is read all the same: its defaults count.
            yield from scalar_paths(value, f"{path}.")


def candidates(path, field, value):
    """Other values, as an override spells them."""
    if field.name in VALUES:
        yield from VALUES[field.name]
    if schema.is_repeated(field):
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            yield "another-*"
        else:
            yield f"[{', '.join(str(2 * one) for one in value)}]"
    elif field.enum_type is not None:
        yield from (one.name for one in field.enum_type.values if one.number != value)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        yield str(not value).lower()
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        yield f"{value}x"
    elif field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        yield from (repr(one) for one in (value * 0.75, value * 1.25, value + 0.125))
    else:
        yield from (str(one) for one in (value + 1, value * 2, 101))


def changed(loaded, path, field, value):
    """The config with another value that the checks take; None where they take none."""
    for candidate in candidates(path, field, value):
        other = pipeline_pb2.PipelineConfig()
        other.CopyFrom(loaded)
        try:
            config.apply_override(other, f"{path}={candidate}")
            config_checks.check(other, "file", {})
        except UserError:
            continue
        if next(v for p, _, v in scalar_paths(other) if p == path) != value:
            return other
    return None


@functools.cache
def cases():
    """(sample, path), each path in the first sample in which another value is taken."""
    found, taken = [], set()
    for name in SAMPLES:
        loaded = sample(name, None)
        kind = loaded.model.WhichOneof("model")
        for path, field, value in scalar_paths(loaded):
            reader = schema.read_by(field)
            if (reader and reader != kind) or not path.startswith(ONLY_BELOW.get(name, "")):
                continue
            key = (kind if path.startswith(("eval_config", "train_config")) else "", path)
            if key in taken or path in BUILT_ALIKE:
                continue
            if changed(loaded, path, field, value) is not None:
                taken.add(key)
                found.append((name, path))
    return found


@pytest.fixture(scope="module")
def unchanged(maps):
    @functools.cache
    def of(name, part):
        return built(sample(name, maps), maps, part)

    return lambda name, path="model": of(name, path.partition(".")[0][:5])


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_built_twice_is_the_same(name, maps, unchanged):
    assert built(sample(name, maps), maps) == unchanged(name)


def test_every_field_of_every_message_is_in_a_sample():
    def messages(descriptor, found):
        found.setdefault(descriptor.name, descriptor)
        for field in descriptor.fields:
            if field.message_type is not None and field.message_type.name not in found:
                messages(field.message_type, found)
        return found

    def kinds(message):
        yield message.DESCRIPTOR.name
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                for one in value if schema.is_repeated(field) else [value]:
                    yield from kinds(one)

    held = {kind for name in SAMPLES for kind in kinds(sample(name, None))}
    assert set(messages(pipeline_pb2.PipelineConfig.DESCRIPTOR, {})) <= held


def test_every_path_is_changed_in_a_sample():
    changed_paths = {path for _, path in cases()} | set(BUILT_ALIKE)
    for name in SAMPLES:
        for path, _, _ in scalar_paths(sample(name, None)):
            if path.startswith(ONLY_BELOW.get(name, "")):
                assert path in changed_paths, (name, path)


def test_the_exceptions_are_fields_and_their_tests_are_there():
    paths = {path for name in SAMPLES for path, _, _ in scalar_paths(sample(name, None))}
    for path, test in BUILT_ALIKE.items():
        assert path in paths
        file, _, function = test.rpartition(" ")[2].partition("::")
        assert f"def {function}(" in (ROOT / file).read_text()


@pytest.mark.parametrize("name, path", cases(), ids=lambda value: value.replace(" ", "_"))
def test_a_field_changes_what_is_built(name, path, maps, unchanged):
    loaded = sample(name, maps)
    field, value = next((f, v) for p, f, v in scalar_paths(loaded) if p == path)
    other = changed(loaded, path, field, value)
    assert built(other, maps, path) != unchanged(name, path)


@pytest.mark.parametrize("path", BUILT_ALIKE)
def test_an_exception_is_one(path, maps, unchanged):
    loaded = sample("tx", maps)
    field, value = next((f, v) for p, f, v in scalar_paths(loaded) if p == path)
    other = changed(loaded, path, field, value)
    assert other is None or built(other, maps, path) == unchanged("tx", path)
