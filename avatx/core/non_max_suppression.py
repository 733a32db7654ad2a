"""Greedy non-maximum suppression, of every class by itself, of a batch at once.

On a CPU `tf.image.combined_non_max_suppression` does the work. It tells no indices; they are found
again by box and score. It has no kernel for GPUs, where it would wait for the GPU, copy, and
compute on the host: there `avatx.core.greedy_sweeps` finds the same. Which of the two a graph runs
is decided where it runs, so that one export serves both. Measured on 2 CPU cores for 300 proposals
and 80 classes: 4 ms a clip, where `tf.image.non_max_suppression_padded` over every class takes
150 ms; for the 7,500 anchors of a 400 x 400 clip 0.4 ms against 5 ms.
"""

from enum import Enum
from typing import NamedTuple

import tensorflow as tf

from avatx.core import greedy_sweeps
from avatx.core.by_device import by_device


class NmsImplementation(Enum):
    """What computes a non-maximum suppression."""

    # What is quicker on the device that the graph runs on.
    BY_DEVICE = "BY_DEVICE"
    # `tf.image.combined_non_max_suppression`: on the host.
    COMBINED = "COMBINED"
    # `greedy_sweeps`: everywhere.
    SWEEPS = "SWEEPS"


class Suppressed(NamedTuple):
    """What is left, by descending score, over all classes; 0 past the count."""

    boxes: tf.Tensor  # [B, max_total, 4]
    scores: tf.Tensor  # [B, max_total]
    class_index: tf.Tensor  # [B, max_total] int32, from 0
    count: tf.Tensor  # [B] int32
    # [B, max_total] int32: which of the N boxes each came from; None where not asked for.
    index: tf.Tensor | None  # type: ignore[assignment]


def non_max_suppression(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    usable: tf.Tensor,
    iou_threshold: float,
    max_per_class: int,
    max_total: int,
    implementation: NmsImplementation = NmsImplementation.BY_DEVICE,
    with_index: bool = False,
) -> Suppressed:
    """Takes boxes by descending score, but none that overlaps a taken one of its class too much.

    Args:
      boxes: [B, N, 1, 4] or [B, N, C, 4] float32.
      scores: [B, N, C] float32, >= 0.
      usable: [B, N, C] bool; the others are never taken and suppress nothing.
      iou_threshold: a box whose IoU with a taken box of its class is larger is dropped.
      max_per_class: how many boxes to take of a class.
      max_total: how many boxes to take in all.
      implementation: what computes it; they differ in what they make of equal scores alone.
      with_index: whether to say where each box came from. Where several boxes are equal with equal
        scores for the class, it is one of them.
    """
    arguments = (boxes, scores, usable, iou_threshold, max_per_class, max_total, with_index)

    # Tuples, for a branch may return neither None nor a type of its own.
    def combined():
        return _combined(*arguments)

    def sweeps():
        *taken, index = greedy_sweeps.suppress(*arguments[:-1])
        return (*taken, index) if with_index else tuple(taken)

    if implementation is NmsImplementation.COMBINED:
        taken = combined()
    elif implementation is NmsImplementation.SWEEPS:
        taken = sweeps()
    else:
        # ONNX has the first one, of boxes that are the same for all classes.
        portable = combined if boxes.shape[2] == 1 else sweeps
        taken = by_device(on_cpu=combined, elsewhere=sweeps, portable=portable)
    return Suppressed(*(taken if with_index else (*taken, None)))


def _combined(boxes, scores, usable, iou_threshold, max_per_class, max_total, with_index):
    taken = tf.image.combined_non_max_suppression(
        boxes,
        tf.where(usable, scores, -1.0),
        max_output_size_per_class=max_per_class,
        max_total_size=max_total,
        iou_threshold=iou_threshold,
        score_threshold=-0.5,
        clip_boxes=False,
    )
    class_index = tf.cast(taken.nmsed_classes, tf.int32)
    found = (taken.nmsed_boxes, taken.nmsed_scores, class_index, taken.valid_detections)
    if not with_index:
        return found
    is_taken = tf.range(max_total) < taken.valid_detections[:, tf.newaxis]
    index = _source_index(taken.nmsed_boxes, taken.nmsed_scores, class_index, boxes, scores)
    return (*found, tf.where(is_taken, index, 0))


def _source_index(taken_boxes, taken_scores, class_index, boxes, scores) -> tf.Tensor:
    """[B, max_total] int32: the first of the N boxes that equals the taken one, with its score."""
    by_class = tf.transpose(scores, [0, 2, 1])  # [B, C, N]
    class_scores = tf.gather(by_class, class_index, batch_dims=1)  # [B, max_total, N]
    if boxes.shape[2] == 1:
        class_boxes = boxes[:, tf.newaxis, :, 0]  # [B, 1, N, 4]
    else:
        by_class = tf.transpose(boxes, [0, 2, 1, 3])
        class_boxes = tf.gather(by_class, class_index, batch_dims=1)
    same = class_scores == taken_scores[..., tf.newaxis]  # [B, max_total, N]
    for coordinate in range(4):  # one at a time: an innermost axis of 4 is slow to reduce
        same &= class_boxes[..., coordinate] == taken_boxes[:, :, tf.newaxis, coordinate]
    return tf.argmax(tf.cast(same, tf.int8), axis=-1, output_type=tf.int32)
