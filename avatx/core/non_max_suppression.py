"""Greedy non-maximum suppression, of every class by itself, of a batch at once.

`tf.image.combined_non_max_suppression` does the work. It tells no indices; they are found again
by box and score. Measured on 2 CPU cores for 300 proposals and 80 classes: 4 ms a clip, where
`tf.image.non_max_suppression_padded` over every class takes 150 ms; for the 7,500 anchors of a
400 x 400 clip 0.4 ms against 5 ms.
"""

from typing import NamedTuple

import tensorflow as tf


class Suppressed(NamedTuple):
    """What is left, by descending score, over all classes; 0 past the count."""

    boxes: tf.Tensor  # [B, max_total, 4]
    scores: tf.Tensor  # [B, max_total]
    class_index: tf.Tensor  # [B, max_total] int32, from 0
    count: tf.Tensor  # [B] int32


def non_max_suppression(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    usable: tf.Tensor,
    iou_threshold: float,
    max_per_class: int,
    max_total: int,
) -> Suppressed:
    """Takes boxes by descending score, but none that overlaps a taken one of its class too much.

    Args:
      boxes: [B, N, 1, 4] or [B, N, C, 4] float32.
      scores: [B, N, C] float32, >= 0.
      usable: [B, N, C] bool; the others are never taken and suppress nothing.
      iou_threshold: a box whose IoU with a taken box of its class is larger is dropped.
      max_per_class: how many boxes to take of a class.
      max_total: how many boxes to take in all.
    """
    taken = tf.image.combined_non_max_suppression(
        boxes,
        tf.where(usable, scores, -1.0),
        max_output_size_per_class=max_per_class,
        max_total_size=max_total,
        iou_threshold=iou_threshold,
        score_threshold=-0.5,
        clip_boxes=False,
    )
    return Suppressed(
        taken.nmsed_boxes,
        taken.nmsed_scores,
        tf.cast(taken.nmsed_classes, tf.int32),
        taken.valid_detections,
    )


def source_index(suppressed: Suppressed, boxes: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """[B, max_total] int32: which of the N boxes each came from; means nothing past the count.

    Where several boxes are equal with equal scores for the class, the first of them.

    Args:
      suppressed: what `non_max_suppression` made of the next two.
      boxes: [B, N, 1, 4] or [B, N, C, 4] float32.
      scores: [B, N, C] float32.
    """
    by_class = tf.transpose(scores, [0, 2, 1])  # [B, C, N]
    class_scores = tf.gather(by_class, suppressed.class_index, batch_dims=1)  # [B, max_total, N]
    if boxes.shape[2] == 1:
        class_boxes = boxes[:, tf.newaxis, :, 0]  # [B, 1, N, 4]
    else:
        by_class = tf.transpose(boxes, [0, 2, 1, 3])
        class_boxes = tf.gather(by_class, suppressed.class_index, batch_dims=1)
    same = tf.reduce_all(class_boxes == suppressed.boxes[:, :, tf.newaxis], axis=-1)
    same &= class_scores == suppressed.scores[..., tf.newaxis]  # [B, max_total, N]
    return tf.argmax(tf.cast(same, tf.int8), axis=-1, output_type=tf.int32)
