"""Second stage: which proposals the box predictor is trained on, and its loss.

As the Object Detection API's Faster R-CNN with sigmoid cross-entropy in place of softmax (paper,
section 3.4): the classification loss is summed over the C + 1 classes, background included, whose
target is 1 for proposals that match nobody.

`add_groundtruth_boxes` lets the groundtruth boxes join the proposals before sampling, which the
Object Detection API does not do (Model Garden's does: `mix_gt_boxes`). A clip with a person then
always has a positive; but of few samples they take the places of the proposals, and from a
groundtruth box there is nothing to regress.
"""

from dataclasses import dataclass
from enum import Enum

import tensorflow as tf

from avatx.core import box_ops, losses, sampling, target_assignment
from avatx.core.structures import (
    BoxPredictions,
    Groundtruth,
    Proposals,
    SecondStageTargets,
    first_entries,
)


class ClassificationLoss(Enum):
    """What is summed over the classes of a proposal."""

    SIGMOID = "SIGMOID"  # the paper's
    SIGMOID_FOCAL = "SIGMOID_FOCAL"


@dataclass(frozen=True)
class SecondStageOptions:
    """Fields of pipeline.config of the same name, less `second_stage_`."""

    batch_size: int
    balance_fraction: float
    matched_threshold: float
    add_groundtruth_boxes: bool
    localization_loss_weight: float
    classification_loss_weight: float
    classification_loss: ClassificationLoss
    focal_loss_gamma: float
    focal_loss_alpha: float


def groundtruth_proposals(groundtruth: Groundtruth) -> Proposals:
    """The groundtruth boxes as proposals of score 1, empty boxes left out."""
    valid = target_assignment.valid_groundtruth(groundtruth)
    return _first_the_valid(groundtruth.boxes, tf.ones_like(groundtruth.boxes[..., 0]), valid)


def given_proposals(given: Proposals, groundtruth: Groundtruth | None = None) -> Proposals:
    """Somebody else's boxes as proposals, empty boxes left out.

    Args:
      given: [B, R, ...].
      groundtruth: whose boxes join them, in front.
    """
    boxes, scores = given.boxes, given.scores
    valid = is_proposal(given) & (box_ops.area(boxes) > 0)
    if groundtruth is not None:
        annotated = groundtruth_proposals(groundtruth)
        boxes = tf.concat([annotated.boxes, boxes], axis=1)
        scores = tf.concat([annotated.scores, scores], axis=1)
        valid = tf.concat([is_proposal(annotated), valid], axis=1)
    return _first_the_valid(boxes, scores, valid)


def _first_the_valid(boxes: tf.Tensor, scores: tf.Tensor, valid: tf.Tensor) -> Proposals:
    """Valid ones first, in their order, for padding is marked by a count; the others are 0.

    At least one entry: what is computed of proposals is reduced over them.
    """
    if not valid.shape[1]:
        missing = tf.maximum(1 - tf.shape(valid)[1], 0)
        boxes = tf.pad(boxes, [[0, 0], [0, missing], [0, 0]])
        scores, valid = (tf.pad(one, [[0, 0], [0, missing]]) for one in (scores, valid))
    boxes = tf.where(valid[..., tf.newaxis], boxes, 0.0)
    scores = tf.where(valid, scores, 0.0)
    _, order = tf.math.top_k(tf.cast(valid, tf.float32), tf.shape(valid)[1])
    return Proposals(
        boxes=tf.gather(boxes, order, batch_dims=1),
        scores=tf.gather(scores, order, batch_dims=1),
        num_proposals=_count(valid),
    )


def is_proposal(proposals: Proposals) -> tf.Tensor:
    """[B, R] bool: not padding."""
    return first_entries(tf.shape(proposals.boxes)[1], proposals.num_proposals)


def _count(flags: tf.Tensor) -> tf.Tensor:
    """[B] int32: how many of [B, N] are set. Summed in float32: int32 is summed on the host."""
    return tf.cast(tf.reduce_sum(tf.cast(flags, tf.float32), axis=1), tf.int32)


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

        Of N candidates (R proposals, and G groundtruth boxes if they are added)
        min(`batch_size`, N) entries come back, the same number for each clip; what a clip lacks
        is padding.
        """
        boxes, scores, usable, priorities = self._candidates(proposals, groundtruth)
        targets = target_assignment.assign_proposals(
            boxes, usable, groundtruth, self.options.matched_threshold
        )

        sampled = sampling.sample_balanced(
            priorities,
            targets.positive,
            usable & ~targets.positive,
            self.options.batch_size,
            self.options.balance_fraction,
        )
        order = tf.cast(sampled, tf.float32) * (1.0 + tf.cast(targets.positive, tf.float32))
        count = tf.minimum(self.options.batch_size, tf.shape(boxes)[1])
        _, chosen = tf.math.top_k(order, count)  # [B, batch_size]

        boxes, scores, sampled, targets = tf.nest.map_structure(
            lambda tensor: tf.gather(tensor, chosen, batch_dims=1),
            (boxes, scores, sampled, targets),
        )
        return (
            Proposals(tf.where(sampled[..., tf.newaxis], boxes, 0.0), scores, _count(sampled)),
            targets._replace(sampled=sampled, positive=targets.positive & sampled),
        )

    def loss(
        self, box_predictions: BoxPredictions, targets: SecondStageTargets
    ) -> dict[str, tf.Tensor]:
        """Classification loss of all sampled proposals, smooth L1 of the positive ones.

        With class-specific boxes the proposal's class of lowest id is the one whose box is
        trained: a person counts once, whatever the number of labels, as in the Object Detection
        API ("picks refined_location_encodings for just one class to avoid over-counting"). Where
        everybody has a pose and poses have the lowest ids, as in AVA, boxes of other classes hardly
        learn, and stay near the proposals.
        """
        options = self.options
        logits, classes = box_predictions.class_logits, targets.class_targets
        if options.classification_loss is ClassificationLoss.SIGMOID_FOCAL:
            classification = losses.sigmoid_focal(
                logits, classes, options.focal_loss_gamma, options.focal_loss_alpha
            )
        else:
            classification = losses.sigmoid_cross_entropy(logits, classes)
        localization = losses.smooth_l1(
            box_predictions.box_encodings, targets.box_targets[:, :, tf.newaxis]
        )  # [B, R, 1 or C]
        positive = tf.cast(targets.positive & targets.sampled, tf.float32)
        if localization.shape[-1] == 1:
            localization = localization[..., 0]
        else:
            labels = targets.class_targets[..., 1:]
            first = tf.argmax(labels, axis=-1, output_type=tf.int32)
            localization = tf.gather(localization, first, batch_dims=2)
            positive *= tf.reduce_max(labels, axis=-1)  # without a label there is no box to train
        return {
            "Loss/BoxClassifierLoss/classification_loss": options.classification_loss_weight
            * losses.mean_over_samples(classification, targets.sampled, targets.sampled),
            "Loss/BoxClassifierLoss/localization_loss": options.localization_loss_weight
            * losses.mean_over_samples(localization, positive, targets.sampled),
        }

    def _candidates(self, proposals, groundtruth):
        """Boxes [B, N, 4], their scores, which are no padding, and what they are drawn by."""
        # Groundtruth and proposals from a seed each, so that a clip's sample does not depend on
        # how far its batch is padded; neither is the seed that the first stage draws from.
        parts = [(proposals, 2)]
        if self.options.add_groundtruth_boxes:
            parts.insert(0, (groundtruth_proposals(groundtruth), 1))
        candidates = [
            (
                part.boxes,
                part.scores,
                is_proposal(part),
                sampling.random_priorities(
                    groundtruth.sampling_seed + tf.constant([[0, seed]]), tf.shape(part.boxes)[1]
                ),
            )
            for part, seed in parts
        ]
        return tuple(tf.concat(tensors, axis=1) for tensors in zip(*candidates, strict=True))
