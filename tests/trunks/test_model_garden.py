"""Model Garden's trunks: the same function as there, sizes, modes of batch norm, precision."""

import functools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from avatx.errors import UserError
from avatx.training.seed import set_random_seed
from avatx.trunks import model_garden, movinet_blocks

TRUNKS = {"resnet_3d": model_garden.Resnet3D, "movinet": model_garden.Movinet}
SMALLEST = {"resnet_3d": 50, "movinet": "a0"}
CLIPS = np.random.default_rng(3).uniform(-1, 1, (2, 5, 33, 40, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def fewer_resnet_blocks(monkeypatch):
    """A ResNet 50 of seven blocks: the detector's tests run the whole."""
    from official.vision.modeling.backbones import resnet_3d

    groups = [
        ("bottleneck3d", depth, count)
        for depth, count in zip((8, 16, 32, 64), (2, 2, 2, 1), strict=True)
    ]
    monkeypatch.setitem(resnet_3d.RESNET_SPECS, 50, groups)


@functools.cache
def make(kind, policy="float32", **options):
    """The smallest trunk of its kind, with no variable at a trivial value, and its tail.

    The same ones to every test that asks for the same: not to be changed, unless the options are
    that test's alone.
    """
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        return make_anew(kind, **options)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")


def make_anew(kind, **options):
    set_random_seed(1)
    trunk = TRUNKS[kind](SMALLEST[kind], **options)
    tail = trunk.build_tail()
    tail(trunk(CLIPS[:1]))
    randomize(trunk)
    randomize(tail)
    return trunk, tail


def randomize(layer):
    random = np.random.default_rng(2)
    for variable in layer.variables:
        name = variable.name.rpartition("/")[2]
        if name.startswith(("gamma", "moving_variance", "scale")):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif name.startswith(("beta", "moving_mean")):
            variable.assign(random.uniform(-0.2, 0.2, variable.shape))


def statistics(layer):
    return {id(v): v.numpy() for v in layer.variables if "moving_" in v.name}


@pytest.mark.parametrize("kind", TRUNKS)
def test_sizes_round_up_in_a_graph_of_any_size(kind):
    trunk, tail = make(kind)
    signature = [tf.TensorSpec([None, None, None, None, 3])]

    @tf.function(input_signature=signature, autograph=False)
    def network(clips):
        features = trunk(clips)
        return features, tail(features)

    for size in [(1, 16, 16), (6, 17, 50)]:
        features, tail_features = network(tf.ones([2, *size, 3]))
        expected = [-(-n // stride) for n, stride in zip(size, trunk.output_stride, strict=True)]
        assert features.shape == [2, *expected, trunk.output_depth]
        assert tail_features.shape == [2, *expected, tail.output_depth]


@pytest.mark.parametrize(
    "trunk, depth, tail_depth",
    [(lambda i=i: model_garden.Resnet3D(i), 1024, 2048) for i in model_garden.RESNET_3D_IDS]
    + [
        (lambda i=i: model_garden.Movinet(i), *depths)
        for i, depths in zip(
            model_garden.MOVINET_IDS,
            [(56, 480), (64, 600), (72, 640), (88, 744), (96, 856), (120, 992)],
            strict=True,
        )
    ],
    ids=map(str, [*model_garden.RESNET_3D_IDS, *model_garden.MOVINET_IDS]),
)
def test_every_size_of_the_families(trunk, depth, tail_depth, monkeypatch):
    monkeypatch.undo()
    trunk = trunk()  # layers without variables: cheap even for 270 of them
    assert trunk.output_depth == depth
    assert trunk.build_tail().output_depth == tail_depth
    assert trunk.output_stride[1:] == (16, 16)


@pytest.mark.parametrize("kind", TRUNKS)
def test_frozen_batch_norm_is_the_same_in_training_and_all_else_learns(kind):
    trunk, tail = make(kind)
    assert trunk.batch_norm == "FROZEN"  # by default
    before = statistics(trunk)
    with tf.GradientTape() as tape:
        features = trunk(CLIPS, training=True)
        outputs = tail(features, training=True)
        loss = tf.reduce_sum(outputs**2)
    np.testing.assert_array_equal(features, trunk(CLIPS, training=False))
    np.testing.assert_array_equal(outputs, tail(features, training=False))
    after = statistics(trunk)
    assert before and all(np.array_equal(before[key], after[key]) for key in before)
    variables = trunk.trainable_variables + tail.trainable_variables
    num_norms = len(statistics(trunk) | statistics(tail)) // 2
    assert sum("gamma" in v.name for v in variables) == num_norms
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert gradient is not None and np.any(gradient.numpy()), variable.name


@pytest.mark.parametrize("kind", TRUNKS)
@pytest.mark.parametrize("mode", ["TRAINED", "SYNC"])
def test_trained_batch_norm_uses_the_batch_and_updates_its_averages(kind, mode):
    trunk, tail = make(kind, batch_norm=mode, batch_norm_momentum=0.75)
    for layer, inputs in ((trunk, CLIPS), (tail, trunk(CLIPS))):
        in_test = layer(inputs, training=False)
        before = statistics(layer)
        assert not np.allclose(layer(inputs, training=True), in_test, atol=1e-3)
        after = statistics(layer)
        assert before and not any(np.array_equal(before[key], after[key]) for key in before)
    norms = [m for m in trunk.submodules if isinstance(m, tf_keras.layers.BatchNormalization)]
    assert {norm.momentum for norm in norms} == {0.75}
    assert {bool(norm.synchronized) for norm in norms} == {mode == "SYNC"}


@pytest.mark.parametrize("kind", TRUNKS)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_near_float32(kind, policy):
    whole, _ = make(kind)
    trunk, tail = make(kind, policy)
    assert {v.dtype for v in trunk.trainable_variables} == {tf.float32}
    trunk.set_weights(whole.get_weights())
    features = trunk(CLIPS)
    assert features.dtype == tail(features).dtype == tf.as_dtype(policy[len("mixed_") :])
    exact = whole(CLIPS).numpy()
    error = np.abs(tf.cast(features, tf.float32) - exact).mean() / np.abs(exact).mean()
    assert error < (0.01 if policy == "mixed_float16" else 0.08)


def test_flow_channels():
    trunk = model_garden.Movinet("a0", input_channels=2)
    assert trunk(CLIPS[..., :2]).shape[-1] == trunk.output_depth


def test_unknown_ids_and_modes_name_the_choices():
    with pytest.raises(UserError, match="resnet_3d: model_id 51 .*50, 101, 152, 200, 270"):
        model_garden.Resnet3D(51)
    with pytest.raises(UserError, match="movinet: model_id 'a6' .*a0, a1, a2, a3, a4, a5"):
        model_garden.Movinet("a6")
    with pytest.raises(UserError, match="batch_norm.*'frozen'.*FROZEN"):
        model_garden.Movinet("a0", batch_norm="frozen")


def test_i3d_does_not_import_model_garden():
    code = (
        "import sys\n"
        "from avatx.builders import trunk_builder\n"
        "from avatx.protos import trunk_pb2\n"
        "trunk_builder.build(trunk_pb2.Trunk(i3d=trunk_pb2.I3d(depth_multiplier=0.125)))\n"
        "sys.exit(any(name.startswith('official.vision.modeling') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_resnet_is_model_gardens():
    from official.vision.modeling.backbones import resnet_3d
    from official.vision.modeling.layers import nn_blocks_3d

    trunk, _ = make("resnet_3d")
    # A functional model: AutoGraph would convert every layer.
    theirs = tf.autograph.experimental.do_not_convert(resnet_3d.ResNet3D)(
        50,
        temporal_strides=[1, 1, 1, 1],
        temporal_kernel_sizes=[(3, 3), (3, 1), (3, 1), (1,)],
        use_self_gating=[True] * 4,
    )
    blocks = [x for x in theirs.layers if isinstance(x, nn_blocks_3d.BottleneckBlock3D)]
    stem = trunk.blocks.stem
    theirs.layers[1].set_weights(stem.conv.get_weights())
    theirs.layers[2].set_weights(stem.norm.get_weights())
    own = [getattr(trunk.blocks, name) for name in trunk.blocks.child_names[1:]]
    assert len(own) == len(blocks) - 1  # the last group is the tail
    for block, counterpart in zip(own, blocks[:-1], strict=True):
        counterpart.set_weights(block.get_weights())
    expected = theirs(CLIPS)["4"].numpy()
    atol = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(trunk(CLIPS), expected, rtol=1e-3, atol=atol)


# Strided with a shortcut of its own, of equal depth, and unstrided to another depth.
@pytest.mark.parametrize("stride, depth", [(2, 12), (1, 8), (1, 12)])
def test_movinet_block_is_model_gardens(stride, depth):
    from official.projects.movinet.modeling import movinet_layers

    inputs = np.random.default_rng(1).normal(size=(2, 4, 7, 10, 8)).astype(np.float32)
    own = movinet_blocks.Bottleneck(depth, 16, 8, (5, 3, 3), stride)
    theirs = movinet_layers.MovinetBlock(depth, 16, (5, 3, 3), (1, stride, stride))
    own(inputs), theirs(inputs)
    randomize(own)
    pairs = [
        (getattr(own, name), getattr(theirs, f"_{name}"))
        for name in ("expansion", "feature", "projection")
    ]
    if own.skip is not None:
        pairs.append((own.skip, theirs._skip._projection))
    for block, counterpart in pairs:
        counterpart._conv.set_weights(block.conv3d.get_weights())
        counterpart._batch_norm.set_weights(block.bn.get_weights())
    for name in ("se_reduce", "se_expand"):
        kernel, bias = getattr(own.se, name).get_weights()
        getattr(theirs._attention, f"_{name}")._conv.set_weights([kernel[None, None, None], bias])
    theirs._mobile_bottleneck._rezero.set_weights([own.scale])
    expected = theirs(inputs)[0]
    assert (theirs._skip is None) == (own.skip is None)
    np.testing.assert_allclose(own(inputs), expected, rtol=1e-4, atol=1e-5)


def test_movinet_has_the_published_number_of_parameters():
    # 3.1 million with the 2048 wide layer and the 600 logits behind the tail, as Model Garden's
    # table of MoViNet-A0-Base says.
    trunk, tail = make("movinet")
    variables = trunk.trainable_variables + tail.trainable_variables
    count = sum(v.shape.num_elements() for v in variables)
    assert round((count + (480 + 1) * 2048 + (2048 + 1) * 600) / 1e6, 1) == 3.1
