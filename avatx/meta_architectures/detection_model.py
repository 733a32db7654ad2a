"""The contract of a detection model: four verbs, and the conventions they share.

- Boxes are [ymin, xmin, ymax, xmax], normalised to [0, 1] of the frame.
- Class ids are 1-based in files, label maps and `Detections`; index 0 of `class_logits` is
  background, and `labels[..., i]` is class id i + 1.
- Padding is marked by counts (`num_boxes`, `num_proposals`, `num_detections`); what lies past a
  count means nothing.
- Groundtruth and `training` are arguments: the model keeps no state but its variables.
- Boxes, logits and losses are float32 under any precision policy.

What a detector declares beside its verbs (its classes, the clips it takes) is in `video_model.py`,
which classifiers share. The structures are in `avatx.core.structures`. As the Object Detection
API's `core/model.py`, less its hidden state.
"""

import tensorflow as tf

from avatx.core.structures import (
    BoxPredictions,
    Detections,
    FeatureMap,
    Groundtruth,
    Predictions,
    Proposals,
)
from avatx.meta_architectures.video_model import VideoModel


class DetectionModel(VideoModel):
    """What training, evaluation, export and pictures know of a detector."""

    @property
    def needs_groundtruth(self) -> bool:
        """Whether it finds nobody by itself: `predict` then needs groundtruth always."""
        return False

    @property
    def needs_person_boxes(self) -> bool:
        """Whether somebody else must find the people: `predict` then needs `person_boxes`."""
        return False

    @property
    def attends(self) -> bool:
        """Whether it has attention maps and keys to show."""
        return False

    def predict(
        self,
        clips: tf.Tensor,
        groundtruth: Groundtruth | None = None,
        training: bool = False,
        attention: bool = False,
        person_boxes: Proposals | None = None,
    ) -> Predictions:
        """Raw predictions for preprocessed clips.

        Args:
          clips: [B, T, H, W, input_channels] float32 from `preprocess`.
          groundtruth: needed in training, where proposals are sampled by it.
          training: whether batch norm, dropout and sampling are as in training.
          attention: whether to return attention maps where the model has any.
          person_boxes: [B, R, ...], of a model that needs them; padding and empty boxes may lie
            among them.
        """
        raise NotImplementedError

    def predict_boxes(
        self, features: FeatureMap, boxes: tf.Tensor, attention: bool = False
    ) -> BoxPredictions:
        """What the head says of boxes of one's own, as after training.

        Args:
          features: of `Predictions`.
          boxes: [B, R, 4] float32.
          attention: whether to return attention maps where the model has any.
        """
        raise NotImplementedError

    def keys(self, features: FeatureMap) -> tuple[tf.Tensor, ...]:
        """What each cell is known by to the queries (paper, figure 4), for pictures.

        Args:
          features: of `Predictions`.

        Returns:
          A layer each: [B, heads, T', H', W', D]. Nothing where the model does not attend.
        """
        return ()

    def loss(self, predictions: Predictions, groundtruth: Groundtruth) -> dict[str, tf.Tensor]:
        """Scalar losses by name, weighted; the training loss is their sum. Each is the mean
        over the clips of what the clip alone would give."""
        raise NotImplementedError

    def postprocess(self, predictions: Predictions) -> Detections:
        """Final detections of predictions that were made with `training=False`."""
        raise NotImplementedError

    def call(self, clips: tf.Tensor, training: bool = False) -> Predictions:
        """`predict` of raw clips, for Keras's own machinery."""
        return self.predict(self.preprocess(clips), training=training)
