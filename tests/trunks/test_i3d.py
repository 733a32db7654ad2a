"""Properties of the I3D trunk: shapes, sizes, modes of batch norm, precision, export."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from avatx.checkpoints import i3d_weights
from avatx.errors import UserError
from avatx.training import fine_tuning
from avatx.training.seed import set_random_seed
from avatx.trunks import i3d, i3d_blocks


def small(final_endpoint="Mixed_4f", **options):
    """A narrow trunk whose moving statistics and offsets are not the trivial ones."""
    set_random_seed(1)
    trunk = i3d.I3D(final_endpoint, depth_multiplier=0.125, **options)
    trunk.build([None, None, None, None, 3])
    random = np.random.default_rng(2)
    for name, variable in i3d_blocks.named_variables(trunk):
        if name.endswith("variance"):
            variable.assign(random.uniform(0.5, 2.0, variable.shape))
        elif "batch_norm" in name:
            variable.assign(random.uniform(-0.5, 0.5, variable.shape))
    return trunk


def clips(*shape, seed=3):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def count(layer, ending):
    named = i3d_blocks.named_variables(layer)
    return sum(variable.shape.num_elements() for name, variable in named if name.endswith(ending))


def test_kinetics_size():
    trunk = i3d.I3D()
    trunk.build([None, None, None, None, 3])
    tail = trunk.build_tail()
    tail.build([None, None, None, None, trunk.output_depth])
    assert (count(trunk, "kernel"), count(trunk, "beta")) == (7_518_272, 4_992)
    assert (count(tail, "kernel"), count(tail, "beta")) == (4_754_432, 2_288)
    assert trunk.count_params() == 7_518_272 + 3 * 4_992
    assert (trunk.output_stride, trunk.output_depth) == ((4, 16, 16), 832)
    assert tail.output_depth == 1024
    trainable = sum(v.shape.num_elements() for v in trunk.trainable_variables)
    assert trainable == 7_518_272 + 4_992  # offsets are trained, statistics never by gradients


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 17, 33), (9, 40, 23)])
def test_any_size_rounds_up_and_a_graph_takes_all_of_them(shape):
    trunk = small()
    signature = tf.TensorSpec([None, None, None, None, 3], tf.float32)
    features = tf.function(trunk, input_signature=[signature], autograph=False)(clips(2, *shape, 3))
    expected = [-(-size // stride) for size, stride in zip(shape, trunk.output_stride, strict=True)]
    assert features.shape == [2, *expected, trunk.output_depth]


@pytest.mark.parametrize("final_endpoint", list(i3d.ENDPOINTS))
def test_every_endpoint_has_the_stride_and_depth_it_states(final_endpoint):
    trunk = small(final_endpoint)
    features = trunk(clips(1, 16, 64, 64, 3))
    strides = [size // out for size, out in zip((16, 64, 64), features.shape[1:4], strict=True)]
    assert tuple(strides) == trunk.output_stride
    assert features.shape[-1] == trunk.output_depth


def test_depth_multiplier_scales_channels_and_keeps_eight():
    trunk = i3d.I3D(depth_multiplier=0.25)
    trunk.build([None, None, None, None, 3])
    depths = {name: v.shape[-1] for name, v in i3d_blocks.named_variables(trunk)}
    assert depths["Conv3d_2c_3x3/kernel"] == 48
    assert depths["Mixed_3b/Branch_2/Conv3d_0a_1x1/kernel"] == 8
    assert trunk.output_depth == 832 // 4


def test_tail_keeps_the_size_of_a_region():
    trunk = small()
    features = trunk(clips(1, 16, 112, 112, 3))
    tail = trunk.build_tail()
    assert tail(features).shape == [1, 4, 7, 7, tail.output_depth]
    assert [name.split("/")[0] for name, _ in i3d_blocks.named_variables(tail)][:: 6 * 4] == [
        "Mixed_5b",
        "Mixed_5c",
    ]
    assert trunk.build_tail() is not tail


def test_nothing_cut_off_is_said():
    for final_endpoint in ("Conv3d_1a_7x7", "Mixed_5c"):
        with pytest.raises(UserError, match="final_endpoint"):
            i3d.I3D(final_endpoint, depth_multiplier=0.125).build_tail()


def test_bad_arguments_are_named():
    with pytest.raises(UserError, match="Mixed_4g.*Mixed_4f"):
        i3d.I3D("Mixed_4g")
    with pytest.raises(UserError, match="depth_multiplier"):
        i3d.I3D(depth_multiplier=0)
    with pytest.raises(UserError, match="batch_norm.*FROZEN"):
        i3d.I3D(batch_norm="frozen")


def test_a_batch_equals_its_clips_one_by_one():
    trunk, batch = small(), clips(3, 8, 48, 48, 3)
    single = tf.concat([trunk(batch[i : i + 1]) for i in range(3)], axis=0)
    np.testing.assert_allclose(trunk(batch), single, atol=1e-5)


def test_frozen_batch_norm_is_the_same_in_training_and_its_offset_is_trained():
    trunk, batch = small("Mixed_3b"), clips(2, 8, 32, 32, 3)
    before = {name: v.numpy() for name, v in i3d_blocks.named_variables(trunk)}
    with tf.GradientTape() as tape:
        features = trunk(batch, training=True)
        loss = tf.reduce_sum(features**2)
    np.testing.assert_array_equal(features, trunk(batch, training=False))
    for variable, gradient in zip(
        trunk.trainable_variables, tape.gradient(loss, trunk.trainable_variables), strict=True
    ):
        assert np.any(gradient.numpy()), variable.name
    for name, variable in i3d_blocks.named_variables(trunk):
        np.testing.assert_array_equal(variable, before[name], err_msg=name)


def test_trained_batch_norm_uses_and_gathers_the_batch_statistics():
    trunk, batch = small("Mixed_3b", batch_norm="TRAINED"), clips(2, 8, 32, 32, 3)
    frozen = small("Mixed_3b")
    np.testing.assert_allclose(trunk(batch, training=False), frozen(batch), atol=1e-5)
    assert not np.allclose(trunk(batch, training=True), frozen(batch), atol=1e-2)
    momentum = 0.99
    mean = dict(i3d_blocks.named_variables(trunk))["Conv3d_1a_7x7/batch_norm/moving_mean"]
    old = dict(i3d_blocks.named_variables(frozen))["Conv3d_1a_7x7/batch_norm/moving_mean"]
    kernel = trunk.Conv3d_1a_7x7.kernel
    batch_mean = tf.reduce_mean(tf.nn.conv3d(batch, kernel, (1, 2, 2, 2, 1), "SAME"), [0, 1, 2, 3])
    np.testing.assert_allclose(mean, old * momentum + batch_mean * (1 - momentum), atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_computes_low_and_stores_high(policy):
    batch = clips(1, 8, 32, 32, 3)
    expected = small("Mixed_3b")(batch).numpy()
    old = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(policy)
    try:
        trunk = small("Mixed_3b")
    finally:
        tf_keras.mixed_precision.set_global_policy(old)
    with tf.GradientTape() as tape:
        features = trunk(batch, training=True)
        loss = tf.reduce_mean(tf.cast(features, tf.float32))
    assert features.dtype == trunk.compute_dtype != tf.float32
    gradients = tape.gradient(loss, trunk.trainable_variables)
    assert {t.dtype for t in (*trunk.variables, *gradients)} == {tf.float32}
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
    error = np.abs(tf.cast(features, tf.float32) - expected).max() / np.abs(expected).max()
    assert 0 < error < 0.05


def test_saved_model_takes_any_shape(tmp_path):
    trunk = small()
    signature = tf.TensorSpec([None, None, None, None, 3], tf.float32)
    module = tf.Module()
    module.trunk_variables = trunk.variables  # the trunk itself would have every layer traced
    module.serve = tf.function(
        lambda x: trunk(x, training=False), input_signature=[signature], autograph=False
    )
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for shape in ((1, 8, 32, 32), (2, 5, 50, 41)):
        batch = clips(*shape, 3)
        np.testing.assert_allclose(loaded.serve(batch), trunk(batch), atol=1e-5)


@pytest.mark.parametrize("shape,frames", [((79, 224, 224), 10), ((1, 40, 40), 1)])
def test_classifier_averages_as_the_published_pool(shape, frames):
    """At 224x224 the logits are those of a 2x7x7 VALID pool, a 1x1x1 convolution and a mean."""
    classifier = i3d.I3DClassifier(num_classes=5, depth_multiplier=0.125)
    endpoints = classifier.endpoints(classifier_clips := clips(1, *shape, 3))
    features = endpoints["Mixed_5c"]
    assert features.shape[1] == frames
    window = (min(2, frames), *features.shape[2:4])
    pooled = tf.nn.avg_pool3d(features, window, 1, "VALID")
    logits = tf.reduce_mean(classifier.logits(pooled), [1, 2, 3])
    np.testing.assert_allclose(endpoints["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(classifier(classifier_clips), logits, atol=1e-5)


def test_separable_splits_every_convolution_that_has_an_extent():
    whole, separable = small(), small(separable=True)
    kernels = {n: v.shape for n, v in i3d_blocks.named_variables(separable) if n.endswith("kernel")}
    split = 0
    for name, variable in i3d_blocks.named_variables(whole):
        if not name.endswith("kernel"):
            continue
        t, h, w, inputs, depth = variable.shape
        if t == 1:
            assert kernels[name] == variable.shape
            continue
        unit = name[: -len("/kernel")]
        assert kernels[f"{unit}/spatial/kernel"] == [1, h, w, inputs, depth]
        assert kernels[f"{unit}/temporal/kernel"] == [t, 1, 1, depth, depth]
        split += 1
    assert split == 1 + 1 + 2 * 7  # Conv3d_1a, Conv3d_2c, and two in each block
    batch = clips(1, 9, 40, 23, 3)
    features = separable(batch)
    assert features.shape == whole(batch).shape
    assert separable.output_stride == whole.output_stride
    tail = separable.build_tail()
    assert tail(features).shape == [*features.shape[:-1], tail.output_depth]
    assert any("temporal" in name for name, _ in i3d_blocks.named_variables(tail))


def test_whole_weights_do_not_fit_a_separable_trunk(tmp_path):
    prefix = tf.train.Checkpoint(trunk=small()).write(str(tmp_path / "whole"))
    with pytest.raises(UserError, match="whole.*Kinetics.*separable: true"):
        i3d_weights.restore_trunk(small(separable=True), None, prefix)
    with pytest.raises(UserError, match="whole.*Kinetics.*separable: true"):
        fine_tuning._initialize_trunk(small(separable=True), None, prefix)
    prefix = tf.train.Checkpoint(trunk=small(separable=True)).write(str(tmp_path / "separable"))
    trunk = i3d.I3D(depth_multiplier=0.125, separable=True)
    assert i3d_weights.restore_trunk(trunk, None, prefix).new == []
