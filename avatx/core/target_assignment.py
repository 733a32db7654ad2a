"""What each anchor and each proposal should have said, given the groundtruth.

Groundtruth that is padding, or whose box is empty, matches nothing.
"""

from typing import NamedTuple

import tensorflow as tf

from avatx.core import box_ops
from avatx.core.structures import Groundtruth, SecondStageTargets, first_entries


class AnchorTargets(NamedTuple):
    """What the region proposal network should say of each anchor."""

    positive: tf.Tensor  # [B, A] bool
    negative: tf.Tensor  # [B, A] bool; anchors that are neither are ignored
    box_targets: tf.Tensor  # [B, A, 4] float32, encoded against the anchors, 0 where not positive


def valid_groundtruth(groundtruth: Groundtruth) -> tf.Tensor:
    """[B, G] bool: neither padding nor an empty box."""
    is_box = first_entries(tf.shape(groundtruth.boxes)[1], groundtruth.num_boxes)
    return is_box & (box_ops.area(groundtruth.boxes) > 0)


def assign_anchors(
    anchors: tf.Tensor,
    usable: tf.Tensor,
    groundtruth: Groundtruth,
    matched_threshold: float,
    unmatched_threshold: float,
) -> AnchorTargets:
    """Matches anchors to groundtruth as the Object Detection API's ArgMaxMatcher.

    Positive from an IoU of `matched_threshold` on, negative under `unmatched_threshold`; the
    best anchor of each groundtruth box is positive whatever its IoU, as long as they overlap.

    Args:
      anchors: [A, 4] float32, normalised.
      usable: [A] bool; the others are ignored.
      groundtruth: of B clips.
      matched_threshold: least IoU of a positive anchor.
      unmatched_threshold: IoU under which an anchor is negative.
    """
    groundtruth, valid = _with_one_more_padding_box(groundtruth)
    overlap = box_ops.iou(anchors[tf.newaxis], groundtruth.boxes)  # [B, A, G]
    overlap = tf.where(usable[tf.newaxis, :, tf.newaxis] & valid[:, tf.newaxis], overlap, 0.0)
    best_overlap = tf.reduce_max(overlap, axis=2)  # [B, A]
    best_groundtruth = tf.argmax(overlap, axis=2, output_type=tf.int32)

    num_anchors = tf.shape(anchors)[0]
    best_anchor = tf.argmax(overlap, axis=1, output_type=tf.int32)  # [B, G]
    forced = tf.one_hot(best_anchor, num_anchors, True, False, axis=1)  # [B, A, G]
    forced &= (tf.reduce_max(overlap, axis=1) > 0)[:, tf.newaxis]
    is_forced = tf.reduce_any(forced, axis=2)
    forced_groundtruth = tf.argmax(tf.cast(forced, tf.float32), axis=2, output_type=tf.int32)

    positive = is_forced | (best_overlap >= matched_threshold)
    negative = ~positive & (best_overlap < unmatched_threshold) & usable[tf.newaxis]
    matched = tf.where(is_forced, forced_groundtruth, best_groundtruth)
    matched_boxes = tf.gather(groundtruth.boxes, matched, batch_dims=1)
    box_targets = box_ops.encode(matched_boxes, anchors[tf.newaxis])
    return AnchorTargets(positive, negative, tf.where(positive[..., tf.newaxis], box_targets, 0.0))


def assign_proposals(
    boxes: tf.Tensor, usable: tf.Tensor, groundtruth: Groundtruth, matched_threshold: float
) -> SecondStageTargets:
    """Labels of the best groundtruth box from an IoU of `matched_threshold` on, else background.

    Args:
      boxes: [B, R, 4] float32, normalised.
      usable: [B, R] bool, False for padding; becomes `sampled`.
      groundtruth: of the same clips.
      matched_threshold: least IoU of a proposal that takes a box's labels.
    """
    groundtruth, valid = _with_one_more_padding_box(groundtruth)
    overlap = box_ops.iou(boxes, groundtruth.boxes)  # [B, R, G]
    overlap = tf.where(valid[:, tf.newaxis], overlap, 0.0)
    matched = tf.argmax(overlap, axis=2, output_type=tf.int32)  # [B, R]
    positive = usable & (tf.reduce_max(overlap, axis=2) >= matched_threshold)
    is_person = positive[..., tf.newaxis]

    labels = tf.gather(groundtruth.labels, matched, batch_dims=1)  # [B, R, C]
    labels = tf.where(is_person, labels, 0.0)
    background = tf.where(is_person, 0.0, 1.0)
    box_targets = box_ops.encode(tf.gather(groundtruth.boxes, matched, batch_dims=1), boxes)
    return SecondStageTargets(
        class_targets=tf.concat([background, labels], axis=-1),
        box_targets=tf.where(is_person, box_targets, 0.0),
        positive=positive,
        sampled=usable,
    )


def _with_one_more_padding_box(groundtruth):
    """So that G is never 0 (argmax over nothing is an error). And which boxes are valid."""
    padded = groundtruth._replace(
        boxes=tf.pad(groundtruth.boxes, [[0, 0], [0, 1], [0, 0]]),
        labels=tf.pad(groundtruth.labels, [[0, 0], [0, 1], [0, 0]]),
    )
    return padded, valid_groundtruth(padded)
