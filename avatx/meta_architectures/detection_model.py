"""The contract of a detection model: four verbs, and the conventions they share.

- Boxes are [ymin, xmin, ymax, xmax], normalised to [0, 1] of the frame.
- Class ids are 1-based in files, label maps and `Detections`; index 0 of `class_logits` is
  background, and `labels[..., i]` is class id i + 1.
- Padding is marked by counts (`num_boxes`, `num_proposals`, `num_detections`); what lies past a
  count means nothing.
- Groundtruth and `training` are arguments: the model keeps no state but its variables.
- Boxes, logits and losses are float32 under any precision policy.

The structures are in `avatx.core.structures`. As the Object Detection API's `core/model.py`, less
its hidden state.
"""

import tensorflow as tf
import tf_keras

from avatx.core.structures import Detections, Groundtruth, Predictions


class DetectionModel(tf_keras.Model):
    """What training, evaluation and export know of a detector.

    `predict` and `loss` are this contract's and not Keras's: such a model is never compiled
    or fitted by Keras.
    """

    @property
    def input_channels(self) -> int:
        """Channels of a clip: 3 for RGB, 5 for RGB and optical flow (x, y)."""
        return 3

    def preprocess(self, clips: tf.Tensor) -> tf.Tensor:
        """Clips [B, T, H, W, input_channels] in [0, 255], uint8 or float, any H and W, as the
        trunk takes them: float32 in [-1, 1], resized."""
        raise NotImplementedError

    def predict(
        self,
        clips: tf.Tensor,
        groundtruth: Groundtruth | None = None,
        training: bool = False,
        attention: bool = False,
    ) -> Predictions:
        """Raw predictions for preprocessed clips.

        Args:
          clips: [B, T, H, W, input_channels] float32 from `preprocess`.
          groundtruth: needed in training, where proposals are sampled by it.
          training: whether batch norm, dropout and sampling are as in training.
          attention: whether to return attention maps where the model has any.
        """
        raise NotImplementedError

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
