import numpy as np
import pytest
import tensorflow as tf

from avatx.core import box_ops, target_assignment
from avatx.core.structures import Groundtruth


def make_groundtruth(boxes, labels, num_boxes):
    boxes = tf.constant(boxes, tf.float32)
    seeds = tf.zeros([boxes.shape[0], 2], tf.int32)
    return Groundtruth(boxes, tf.constant(labels, tf.float32), tf.constant(num_boxes), seeds)


@pytest.fixture(name="groundtruth")
def one_clip_with_two_people():
    return make_groundtruth(
        [[[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 0.6, 0.6], [0.0, 0.0, 1.0, 1.0]]],
        [[[1, 0, 1], [0, 1, 0], [1, 1, 1]]],
        [2],
    )


ANCHORS = tf.constant(
    [
        [0.0, 0.0, 0.5, 0.5],  # the first person exactly
        [0.0, 0.0, 0.5, 0.45],  # IoU 0.9 with the first
        [0.0, 0.0, 0.5, 0.25],  # IoU 0.5 with the first: ignored
        [0.5, 0.5, 0.9, 0.9],  # IoU 0.06 with the second, its best
        [0.0, 0.8, 0.1, 0.9],  # background
        [0.5, 0.5, 0.6, 0.6],  # the second person exactly, but not usable
        [0.0, 0.0, 1.0, 1.0],  # equal to the padding box; IoU 0.25 with the first
    ]
)
USABLE = tf.constant([True, True, True, True, True, False, True])


def test_anchors_match_by_threshold_and_each_person_gets_its_best(groundtruth):
    targets = target_assignment.assign_anchors(ANCHORS, USABLE, groundtruth, 0.7, 0.3)
    assert targets.positive[0].numpy().tolist() == [True, True, False, True] + [False] * 3
    assert targets.negative[0].numpy().tolist() == [False] * 4 + [True, False, True]
    decoded = box_ops.decode(targets.box_targets[0], ANCHORS).numpy()
    np.testing.assert_allclose(decoded[1], [0.0, 0.0, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(decoded[3], [0.5, 0.5, 0.6, 0.6], atol=1e-6)
    np.testing.assert_array_equal(targets.box_targets[0].numpy()[[2, 4, 5, 6]], 0)


def test_a_forced_anchor_belongs_to_the_person_that_forced_it():
    # The only anchor over the second person overlaps the first one more.
    groundtruth = make_groundtruth(
        [[[0.0, 0.0, 0.5, 0.5], [0.4, 0.4, 0.5, 0.5]]], np.ones([1, 2, 1]), [2]
    )
    anchors = tf.constant([[0.0, 0.0, 0.5, 0.5], [0.1, 0.1, 0.5, 0.5]])
    overlap = box_ops.iou(anchors, groundtruth.boxes[0])
    assert overlap[1, 0] > overlap[1, 1] > overlap[0, 1]
    targets = target_assignment.assign_anchors(
        anchors, tf.constant([True, True]), groundtruth, 0.7, 0.3
    )
    decoded = box_ops.decode(targets.box_targets[0], anchors)
    np.testing.assert_allclose(decoded[1], [0.4, 0.4, 0.5, 0.5], atol=1e-6)


def test_a_person_whom_no_anchor_overlaps_forces_nothing():
    groundtruth = make_groundtruth([[[0.9, 0.9, 1.0, 1.0]]], np.ones([1, 1, 1]), [1])
    anchors = tf.constant([[0.0, 0.0, 0.1, 0.1], [0.2, 0.2, 0.3, 0.3]])
    targets = target_assignment.assign_anchors(
        anchors, tf.constant([True, True]), groundtruth, 0.7, 0.3
    )
    assert not targets.positive.numpy().any()
    assert targets.negative.numpy().all()


def test_proposals_take_the_labels_of_their_person_or_background(groundtruth):
    usable = tf.constant([[True, True, True, True, True, True, False]])
    targets = target_assignment.assign_proposals(ANCHORS[tf.newaxis], usable, groundtruth, 0.5)
    assert targets.positive[0].numpy().tolist() == [True, True, True, False, False, True, False]
    expected = [[0, 1, 0, 1]] * 3 + [[1, 0, 0, 0]] * 2 + [[0, 0, 1, 0]] + [[1, 0, 0, 0]]
    np.testing.assert_array_equal(targets.class_targets[0], expected)
    decoded = box_ops.decode(targets.box_targets[0, 2], ANCHORS[2])
    np.testing.assert_allclose(decoded, [0.0, 0.0, 0.5, 0.5], atol=1e-6)
    np.testing.assert_array_equal(targets.sampled, usable)


@pytest.mark.parametrize(
    "boxes, num_boxes",
    [
        (np.zeros([1, 0, 4]), 0),  # no room for a box at all
        (np.full([1, 2, 4], 0.3), 0),  # padding only
        (np.array([[[0.2, 0.2, 0.2, 0.4], [0.6, 0.6, 0.4, 0.4]]]), 2),  # empty and inverted
    ],
)
def test_nobody_to_match_makes_everything_background(boxes, num_boxes):
    groundtruth = make_groundtruth(boxes, np.ones([1, boxes.shape[1], 3]), [num_boxes])
    anchors = target_assignment.assign_anchors(ANCHORS, USABLE, groundtruth, 0.7, 0.3)
    assert not anchors.positive.numpy().any()
    np.testing.assert_array_equal(anchors.negative[0], USABLE)
    proposals = target_assignment.assign_proposals(
        ANCHORS[tf.newaxis], USABLE[tf.newaxis], groundtruth, 0.5
    )
    assert not proposals.positive.numpy().any()
    np.testing.assert_array_equal(proposals.class_targets[0, :, 0], 1)
    np.testing.assert_array_equal(proposals.class_targets[0, :, 1:], 0)
    assert np.isfinite(proposals.box_targets).all()


def test_more_padding_changes_nothing(groundtruth):
    padded = groundtruth._replace(
        boxes=tf.pad(groundtruth.boxes, [[0, 0], [0, 4], [0, 0]], constant_values=0.5),
        labels=tf.pad(groundtruth.labels, [[0, 0], [0, 4], [0, 0]], constant_values=1.0),
    )
    for assign in (
        lambda truth: target_assignment.assign_anchors(ANCHORS, USABLE, truth, 0.7, 0.3),
        lambda truth: target_assignment.assign_proposals(
            ANCHORS[tf.newaxis], USABLE[tf.newaxis], truth, 0.5
        ),
    ):
        for one, other in zip(assign(groundtruth), assign(padded), strict=True):
            np.testing.assert_array_equal(one, other)
