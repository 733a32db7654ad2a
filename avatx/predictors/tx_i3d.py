"""Tx + I3D (paper, section 4.4): the Tx head classifies, the I3D head refines the boxes.

Both see the same proposals and the same features (Tx with the location embedding, I3D without)
and are trained together; of each only the output layer that is used exists.
"""

import tf_keras

from avatx.core.structures import BoxPredictions
from avatx.predictors.box_predictor import BoxPredictor, Outputs
from avatx.predictors.i3d import I3DBoxPredictor
from avatx.predictors.tx import TxBoxPredictor


class TxI3DBoxPredictor(BoxPredictor):
    """One predictor made of two; see the module's docstring."""

    attends = True

    def __init__(self, tx: TxBoxPredictor, i3d: I3DBoxPredictor, **kwargs):
        """Takes both predictors, each made to give its part alone.

        Args:
          tx: made with `Outputs.CLASS_LOGITS`.
          i3d: made with `Outputs.BOX_ENCODINGS`; it decides whether boxes are class-specific.
          **kwargs: see `BoxPredictor`.
        """
        for part, outputs in ((tx, Outputs.CLASS_LOGITS), (i3d, Outputs.BOX_ENCODINGS)):
            if part.outputs is not outputs:
                raise ValueError(f"{part.name} gives {part.outputs}; expected {outputs}")
        super().__init__(
            tx.num_classes, i3d.class_specific_boxes, tx.class_prediction_bias_init, **kwargs
        )
        self.tx = tx
        self.i3d = i3d

    @property
    def tail(self) -> tf_keras.layers.Layer:
        """The blocks behind the trunk, for whoever loads pre-trained weights into them."""
        return self.i3d.tail

    def call(self, features, proposal_boxes, training=False, attention=False):
        """As `BoxPredictor.call`; attention maps are the Tx head's."""
        classified = self.tx(features, proposal_boxes, training=training, attention=attention)
        refined = self.i3d(features, proposal_boxes, training=training)
        return BoxPredictions(classified.class_logits, refined.box_encodings, classified.attention)

    def keys(self, features):
        return self.tx.keys(features)
