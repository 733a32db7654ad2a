"""I3D computed in other ways: the same features and gradients, the same variables."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from avatx.errors import UserError
from avatx.training.seed import set_random_seed
from avatx.trunks import i3d, pooling, space_to_depth

SMALL = {"depth_multiplier": 0.125, "final_endpoint": "Mixed_4b"}


def made_trunk(batch_norm="FROZEN", **form):
    """A trunk of a form, with the weights that all have."""
    set_random_seed(1)
    trunk = i3d.I3D(**SMALL, batch_norm=batch_norm, **form)
    trunk.build(tf.TensorShape([None, None, None, None, 3]))
    generator = np.random.default_rng(0)
    for variable in trunk.variables:
        if variable.shape.rank == 1:  # not the same for every channel
            variable.assign_add(0.1 * generator.random(variable.shape, np.float32))
    return trunk


@functools.cache
def plain_step(batch_norm="FROZEN"):
    """Of the plain trunk: variables before, features and gradients, variables after."""
    trunk = made_trunk(batch_norm)
    before = [variable.numpy() for variable in trunk.variables]
    found = features_and_gradients(trunk, random_clips(), True)
    return before, found, [(variable.name, variable.numpy()) for variable in trunk.variables]


def features_and_gradients(trunk, clips, training):
    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            features = trunk(clips, training=training)
            weights = tf.reshape(
                tf.sin(tf.range(tf.size(features), dtype=tf.float32)), features.shape
            )
            loss = tf.reduce_sum(tf.cast(features, tf.float32) * weights)
        return features, tape.gradient(loss, trunk.trainable_variables)

    return run()


def random_clips(frames=9, height=37, width=42):
    generator = np.random.default_rng(1)
    return tf.constant(generator.uniform(-1, 1, [2, frames, height, width, 3]), tf.float32)


FORMS = {
    "axis pools": {"max_pool": "AXIS_POOLS"},
    "axis maxima": {"max_pool": "AXIS_MAXIMA"},
    "stem": {"stem_as_blocks": True},
    "joint": {"joint_1x1": True},
    "recomputed": {"recompute": True},
    "all": {
        "max_pool": "AXIS_POOLS",
        "stem_as_blocks": True,
        "joint_1x1": True,
        "recompute": True,
    },
}


@pytest.mark.parametrize("batch_norm", ["FROZEN", "TRAINED", "SYNC"])
@pytest.mark.parametrize("form", FORMS)
def test_the_same_features_and_gradients_in_training(form, batch_norm):
    other = made_trunk(batch_norm, **FORMS[form])
    before, found, after = plain_step(batch_norm)
    for mine, theirs in zip(before, other.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    results = [found, features_and_gradients(other, random_clips(), True)]
    exact = form in ("axis pools", "axis maxima", "recomputed") and batch_norm == "FROZEN"
    for mine, theirs in zip(*map(tf.nest.flatten, results), strict=True):
        scale = float(tf.reduce_max(tf.abs(mine))) + 1e-6
        # Sums in another order, of some thousand terms; batch norm divides by small variances.
        tolerance = 1e-6 if exact else 2e-5 if batch_norm == "FROZEN" else 2e-3
        np.testing.assert_allclose(mine, theirs, atol=tolerance * scale, rtol=0)
    for (name, mine), theirs in zip(after, other.variables, strict=True):
        assert name == theirs.name
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)  # averages moved once


def test_averages_do_move_in_training():
    """Or the test above would not notice that they move twice."""
    before, _, after = plain_step("TRAINED")
    moved = [
        np.abs(value - start).max()
        for start, (name, value) in zip(before, after, strict=True)
        if "moving_" in name
    ]
    assert len(moved) > 20 and min(moved) > 1e-4


def test_compiled_the_same():
    trunks = made_trunk(), made_trunk(jit_compile=True, recompute=True)
    results = [features_and_gradients(t, random_clips(4, 20, 18), True) for t in trunks]
    for mine, theirs in zip(*map(tf.nest.flatten, results), strict=True):
        scale = float(tf.reduce_max(tf.abs(mine))) + 1e-6
        np.testing.assert_allclose(mine, theirs, atol=2e-5 * scale, rtol=0)


@pytest.mark.parametrize("form", pooling.FORMS[1:])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16, tf.float16])
@pytest.mark.parametrize(
    "window, strides", [((3, 3, 3), (1, 1, 1)), ((1, 3, 3), (1, 2, 2)), ((2, 2, 2), (2, 2, 2))]
)
def test_pools_are_equal_bit_by_bit(form, dtype, window, strides):
    values = tf.cast(tf.random.stateless_normal([2, 5, 6, 7, 3], [1, 2]), dtype)
    plain = pooling.max_pool(values, window, strides)
    other = pooling.max_pool(values, window, strides, form)
    assert other.dtype == dtype
    np.testing.assert_array_equal(tf.cast(plain, tf.float32), tf.cast(other, tf.float32))


def test_of_equals_the_first_gets_the_gradient_of_maxima():
    """A pool's kernel may give it to all of them: a CPU's does."""
    values = tf.zeros([1, 3, 3, 3, 1])
    with tf.GradientTape() as tape:
        tape.watch(values)
        pooled = pooling.max_pool(values, (3, 3, 3), (1, 1, 1), pooling.AXIS_MAXIMA)[0, 1, 1, 1, 0]
    gradient = tape.gradient(pooled, values).numpy()
    assert gradient.sum() == 1.0 and gradient[0, 0, 0, 0, 0] == 1.0


@pytest.mark.parametrize("sizes", [(8, 10, 12), (7, 9, 11), (1, 2, 3), (6, 13, 8)])
def test_blocks_give_the_convolution_of_any_size(sizes):
    inputs = tf.random.stateless_normal([2, *sizes, 3], [1, 2])
    kernel = tf.random.stateless_normal([7, 7, 7, 3, 5], [3, 4])
    plain = tf.nn.conv3d(inputs, kernel, [1, 2, 2, 2, 1], "SAME")
    np.testing.assert_allclose(space_to_depth.convolve(inputs, kernel), plain, atol=2e-4)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(UserError, match="stem_as_blocks"):
        i3d.I3D(separable=True, stem_as_blocks=True)
    with pytest.raises(ValueError, match="7x7x7"):
        space_to_depth.convolve(tf.zeros([1, 4, 4, 4, 3]), tf.zeros([3, 3, 3, 3, 2]))
