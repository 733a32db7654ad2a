import numpy as np
import tensorflow as tf

from avatx.core import sampling

random_priorities = tf.function(sampling.random_priorities, reduce_retracing=True)


def sample(seeds, positive, negative, num_samples=8, fraction=0.5):
    priorities = random_priorities(tf.constant(seeds), tf.constant(positive.shape[1]))
    return sampling.sample_balanced(
        priorities, tf.constant(positive), tf.constant(negative), num_samples, fraction
    ).numpy()


def test_takes_the_fraction_of_positives_and_fills_up_with_negatives():
    positive = np.zeros([3, 40], bool)
    positive[0, :20] = True  # more than enough
    positive[1, :2] = True  # too few
    sampled = sample([[0, 1]] * 3, positive, ~positive)
    assert (sampled & positive).sum(axis=1).tolist() == [4, 2, 0]
    assert sampled.sum(axis=1).tolist() == [8, 8, 8]


def test_a_fraction_that_went_through_float32():
    """0.7 in a proto is 0.699999988."""
    positive = np.arange(40)[np.newaxis] < 20
    sampled = sample([[0, 1]], positive, ~positive, 10, float(np.float32(0.7)))
    assert (sampled & positive).sum() == 7


def test_never_draws_what_is_neither_and_does_with_less():
    positive, negative = np.zeros([2, 30], bool), np.zeros([2, 30], bool)
    positive[0, 3], negative[0, 4:6] = True, True
    sampled = sample([[5, 6], [7, 8]], positive, negative)
    np.testing.assert_array_equal(np.flatnonzero(sampled[0]), [3, 4, 5])
    assert not sampled[1].any()


def test_a_clip_draws_the_same_in_any_batch():
    generator = np.random.default_rng(0)
    positive = generator.random([4, 50]) < 0.3
    seeds = generator.integers(0, 1000, [4, 2]).astype(np.int32)
    together = sample(seeds, positive, ~positive)
    for clip in range(4):
        one = positive[clip : clip + 1]
        alone = sample(seeds[clip : clip + 1], one, ~one)
        np.testing.assert_array_equal(together[clip], alone[0])


def test_equal_seeds_draw_equally_and_others_differently():
    positive = np.zeros([3, 200], bool)
    first, second, third = sample([[1, 2], [1, 2], [1, 3]], positive, ~positive, 50)
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def test_every_candidate_is_equally_likely():
    draws, candidates = 2000, 20
    positive = np.tile(np.arange(candidates) < 10, [draws, 1])
    seeds = np.stack([np.arange(draws), np.full(draws, 7)], axis=1).astype(np.int32)
    frequency = sample(seeds, positive, ~positive, 8, 0.25).mean(axis=0)
    # 2 of 10 positives and 6 of 10 negatives; five standard deviations of a binomial.
    np.testing.assert_allclose(frequency[:10], 0.2, atol=5 * (0.2 * 0.8 / draws) ** 0.5)
    np.testing.assert_allclose(frequency[10:], 0.6, atol=5 * (0.6 * 0.4 / draws) ** 0.5)


def test_priorities_do_not_depend_on_how_many_follow():
    short, long = (sampling.random_priorities(tf.constant([[3, 4]]), n) for n in (7, 1000))
    np.testing.assert_array_equal(short, long[:, :7])


def plain_sample(priorities, positive, negative, num_samples, fraction):
    """One clip's sample, one candidate after the other."""
    drawn, wanted = [], int(round(num_samples * fraction, 4))
    for eligible in (positive, negative):
        order = [i for i in np.argsort(-priorities, kind="stable") if eligible[i]][:wanted]
        drawn += order
        wanted = num_samples - len(drawn)
    return sorted(drawn)


def test_equal_to_a_plain_loop_where_priorities_tie_too():
    generator = np.random.default_rng(5)
    priorities = (generator.integers(0, 9, [6, 70]) / 9).astype(np.float32)
    positive = generator.random([6, 70]) < np.array([0, 0.05, 0.3, 0.9, 1, 0.1])[:, np.newaxis]
    negative = ~positive & (generator.random([6, 70]) < 0.6)
    drawn = sampling.sample_balanced(priorities, positive, negative, 20, 0.25).numpy()
    for clip in range(6):
        expected = plain_sample(priorities[clip], positive[clip], negative[clip], 20, 0.25)
        assert np.flatnonzero(drawn[clip]).tolist() == expected


def test_where_each_is_in_an_order():
    order = tf.constant([[2, 0, 3, 1], [0, 1, 2, 3]])
    assert sampling.inverse_permutation(order).numpy().tolist() == [[1, 3, 0, 2], [0, 1, 2, 3]]


def test_numbers_do_not_depend_on_whether_the_number_of_clips_is_known():
    seeds = tf.constant([[1, 2], [3, 4], [5, 6]])
    unknown = tf.function(sampling.random_priorities).get_concrete_function(
        tf.TensorSpec([None, 2], tf.int32), 9
    )
    np.testing.assert_array_equal(unknown(seeds), sampling.random_priorities(seeds, 9))
