"""The contract of a box predictor, the head that classifies proposals and refines their boxes."""

import tensorflow as tf
import tf_keras

from avatx.core.structures import BoxPredictions


class BoxPredictor(tf_keras.layers.Layer):
    """Says of each proposal which actions it shows and how its box is to be refined.

    A subclass pools what it needs of the features itself: heads differ in what they pool (the
    central frame, every frame) and in what they add to the features.
    """

    def __init__(self, num_classes: int, class_specific_boxes: bool = False, **kwargs):
        """Args:
        num_classes: C, without background.
        class_specific_boxes: a box for each class, or one for all (the paper's choice).
        """
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.boxes_per_proposal = num_classes if class_specific_boxes else 1

    def call(
        self,
        features: tf.Tensor,
        proposal_boxes: tf.Tensor,
        training: bool = False,
        attention: bool = False,
    ) -> BoxPredictions:
        """Predictions for every proposal, each independent of the other proposals.

        Args:
          features: [B, T', H', W', C'] from the trunk.
          proposal_boxes: [B, R, 4] float32, normalised, clipped to [0, 1].
          training: whether dropout and the like are applied.
          attention: whether to return attention maps too, where the predictor has any.
        """
        raise NotImplementedError


class OutputLayers(tf_keras.layers.Layer):
    """The last linear layers of a box predictor, float32 under any precision policy.

    [B, R, F] -> class logits [B, R, C + 1] and box encodings [B, R, boxes_per_proposal, 4].
    """

    def __init__(self, num_classes: int, boxes_per_proposal: int, **kwargs):
        super().__init__(**kwargs)
        self.boxes_per_proposal = boxes_per_proposal
        self.classify = _linear(num_classes + 1, "class_logits")
        self.refine = _linear(4 * boxes_per_proposal, "box_encodings")

    def call(self, inputs: tf.Tensor):
        inputs = tf.cast(inputs, tf.float32)
        encodings = self.refine(inputs)
        shape = tf.shape(encodings)
        encodings = tf.reshape(encodings, [shape[0], shape[1], self.boxes_per_proposal, 4])
        return self.classify(inputs), encodings


def _linear(units, name):
    # Small first outputs: boxes start as the proposals, scores near 0.5.
    initializer = tf_keras.initializers.RandomNormal(stddev=0.01)
    return tf_keras.layers.Dense(
        units, kernel_initializer=initializer, dtype=tf.float32, name=name
    )
