"""What every meta-architecture declares of itself, whatever it predicts.

Training, evaluation, export and the pictures ask a model for nothing but this and the verbs of its
kind (`DetectionModel`, `VideoClassifier`).
"""

import tensorflow as tf
import tf_keras

from avatx.meta_architectures.clip_preprocessing import normalized_clips
from avatx.trunks.trunk import Trunk

_VERBS = {
    "create_variables",
    "preprocess",
    "predict",
    "predict_boxes",
    "keys",
    "loss",
    "postprocess",
}


class VideoModel(tf_keras.Model):
    """A trunk over clips, and something behind it.

    A subclass has the verbs `preprocess`, `predict`, `loss` and `postprocess`. `predict` and `loss`
    are ours and not Keras's: such a model is never compiled or fitted by Keras. All its verbs are
    traced without AutoGraph (a branch on a tensor is `tf.cond`), which would convert all of
    tf_keras: two thirds of the time that tracing took.

    Attributes:
      image_size: (H, W) that frames are resized to, pixels.
      trunk: clips [B, T, H, W, input_channels] -> features [B, T', H', W', C'].
    """

    image_size: tuple[int, int]
    trunk: Trunk

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for verb in _VERBS & vars(cls).keys():
            setattr(cls, verb, tf.autograph.experimental.do_not_convert(vars(cls)[verb]))

    def __init__(self, image_size: tuple[int, int], trunk: Trunk, **kwargs):
        super().__init__(**kwargs)
        height, width = image_size
        self.image_size = height, width
        self.trunk = trunk

    @property
    def num_classes(self) -> int:
        """C, without background; class ids are 1 to C."""
        raise NotImplementedError

    @property
    def input_channels(self) -> int:
        """Channels of a clip: 3 for RGB, 5 for RGB and optical flow (x, y)."""
        return self.trunk.input_channels

    def create_variables(self) -> None:
        """Makes all variables, by a run on a small black clip: no shape depends on the clip's."""
        raise NotImplementedError

    @tf.autograph.experimental.do_not_convert
    def preprocess(self, clips: tf.Tensor) -> tf.Tensor:
        """Clips [B, T, H, W, input_channels] in [0, 255], uint8 or float, any H and W, as the
        trunk takes them: float32 in [-1, 1], resized."""
        return normalized_clips(clips, self.image_size)
