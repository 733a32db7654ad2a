"""A video classifier: the network that a detector's trunk and tail are pre-trained in.

The same four verbs as `DetectionModel`, for one label a clip. Its trunk and tail are those that a
detector has (paper, section 3.1: I3D to Mixed_4f; section 3.3: Mixed_5b and 5c), so that a
checkpoint of this model fills them by their names, `trunk/...` and `tail/...`. With an I3D trunk it
is `avatx.trunks.i3d.I3DClassifier`, variable by variable.
"""

import tensorflow as tf
import tf_keras

from avatx.layers.dropout import Dropout
from avatx.meta_architectures.video_model import VideoModel
from avatx.trunks.trunk import Trunk


class VideoClassifier(VideoModel):
    """Trunk, the strides before its tail, tail, mean, dropout, logits.

    Logits and losses are float32 under any precision policy.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        trunk: Trunk,
        num_classes: int,
        dropout: float,
        **kwargs,
    ):
        """Puts dropout and one dense layer behind the trunk and its tail.

        Args:
          image_size: (H, W) that frames are resized to, pixels.
          trunk: clips -> features; its `build_tail` makes the tail.
          num_classes: C; `logits[..., i]` is class id i + 1. There is no background.
          dropout: rate of the pooled features in training.
          **kwargs: of `tf_keras.Model`.
        """
        super().__init__(image_size, trunk, **kwargs)
        self.tail = trunk.build_tail()
        self.dropout = Dropout(dropout)
        self.logits = tf_keras.layers.Dense(num_classes, dtype=tf.float32, name="logits")

    @property
    def num_classes(self) -> int:
        return self.logits.units

    def predict(self, clips: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits [B, C] float32 of preprocessed clips."""
        features = self.trunk(clips, training=training)
        features = self.tail(self.trunk.before_tail(features), training=training)
        return self.logits(self.dropout(self.trunk.average(features), training=training))

    def loss(self, logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Softmax cross-entropy, the mean over the clips; labels [B] int32 are class id - 1."""
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        return {"Loss/ClassifierLoss/classification_loss": tf.reduce_mean(losses)}

    def postprocess(self, logits: tf.Tensor) -> tf.Tensor:
        """Class scores [B, C] float32; each clip's sum to 1."""
        return tf.nn.softmax(logits)

    def call(self, clips: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`predict` of raw clips, for Keras's own machinery."""
        return self.predict(self.preprocess(clips), training=training)

    def create_variables(self) -> None:
        self.predict(tf.zeros([1, 8, 32, 32, self.input_channels]))
