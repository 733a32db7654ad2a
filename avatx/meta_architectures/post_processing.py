"""From class scores and refined boxes to final detections, as the Object Detection API's
`batch_multiclass_non_max_suppression`."""

from dataclasses import dataclass

import tensorflow as tf

from avatx.core import box_ops
from avatx.core.non_max_suppression import NmsImplementation, non_max_suppression
from avatx.core.structures import Detections, first_entries


@dataclass(frozen=True)
class PostProcessing:
    """Non-maximum suppression of each class by itself, then the best of all classes.

    Attributes:
      score_threshold: detections of a lower score are dropped.
      iou_threshold: over it the weaker of two detections of one class is dropped.
      max_detections_per_class: of one keyframe.
      max_total_detections: of one keyframe, D.
      implementation: what computes the suppression.
    """

    score_threshold: float
    iou_threshold: float
    max_detections_per_class: int
    max_total_detections: int
    implementation: NmsImplementation = NmsImplementation.BY_DEVICE

    def __call__(self, boxes: tf.Tensor, scores: tf.Tensor, usable: tf.Tensor) -> Detections:
        """Keeps the best detections of each clip that do not overlap; boxes of no area are none.

        Args:
          boxes: [B, R, 1, 4] or [B, R, C, 4] float32, normalised, clipped.
          scores: [B, R, C] float32 in [0, 1], without background.
          usable: [B, R] bool, False for padding.
        """
        has_area = box_ops.area(boxes) > 0  # clipped, it may lie outside the frame
        kept = non_max_suppression(
            boxes,
            scores,
            usable[..., tf.newaxis] & has_area & (scores >= self.score_threshold),
            self.iou_threshold,
            self.max_detections_per_class,
            self.max_total_detections,
            self.implementation,
            with_index=True,
        )
        is_detection = first_entries(self.max_total_detections, kept.count)
        multiclass_scores = tf.gather(scores, kept.index, batch_dims=1)
        return Detections(
            boxes=kept.boxes,
            classes=tf.where(is_detection, kept.class_index + 1, 0),
            scores=kept.scores,
            multiclass_scores=tf.where(is_detection[..., tf.newaxis], multiclass_scores, 0.0),
            proposal_index=kept.index,
            num_detections=kept.count,
        )
