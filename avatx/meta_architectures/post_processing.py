"""From class scores and refined boxes to final detections, as the Object Detection API's
`batch_multiclass_non_max_suppression`."""

from dataclasses import dataclass

import tensorflow as tf

from avatx.core.non_max_suppression import non_max_suppression
from avatx.core.structures import Detections


@dataclass(frozen=True)
class PostProcessing:
    """Non-maximum suppression of each class by itself, then the best of all classes.

    Attributes:
      score_threshold: detections of a lower score are dropped.
      iou_threshold: over it the weaker of two detections of one class is dropped.
      max_detections_per_class: of one keyframe.
      max_total_detections: of one keyframe, D.
    """

    score_threshold: float = 0.0
    iou_threshold: float = 0.6
    max_detections_per_class: int = 100
    max_total_detections: int = 100

    def __call__(self, boxes: tf.Tensor, scores: tf.Tensor, usable: tf.Tensor) -> Detections:
        """Args:
        boxes: [B, R, 1, 4] or [B, R, C, 4] float32, normalised, clipped.
        scores: [B, R, C] float32 in [0, 1], without background.
        usable: [B, R] bool, False for padding.
        """
        batch, count, num_classes = tf.unstack(tf.shape(scores))
        boxes = tf.broadcast_to(boxes, [batch, count, num_classes, 4])
        class_boxes = tf.reshape(tf.transpose(boxes, [0, 2, 1, 3]), [-1, count, 4])
        class_scores = tf.reshape(tf.transpose(scores, [0, 2, 1]), [-1, count])  # [B*C, R]
        class_usable = tf.repeat(usable, num_classes, axis=0)
        class_usable &= class_scores >= self.score_threshold
        kept, num_kept = non_max_suppression(
            class_boxes,
            class_scores,
            class_usable,
            self.iou_threshold,
            self.max_detections_per_class,
        )  # [B*C, M], [B*C]

        is_kept = tf.range(self.max_detections_per_class) < num_kept[:, tf.newaxis]
        kept_scores = tf.where(is_kept, tf.gather(class_scores, kept, batch_dims=1), -1.0)
        shape = [batch, num_classes * self.max_detections_per_class]
        total = tf.minimum(self.max_total_detections, shape[1])
        best_scores, best = tf.math.top_k(tf.reshape(kept_scores, shape), total)  # [B, D]
        padding = [[0, 0], [0, self.max_total_detections - total]]
        best_scores = tf.pad(best_scores, padding, constant_values=-1.0)
        best = tf.pad(best, padding)

        proposal = tf.gather(tf.reshape(kept, shape), best, batch_dims=1)  # [B, D]
        class_index = best // self.max_detections_per_class
        is_detection = best_scores >= 0
        index = tf.stack([proposal, class_index], axis=-1)
        return Detections(
            boxes=tf.where(
                is_detection[..., tf.newaxis], tf.gather_nd(boxes, index, batch_dims=1), 0.0
            ),
            classes=tf.where(is_detection, class_index + 1, 0),
            scores=tf.maximum(best_scores, 0.0),
            multiclass_scores=tf.where(
                is_detection[..., tf.newaxis], tf.gather(scores, proposal, batch_dims=1), 0.0
            ),
            proposal_index=tf.where(is_detection, proposal, 0),
            num_detections=tf.reduce_sum(tf.cast(is_detection, tf.int32), axis=1),
        )
