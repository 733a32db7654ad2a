"""Where exactly matching and suppression begin, and what a loss is divided by, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.core import losses, non_max_suppression, sampling, target_assignment
from avatx.core.structures import Groundtruth

WHOLE = [0.0, 0.0, 1.0, 1.0]
HALF = [0.0, 0.0, 0.5, 1.0]  # IoU 0.5 with the whole
QUARTER = [0.0, 0.0, 0.25, 1.0]  # IoU 0.25 with it


def whole_frame_person():
    return Groundtruth(
        tf.constant([[WHOLE]]), tf.constant([[[0.0, 1.0]]]), tf.constant([1]), tf.zeros([1, 2])
    )


@pytest.mark.parametrize(
    "matched, unmatched, positive, negative",
    [
        (0.5, 0.25, [True, True, False], [False, False, False]),  # at both bounds
        (0.5, 0.26, [True, True, False], [False, False, True]),
        (0.51, 0.25, [True, False, False], [False, False, False]),
        (0.51, 0.51, [True, False, False], [False, True, True]),
    ],
)
def test_an_anchor_matches_from_the_threshold_on(matched, unmatched, positive, negative):
    targets = target_assignment.assign_anchors(
        tf.constant([WHOLE, HALF, QUARTER]),
        tf.constant([True] * 3),
        whole_frame_person(),
        matched_threshold=matched,
        unmatched_threshold=unmatched,
    )
    assert targets.positive.numpy().tolist() == [positive]
    assert targets.negative.numpy().tolist() == [negative]


@pytest.mark.parametrize("threshold, positive", [(0.5, [True, True]), (0.51, [True, False])])
def test_a_proposal_matches_from_the_threshold_on(threshold, positive):
    targets = target_assignment.assign_proposals(
        tf.constant([[WHOLE, HALF]]), tf.constant([[True, True]]), whole_frame_person(), threshold
    )
    assert targets.positive.numpy().tolist() == [positive]
    background = [0.0 if one else 1.0 for one in positive]
    np.testing.assert_array_equal(targets.class_targets[0, :, 0], background)
    np.testing.assert_array_equal(targets.class_targets[0, :, 1], [0.0, 0.0])
    np.testing.assert_array_equal(targets.class_targets[0, :, 2], [float(p) for p in positive])
    # 10 x (0.5 - 0.25) / 0.5 and 5 ln 2: the whole frame, encoded against its upper half.
    moved = [5.0, 0.0, 3.4657359, 0.0] if positive[1] else [0.0] * 4
    np.testing.assert_allclose(targets.box_targets[0], [[0.0] * 4, moved], atol=1e-5)


@pytest.mark.parametrize("threshold, kept", [(0.5, 2), (0.49, 1)])
def test_suppression_begins_beyond_the_threshold(threshold, kept):
    taken = non_max_suppression.non_max_suppression(
        tf.constant([[[WHOLE], [HALF]]]),
        tf.constant([[[0.9], [0.8]]]),
        tf.constant([[[True], [True]]]),
        iou_threshold=threshold,
        max_per_class=5,
        max_total=5,
    )
    assert taken.count.numpy().tolist() == [kept]


@pytest.mark.parametrize(
    "per_class, total, expected",
    [
        (1, 5, [0.9, 0.6]),
        (5, 3, [0.9, 0.8, 0.6]),
        (2, 4, [0.9, 0.8, 0.6, 0.5]),
    ],
)
def test_how_many_of_a_class_and_in_all(per_class, total, expected):
    apart = [[[0.0, 0.0, 0.1, 0.1]], [[0.5, 0.5, 0.6, 0.6]], [[0.8, 0.8, 0.9, 0.9]]]
    scores = [[0.9, 0.5], [0.8, 0.6], [0.4, 0.3]]
    taken = non_max_suppression.non_max_suppression(
        tf.constant([apart]), tf.constant([scores]), tf.fill([1, 3, 2], True), 0.5, per_class, total
    )
    assert taken.scores.numpy()[0, : int(taken.count[0])].tolist() == pytest.approx(expected)


def test_boxes_come_back_as_they_were_given_and_know_where_from():
    """Over the frame too; of equal boxes it is the score that tells."""
    boxes = tf.constant(
        [[[[-0.5, 0.0, 1.5, 2.0]], [[-0.5, 0.0, 1.5, 2.0]], [[0.0, 0.0, 0.1, 0.1]]]]
    )
    scores = tf.constant([[[0.2], [0.8], [0.5]]])
    taken = non_max_suppression.non_max_suppression(
        boxes, scores, tf.fill([1, 3, 1], True), 1.0, 3, 3, with_index=True
    )
    np.testing.assert_allclose(taken.boxes[0], tf.gather(boxes[0, :, 0], [1, 2, 0]))
    assert taken.index.numpy().tolist() == [[1, 2, 0]]


def test_the_divisor_is_the_number_of_samples_not_of_what_counts():
    # Clip 1: 6 + 0.5 x 4 over 4 samples; clip 2: 8 over 2; the mean over both.
    values = tf.constant([[6.0, 4.0, 9.0, 9.0], [8.0, 9.0, 9.0, 9.0]])
    weights = tf.constant([[1.0, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    sampled = tf.constant([[True] * 4, [True, True, False, False]])
    mean = losses.mean_over_samples(values, weights, sampled)
    assert float(mean) == pytest.approx((8 / 4 + 8 / 2) / 2)


def test_smooth_l1_meets_its_line_at_an_error_of_one_on_both_sides():
    errors = tf.constant([[0.2, -0.6, 1.0, -2.5]])
    expected = 0.02 + 0.18 + 0.5 + 2.0
    np.testing.assert_allclose(losses.smooth_l1(errors, tf.zeros([1, 4])), [expected], rtol=1e-6)
    np.testing.assert_allclose(losses.smooth_l1(tf.zeros([1, 4]), errors), [expected], rtol=1e-6)


def test_the_highest_priorities_are_drawn():
    priorities = tf.constant([[0.1, 0.9, 0.5, 0.7, 0.3, 0.8]])
    positive = tf.constant([[True, True, True, False, False, False]])
    drawn = sampling.sample_balanced(priorities, positive, ~positive, 4, 0.5)
    assert drawn.numpy().tolist() == [[False, True, True, True, False, True]]
    drawn = sampling.sample_balanced(priorities, positive, ~positive, 4, 0.25)
    assert drawn.numpy().tolist() == [[False, True, False, True, True, True]]
    drawn = sampling.sample_balanced(priorities, positive, ~positive, 3, 0.5)  # 1.5: one
    assert drawn.numpy().tolist() == [[False, True, False, True, False, True]]
