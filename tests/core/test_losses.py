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


def test_sigmoid_focal_by_hand():
    """Scores 3/4 and 1/4: of what is right and of what is wrong."""
    logits = tf.math.log([[3.0, 1 / 3, 3.0, 1 / 3]])
    targets = tf.constant([[1.0, 1.0, 0.0, 0.0]])
    right, wrong = (1 / 4) ** 2 * np.log(4 / 3), (3 / 4) ** 2 * np.log(4)
    expected = 0.3 * (right + wrong) + 0.7 * (wrong + right)
    found = losses.sigmoid_focal(logits, targets, gamma=2.0, alpha=0.3)
    np.testing.assert_allclose(found, [expected], rtol=1e-5)
    plain = losses.sigmoid_focal(logits, targets, gamma=0.0, alpha=0.5)
    np.testing.assert_allclose(2 * plain, losses.sigmoid_cross_entropy(logits, targets), rtol=1e-6)


def test_sigmoid_focal_is_finite_with_its_gradient():
    logits = tf.constant([[-200.0, 200.0, 0.0, 200.0, -200.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.sigmoid_focal(logits, tf.constant([[1.0, 1, 1, 0, 0]]), 2.0, 0.25)
    assert np.isfinite(loss).all() and np.isfinite(tape.gradient(loss, logits)).all()
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.sigmoid_focal(logits, tf.constant([[1.0, 1, 1, 0, 0]]), 0.5, 0.25)
    assert np.isfinite(loss).all() and np.isfinite(tape.gradient(loss, logits)).all()
