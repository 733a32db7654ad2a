"""I3D computed in other ways: the same features and gradients, the same variables."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.errors import UserError
from avatx.trunks import i3d, pooling, space_to_depth

SMALL = {"depth_multiplier": 0.125, "final_endpoint": "Mixed_4b"}


def trunk_pair(batch_norm="FROZEN", **form):
    """The plain trunk, and one of another form with its weights."""
    trunks = [i3d.I3D(**SMALL, batch_norm=batch_norm, **extra) for extra in ({}, form)]
    for trunk in trunks:
        trunk.build(tf.TensorShape([None, None, None, None, 3]))
    generator = np.random.default_rng(0)
    plain, other = trunks
    assert [v.name for v in plain.variables] == [v.name for v in other.variables]
    for mine, theirs in zip(plain.variables, other.variables, strict=True):
        value = mine.numpy()
        if mine.shape.rank == 1:  # not the same for every channel
            value = value + 0.1 * generator.random(value.shape, np.float32)
        mine.assign(value)
        theirs.assign(value)
    return plain, other


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
    plain, other = trunk_pair(batch_norm, **FORMS[form])
    results = [features_and_gradients(trunk, random_clips(), True) for trunk in (plain, other)]
    exact = form in ("axis pools", "axis maxima", "recomputed") and batch_norm == "FROZEN"
    for mine, theirs in zip(*map(tf.nest.flatten, results), strict=True):
        scale = float(tf.reduce_max(tf.abs(mine))) + 1e-6
        # Sums in another order, of some thousand terms; batch norm divides by small variances.
        tolerance = 1e-6 if exact else 2e-5 if batch_norm == "FROZEN" else 2e-3
        np.testing.assert_allclose(mine, theirs, atol=tolerance * scale, rtol=0)
    for mine, theirs in zip(plain.variables, other.variables, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)  # averages moved once


def test_averages_do_move_in_training():
    """Or the test above would not notice that they move twice."""
    plain, _ = trunk_pair("TRAINED")
    before = [v.numpy() for v in plain.non_trainable_variables]
    features_and_gradients(plain, random_clips(), True)
    moved = [
        np.abs(v.numpy() - b).max()
        for v, b in zip(plain.non_trainable_variables, before, strict=True)
    ]
    assert min(moved) > 1e-4


def test_compiled_the_same():
    plain, other = trunk_pair(jit_compile=True, recompute=True)
    results = [features_and_gradients(t, random_clips(4, 20, 18), True) for t in (plain, other)]
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
