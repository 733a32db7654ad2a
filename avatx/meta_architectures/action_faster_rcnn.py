"""The paper's detector (sections 3.1 to 3.4): Faster R-CNN over a clip.

The trunk turns a clip into features; the proposal stage finds people in the central feature
frame; the box predictor classifies each proposal's actions and refines its box.

"Temporally central" (section 3.1) is not said more exactly. `T' // 2` is read most literally, but
it looks later than the keyframe: at I3D's Mixed_4f feature frame i looks at frame 4 i + 3, so of
64 frames 8 looks at 35 and 7 at 31, and the keyframe is 32. `CentralFrame` names both readings.
"""

import dataclasses
from enum import Enum

import tensorflow as tf

from avatx.core import box_ops, cell_positions
from avatx.core.structures import (
    BoxPredictions,
    Detections,
    FeatureMap,
    Groundtruth,
    Predictions,
    Proposals,
    SecondStageTargets,
)
from avatx.meta_architectures.detection_model import DetectionModel
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.proposal_stage import ProposalStage
from avatx.meta_architectures.second_stage import (
    SecondStage,
    given_proposals,
    groundtruth_proposals,
    is_proposal,
)
from avatx.predictors.box_predictor import BoxPredictor
from avatx.trunks.trunk import Trunk


class ProposalSource(Enum):
    """Where the boxes that the box predictor sees come from."""

    RPN = "RPN"
    # The annotated boxes, in training and after, not refined (paper, section 4.2).
    GROUNDTRUTH = "GROUNDTRUTH"
    # Those of somebody else's detector: given with the clips, and not refined either.
    EXTERNAL = "EXTERNAL"


class CentralFrame(Enum):
    """Which feature frame is the temporally central one: people are found and queried there."""

    # T' // 2.
    MIDDLE = "MIDDLE"
    # The one that looks nearest to the keyframe, T / 2.
    NEAREST_TO_KEYFRAME = "NEAREST_TO_KEYFRAME"


class ActionFasterRCNN(DetectionModel):
    """See the module's docstring; `DetectionModel` describes the four verbs."""

    def __init__(
        self,
        image_size: tuple[int, int],
        trunk: Trunk,
        proposal_stage: ProposalStage,
        box_predictor: BoxPredictor,
        second_stage: SecondStage,
        post_processing: PostProcessing,
        proposal_source: ProposalSource = ProposalSource.RPN,
        central_frame: CentralFrame = CentralFrame.MIDDLE,
        **kwargs,
    ):
        """Takes the parts; none is made here.

        Args:
          image_size: (H, W) that frames are resized to, pixels.
          trunk: clips [B, T, H, W, trunk.input_channels] -> features [B, T', H', W', C'].
          proposal_stage: the RPN: where people may be.
          box_predictor: the head: what each proposal does, and its box.
          second_stage: targets and losses of the head.
          post_processing: the head's scores to detections.
          proposal_source: whose boxes the head sees: the RPN's, the groundtruth's, or given ones.
          central_frame: which feature frame people are found in.
          **kwargs: of `tf_keras.Model`.
        """
        super().__init__(image_size, trunk, **kwargs)
        self.proposal_stage = proposal_stage
        self.box_predictor = box_predictor
        self.second_stage = second_stage
        self.refines_boxes = proposal_source is ProposalSource.RPN
        if not self.refines_boxes:
            # Nobody is found twice here, and people may overlap as they like.
            post_processing = dataclasses.replace(post_processing, iou_threshold=1.0)
        self.post_processing = post_processing
        self.proposal_source = proposal_source
        self.central_frame = central_frame

    @property
    def num_classes(self) -> int:
        return self.box_predictor.num_classes

    @property
    def needs_groundtruth(self) -> bool:
        return self.proposal_source is ProposalSource.GROUNDTRUTH

    @property
    def needs_person_boxes(self) -> bool:
        return self.proposal_source is ProposalSource.EXTERNAL

    @property
    def attends(self) -> bool:
        return self.box_predictor.attends

    def predict(
        self,
        clips: tf.Tensor,
        groundtruth: Groundtruth | None = None,
        training: bool = False,
        attention: bool = False,
        person_boxes: Proposals | None = None,
    ) -> Predictions:
        if groundtruth is None and (training or self.needs_groundtruth):
            raise ValueError("training and proposal_source GROUNDTRUTH need groundtruth; got None")
        if person_boxes is None and self.needs_person_boxes:
            raise ValueError("proposal_source EXTERNAL needs person_boxes; got None")
        clip_size = tf.unstack(tf.shape(clips)[1:4])
        features = self._feature_map(self.trunk(clips, training=training), clip_size)
        first_stage = self.proposal_stage(
            features.cells[:, features.center],
            image_size=clip_size[1:],
            positions=features.positions,
        )

        trained_on = groundtruth if training else None
        if self.needs_groundtruth:
            assert groundtruth is not None  # see above
            proposals = groundtruth_proposals(groundtruth)
        elif self.needs_person_boxes:
            assert person_boxes is not None  # see above
            mixed = self.second_stage.options.add_groundtruth_boxes
            proposals = given_proposals(person_boxes, trained_on if mixed else None)
        else:
            proposals = self.proposal_stage.propose(first_stage)
        targets: tuple[SecondStageTargets, ...] = ()
        if trained_on is not None and self.refines_boxes:
            proposals, sampled_targets = self.second_stage.sample(proposals, trained_on)
            targets = (sampled_targets,)
        elif trained_on is not None:  # not sampled: all of these boxes count
            targets = (self.second_stage.assign(proposals, trained_on),)
        box_predictions = self.box_predictor(
            features, proposals.boxes, training=training, attention=attention
        )
        return Predictions(features, first_stage, proposals, box_predictions, targets)

    def predict_boxes(
        self, features: FeatureMap, boxes: tf.Tensor, attention: bool = False
    ) -> BoxPredictions:
        return self.box_predictor(features, boxes, attention=attention)

    def keys(self, features: FeatureMap) -> tuple[tf.Tensor, ...]:
        return self.box_predictor.keys(features)

    def loss(self, predictions: Predictions, groundtruth: Groundtruth) -> dict[str, tf.Tensor]:
        """Of predictions made with `training=False` too: then over all proposals."""
        if predictions.targets:
            (targets,) = predictions.targets
        else:
            targets = self.second_stage.assign(predictions.proposals, groundtruth)
        if not self.refines_boxes:
            targets = targets._replace(positive=tf.zeros_like(targets.positive))
        return {
            **self.proposal_stage.loss(predictions.first_stage, groundtruth),
            **self.second_stage.loss(predictions.box_predictions, targets),
        }

    def postprocess(self, predictions: Predictions) -> Detections:
        proposals, box_predictions = predictions.proposals, predictions.box_predictions
        boxes = proposals.boxes[:, :, tf.newaxis]  # [B, R, 1, 4]
        if self.refines_boxes:
            boxes = box_ops.clip(box_ops.decode(box_predictions.box_encodings, boxes))
        scores = tf.sigmoid(box_predictions.class_logits)[..., 1:]  # [B, R, C]
        return self.post_processing(boxes, scores, is_proposal(proposals))

    def create_variables(self) -> None:
        size = (8, 32, 32)
        cells = self.trunk(tf.zeros([1, *size, self.input_channels]), training=False)
        features = self._feature_map(cells, size)
        self.proposal_stage(cells[:, 0], image_size=size[1:], positions=features.positions)
        self.box_predictor(features, tf.zeros([1, 1, 4]))

    def _feature_map(self, cells: tf.Tensor, clip_size) -> FeatureMap:
        """The trunk's cells [B, T', H', W', C'] of clips of (T, H, W)."""
        positions, num_frames = self.trunk.cell_positions(clip_size), tf.shape(cells)[1]
        center = num_frames // 2
        if self.central_frame is CentralFrame.NEAREST_TO_KEYFRAME:
            keyframe = positions.size[0] / 2
            center = cell_positions.nearest_frame(positions, num_frames, keyframe)
        return FeatureMap(cells, center, positions)
