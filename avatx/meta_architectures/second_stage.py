"""Second stage: which proposals the box predictor is trained on, and its loss.

As the Object Detection API's Faster R-CNN with sigmoid cross-entropy in place of softmax (paper,
section 3.4): the classification loss is summed over the C + 1 classes, background included, whose
target is 1 for proposals that match nobody. The groundtruth boxes join the proposals before
sampling, so that a clip with a person always has a positive.
"""

from dataclasses import dataclass

import tensorflow as tf

from avatx.core import losses, sampling, target_assignment
from avatx.core.structures import BoxPredictions, Groundtruth, Proposals, SecondStageTargets


@dataclass(frozen=True)
class SecondStageOptions:
    """Fields of pipeline.config of the same name, less `second_stage_`."""

    batch_size: int
    balance_fraction: float
    matched_threshold: float
    localization_loss_weight: float
    classification_loss_weight: float


def groundtruth_proposals(groundtruth: Groundtruth) -> Proposals:
    """The groundtruth boxes as proposals of score 1, empty boxes left out."""
    valid = target_assignment.valid_groundtruth(groundtruth)
    boxes = tf.where(valid[..., tf.newaxis], groundtruth.boxes, 0.0)
    # Valid ones first, in their order: padding is marked by a count.
    order = tf.argsort(tf.cast(~valid, tf.int32), stable=True)
    return Proposals(
        boxes=tf.gather(boxes, order, batch_dims=1),
        scores=tf.cast(tf.gather(valid, order, batch_dims=1), tf.float32),
        num_proposals=tf.reduce_sum(tf.cast(valid, tf.int32), axis=1),
    )


def is_proposal(proposals: Proposals) -> tf.Tensor:
    """[B, R] bool: not padding."""
    return tf.range(tf.shape(proposals.boxes)[1]) < proposals.num_proposals[:, tf.newaxis]


@dataclass(frozen=True)
class SecondStage:
    """Sampling, targets and loss of the second stage. It has no variables."""

    options: SecondStageOptions

    def assign(self, proposals: Proposals, groundtruth: Groundtruth) -> SecondStageTargets:
        """Targets of all proposals; all but padding count."""
        return target_assignment.assign_proposals(
            proposals.boxes,
            is_proposal(proposals),
            groundtruth,
            self.options.matched_threshold,
        )

    def sample(
        self, proposals: Proposals, groundtruth: Groundtruth
    ) -> tuple[Proposals, SecondStageTargets]:
        """Draws the proposals to train on, positives first, and their targets.

        Of R proposals and G groundtruth boxes min(`batch_size`, R + G) entries come back, the
        same number for each clip; what a clip lacks is padding.
        """
        own = groundtruth_proposals(groundtruth)
        boxes = tf.concat([own.boxes, proposals.boxes], axis=1)  # [B, G + R, 4]
        scores = tf.concat([own.scores, proposals.scores], axis=1)
        usable = tf.concat([is_proposal(own), is_proposal(proposals)], axis=1)
        targets = target_assignment.assign_proposals(
            boxes, usable, groundtruth, self.options.matched_threshold
        )

        sampled = sampling.sample_balanced(
            self._priorities(groundtruth, proposals),
            targets.positive,
            usable & ~targets.positive,
            self.options.batch_size,
            self.options.balance_fraction,
        )
        order = tf.cast(sampled, tf.int32) * (1 + tf.cast(targets.positive, tf.int32))
        count = tf.minimum(self.options.batch_size, tf.shape(boxes)[1])
        _, chosen = tf.math.top_k(order, count)  # [B, batch_size]

        boxes, scores, sampled, targets = tf.nest.map_structure(
            lambda tensor: tf.gather(tensor, chosen, batch_dims=1),
            (boxes, scores, sampled, targets),
        )
        num_sampled = tf.reduce_sum(tf.cast(sampled, tf.int32), axis=1)
        return (
            Proposals(tf.where(sampled[..., tf.newaxis], boxes, 0.0), scores, num_sampled),
            targets._replace(sampled=sampled, positive=targets.positive & sampled),
        )

    def loss(
        self, box_predictions: BoxPredictions, targets: SecondStageTargets
    ) -> dict[str, tf.Tensor]:
        """Sigmoid cross-entropy of all sampled proposals, smooth L1 of the positive ones.

        With class-specific boxes the smooth L1 is summed over the proposal's classes.
        """
        classification = losses.sigmoid_cross_entropy(
            box_predictions.class_logits, targets.class_targets
        )
        localization = losses.smooth_l1(
            box_predictions.box_encodings, targets.box_targets[:, :, tf.newaxis]
        )  # [B, R, 1 or C]
        positive = tf.cast(targets.positive & targets.sampled, tf.float32)
        if localization.shape[-1] == 1:
            localization = localization[..., 0]
        else:
            localization = tf.reduce_sum(localization * targets.class_targets[..., 1:], axis=-1)
        return {
            "Loss/BoxClassifierLoss/classification_loss": self.options.classification_loss_weight
            * losses.mean_over_samples(classification, targets.sampled, targets.sampled),
            "Loss/BoxClassifierLoss/localization_loss": self.options.localization_loss_weight
            * losses.mean_over_samples(localization, positive, targets.sampled),
        }

    def _priorities(self, groundtruth, proposals):
        # Groundtruth and proposals from a seed each, so that a clip's sample does not depend on
        # how far its batch is padded; neither is the seed that the first stage draws from.
        seeds = groundtruth.sampling_seed
        return tf.concat(
            [
                sampling.random_priorities(
                    seeds + tf.constant([[0, 1]]), tf.shape(groundtruth.boxes)[1]
                ),
                sampling.random_priorities(
                    seeds + tf.constant([[0, 2]]), tf.shape(proposals.boxes)[1]
                ),
            ],
            axis=1,
        )
