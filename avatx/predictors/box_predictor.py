"""The contract of a box predictor, the head that classifies proposals and refines their boxes."""

from enum import Enum

import tensorflow as tf
import tf_keras

from avatx.core.structures import BoxPredictions, FeatureMap

# Logit of a score of 0.01. Of 80 actions a person does two or three, and most proposals show
# nobody. From scores of 0.5 the first loss is 80 log 2, nearly all of it of actions that are not
# there: its gradients drown the others, and fill Adam's averages for hundreds of steps. The prior
# is that of "Focal Loss for Dense Object Detection" (https://arxiv.org/abs/1708.02002, section
# 4.1); the paper says nothing of it. Measured: docs/results.md, "What was tried on the way".
RARE = -4.6


class Outputs(Enum):
    """Which output layers a box predictor has. All, unless it is a part of another one."""

    ALL = "ALL"
    CLASS_LOGITS = "CLASS_LOGITS"
    BOX_ENCODINGS = "BOX_ENCODINGS"


class TemporalPooling(Enum):
    """How a proposal's cells of all feature frames become those of one."""

    AS_PAPER = "AS_PAPER"
    MAX = "MAX"


class BoxPredictor(tf_keras.layers.Layer):
    """Says of each proposal which actions it shows and how its box is to be refined.

    A subclass pools what it needs of the features itself: heads differ in what they pool (the
    central frame, every frame) and in what they add to the features.

    Attributes:
      attends: whether it has attention maps and keys to show.
    """

    attends = False

    def __init__(
        self,
        num_classes: int,
        class_specific_boxes: bool = False,
        class_prediction_bias_init: float = RARE,
        outputs: Outputs = Outputs.ALL,
        hidden_depth: int = 0,
        **kwargs,
    ):
        """Says what the predictor gives; a subclass makes its layers.

        Args:
          num_classes: C, without background.
          class_specific_boxes: a box for each class, or one for all (the paper's choice).
          class_prediction_bias_init: logit of each action before training.
          outputs: which fields of `BoxPredictions` it gives; the others are None.
          hidden_depth: channels of a hidden layer before the class logits; 0 for none.
          **kwargs: of `tf_keras.layers.Layer`.
        """
        # Keras would cast where cells look to 16 bits, with the cells: pixel 401 is none there.
        super().__init__(autocast=False, **kwargs)
        self.num_classes = num_classes
        self.class_specific_boxes = class_specific_boxes
        self.class_prediction_bias_init = class_prediction_bias_init
        self.outputs = outputs
        self.hidden_depth = hidden_depth
        self.boxes_per_proposal = num_classes if class_specific_boxes else 1

    def call(
        self,
        features: FeatureMap,
        proposal_boxes: tf.Tensor,
        training: bool = False,
        attention: bool = False,
    ) -> BoxPredictions:
        """Predictions for every proposal, each independent of the other proposals.

        Args:
          features: of B clips.
          proposal_boxes: [B, R, 4] float32, normalised, clipped to [0, 1].
          training: whether dropout and the like are applied.
          attention: whether to return attention maps too, where the predictor has any.
        """
        raise NotImplementedError

    def make_output_layers(self) -> "OutputLayers":
        """Its last layers, for a subclass that has its own."""
        return OutputLayers(
            self.num_classes,
            self.boxes_per_proposal,
            self.class_prediction_bias_init,
            self.outputs,
            self.hidden_depth,
            name="output",
        )

    def keys(self, features: FeatureMap) -> tuple[tf.Tensor, ...]:
        """What each cell is known by to the queries (paper, figure 4), for pictures.

        Args:
          features: of B clips.

        Returns:
          A layer each: [B, heads, T', H', W', D]. Nothing where the predictor does not attend.
        """
        return ()


class OutputLayers(tf_keras.layers.Layer):
    """The last linear layers of a box predictor, float32 under any precision policy.

    [B, R, F] -> class logits [B, R, C + 1] and box encodings [B, R, boxes_per_proposal, 4], None
    for what is not among `outputs`.
    """

    def __init__(
        self,
        num_classes: int,
        boxes_per_proposal: int,
        class_prediction_bias_init: float,
        outputs: Outputs,
        hidden_depth: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.boxes_per_proposal = boxes_per_proposal
        self.hide = self.classify = self.refine = None
        if hidden_depth and outputs is not Outputs.BOX_ENCODINGS:
            self.hide = tf_keras.layers.Dense(
                hidden_depth, "relu", dtype=tf.float32, name="class_hidden"
            )
        if outputs is not Outputs.BOX_ENCODINGS:
            biases = [0.0] + [class_prediction_bias_init] * num_classes  # background first
            self.classify = _linear(num_classes + 1, "class_logits", biases)
        if outputs is not Outputs.CLASS_LOGITS:
            self.refine = _linear(4 * boxes_per_proposal, "box_encodings", 0.0)

    def call(self, inputs: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        inputs = tf.cast(inputs, tf.float32)
        class_logits = box_encodings = None
        if self.classify is not None:
            class_logits = self.classify(self.hide(inputs) if self.hide else inputs)
        if self.refine is not None:
            encodings = self.refine(inputs)
            shape = tf.shape(encodings)
            box_encodings = tf.reshape(encodings, [shape[0], shape[1], self.boxes_per_proposal, 4])
        return class_logits, box_encodings


def _linear(units, name, biases):
    # Small first outputs: boxes start as the proposals, scores as their biases say.
    return tf_keras.layers.Dense(
        units,
        kernel_initializer=tf_keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=tf_keras.initializers.Constant(biases),
        dtype=tf.float32,
        name=name,
    )
