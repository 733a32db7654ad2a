import numpy as np
import tensorflow as tf

from avatx.core import losses


def test_smooth_l1_is_quadratic_then_linear():
    predictions = tf.constant([[0.5, -0.5, 3.0, 0.0]])
    np.testing.assert_allclose(losses.smooth_l1(predictions, tf.zeros([1, 4])), [0.125 * 2 + 2.5])


def test_sigmoid_cross_entropy_sums_independent_classes():
    logits = np.array([[2.0, -1.0, 0.5]], np.float32)
    targets = np.array([[1.0, 1.0, 0.0]], np.float32)
    probability = 1 / (1 + np.exp(-logits))
    expected = -(targets * np.log(probability) + (1 - targets) * np.log(1 - probability)).sum(-1)
    np.testing.assert_allclose(losses.sigmoid_cross_entropy(logits, targets), expected, rtol=1e-6)


def test_mean_over_samples_is_the_mean_of_clips_one_by_one():
    generator = np.random.default_rng(0)
    values = generator.random([5, 12]).astype(np.float32)
    sampled = generator.random([5, 12]) < 0.4
    sampled[2] = False  # a clip without samples counts as 0
    expected = np.mean([v[s].sum() / max(s.sum(), 1) for v, s in zip(values, sampled, strict=True)])
    mean = losses.mean_over_samples(values, sampled, sampled)
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_what_does_not_count_may_be_infinite():
    values = tf.constant([[1.0, np.inf, np.nan]])
    counts = tf.constant([[True, False, False]])
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = losses.mean_over_samples(values, counts, counts)
    assert loss.numpy() == 1.0
    np.testing.assert_array_equal(tape.gradient(loss, values), [[1.0, 0.0, 0.0]])
