"""First stage: the region proposal network on the central feature frame (paper, section 3.1).

As the Object Detection API's Faster R-CNN: a 3 x 3 convolution, then for each anchor two logits
(background, person) and four box offsets. Two departures from its defaults:
- ReLU, not ReLU6.
- Anchors are clipped to the frame, in training and after (its `clip_anchors_to_image: true`).
  Its default drops anchors that reach outside in training but proposes from them afterwards:
  at 400 pixels that leaves the largest anchors, which fit nowhere, untrained and still heard.
"""

from dataclasses import dataclass

import tensorflow as tf
import tf_keras

from avatx.core import box_ops, losses, sampling, target_assignment
from avatx.core.anchors import GridAnchorGenerator
from avatx.core.non_max_suppression import NmsImplementation, non_max_suppression
from avatx.core.structures import CellPositions, FirstStage, Groundtruth, Proposals


@dataclass(frozen=True)
class FirstStageOptions:
    """Fields of pipeline.config of the same name, less `first_stage_`."""

    box_predictor_kernel_size: int
    box_predictor_depth: int
    minibatch_size: int
    positive_balance_fraction: float
    matched_threshold: float
    unmatched_threshold: float
    nms_score_threshold: float
    nms_iou_threshold: float
    nms_implementation: NmsImplementation
    max_proposals: int
    localization_loss_weight: float
    objectness_loss_weight: float


class ProposalStage(tf_keras.layers.Layer):
    """Features of one frame -> logits and offsets of every anchor -> proposals; and its loss."""

    def __init__(
        self,
        anchor_generator: GridAnchorGenerator,
        options: FirstStageOptions,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.anchor_generator = anchor_generator
        self.options = options
        per_cell = anchor_generator.anchors_per_cell
        self.conv = _conv(
            options.box_predictor_depth, options.box_predictor_kernel_size, "conv", "relu"
        )
        self.objectness = _conv(2 * per_cell, 1, "objectness", dtype=tf.float32)
        self.box_encodings = _conv(4 * per_cell, 1, "box_encodings", dtype=tf.float32)

    def call(
        self, features: tf.Tensor, image_size, positions: CellPositions | None = None
    ) -> FirstStage:
        """Scores the anchors of every cell and says how to move them.

        Args:
          features: [B, H', W', C], the temporally central frame.
          image_size: (H, W) of the frames that the features come from, pixels.
          positions: where the features' cells look; needed if the anchors are placed there.
        """
        batch, height, width, _ = tf.unstack(tf.shape(features))
        hidden = tf.cast(self.conv(features), tf.float32)
        return FirstStage(
            objectness_logits=tf.reshape(self.objectness(hidden), [batch, -1, 2]),
            box_encodings=tf.reshape(self.box_encodings(hidden), [batch, -1, 4]),
            anchors=box_ops.clip(self.anchor_generator((height, width), image_size, positions)),
        )

    def propose(self, first_stage: FirstStage) -> Proposals:
        """The `max_proposals` boxes of highest objectness after non-maximum suppression.

        Boxes are clipped to the frame; no gradient goes through them.
        """
        boxes = box_ops.decode(first_stage.box_encodings, first_stage.anchors[tf.newaxis])
        boxes = box_ops.clip(tf.stop_gradient(boxes))  # [B, A, 4]
        scores = tf.nn.softmax(tf.stop_gradient(first_stage.objectness_logits))[..., 1]
        usable = (scores >= self.options.nms_score_threshold) & (box_ops.area(boxes) > 0)
        kept = non_max_suppression(
            boxes[:, :, tf.newaxis],
            scores[..., tf.newaxis],
            usable[..., tf.newaxis],
            self.options.nms_iou_threshold,
            max_per_class=self.options.max_proposals,
            max_total=self.options.max_proposals,
            implementation=self.options.nms_implementation,
        )
        return Proposals(kept.boxes, kept.scores, kept.count)

    def loss(self, first_stage: FirstStage, groundtruth: Groundtruth) -> dict[str, tf.Tensor]:
        """Softmax cross-entropy and smooth L1 of a sample of each clip's anchors."""
        options = self.options
        targets = target_assignment.assign_anchors(
            first_stage.anchors,
            box_ops.area(first_stage.anchors) > 0,  # those wholly outside of the frame are left out
            groundtruth,
            options.matched_threshold,
            options.unmatched_threshold,
        )
        sampled = sampling.sample_balanced(
            sampling.random_priorities(groundtruth.sampling_seed, tf.shape(targets.positive)[1]),
            targets.positive,
            targets.negative,
            options.minibatch_size,
            options.positive_balance_fraction,
        )
        objectness = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.cast(targets.positive, tf.int32), logits=first_stage.objectness_logits
        )
        localization = losses.smooth_l1(first_stage.box_encodings, targets.box_targets)
        return {
            "Loss/RPNLoss/objectness_loss": options.objectness_loss_weight
            * losses.mean_over_samples(objectness, sampled, sampled),
            "Loss/RPNLoss/localization_loss": options.localization_loss_weight
            * losses.mean_over_samples(localization, sampled & targets.positive, sampled),
        }


def _conv(filters, kernel_size, name, activation=None, dtype=None):
    return tf_keras.layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        activation=activation,
        kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=0.01),
        dtype=dtype,
        name=name,
    )
