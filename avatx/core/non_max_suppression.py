"""Greedy non-maximum suppression of many lists of boxes at once."""

from typing import Tuple

import tensorflow as tf


def non_max_suppression(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    usable: tf.Tensor,
    iou_threshold: float,
    max_outputs: int,
) -> Tuple[tf.Tensor, tf.Tensor]:
    """Takes boxes by descending score, but none that overlaps a taken one by more than a limit.

    Args:
      boxes: [L, N, 4] float32, L lists of N boxes.
      scores: [L, N] float32, >= 0.
      usable: [L, N] bool; the others are never taken and suppress nothing.
      iou_threshold: a box whose IoU with a taken box is larger is dropped.
      max_outputs: how many boxes to take of each list.

    Returns:
      indices [L, max_outputs] int32, by descending score, 0 past the count; counts [L] int32.
    """
    scores = tf.where(usable, scores, -1.0)

    def suppress(boxes_and_scores):
        return tf.image.non_max_suppression_padded(
            *boxes_and_scores,
            max_output_size=max_outputs,
            iou_threshold=iou_threshold,
            score_threshold=-0.5,
            pad_to_max_output_size=True,
        )

    signature = (tf.TensorSpec([max_outputs], tf.int32), tf.TensorSpec([], tf.int32))
    with tf.name_scope("non_max_suppression"):
        return tf.map_fn(suppress, (boxes, scores), fn_output_signature=signature)
