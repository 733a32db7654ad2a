"""The I3D head (paper, section 3.3): the blocks cut off behind the trunk, on each proposal's tube.

ST-RoIPool, then the trunk's own Inception blocks, then the mean over time and space, then the
linear layers. It sees nothing outside the proposal's box but what the trunk's features hold, and
gets no location embedding: that serves attention (section 3.4). What the paper leaves open, and
the reading here:
- "The layers of the I3D network that were dropped from the trunk (Mixed_5a to Mixed_5c)":
  the pool before Mixed_5b (MaxPool3d_5a) is left out. It would halve the 16 x 7 x 7 cells that
  the paper names as the head's input, 7 to 4 in space; the Object Detection API's second stages
  likewise run the last blocks without their stride.
- The linear layers act on the mean over all cells, as I3D's own classifier does.

Padding and empty boxes never reach the blocks: their predictions are those of a feature of zeros.
So a padded batch costs nothing, and batch norm that is trained sees people only: with annotated
boxes as proposals most of a batch is padding.
"""

from typing import Optional

import tensorflow as tf
import tf_keras

from avatx.core import box_ops
from avatx.core.structures import BoxPredictions
from avatx.layers.st_roi_pool import StRoiPool
from avatx.predictors.box_predictor import BoxPredictor, OutputLayers, Outputs


class I3DBoxPredictor(BoxPredictor):
    """Runs the trunk's tail on each proposal's tube; see the module's docstring."""

    def __init__(
        self,
        num_classes: int,
        tail: tf_keras.layers.Layer,
        dropout: float = 0.0,
        st_roi_pool: Optional[StRoiPool] = None,
        class_specific_boxes: bool = False,
        outputs: Outputs = Outputs.ALL,
        **kwargs,
    ):
        """Args:
        num_classes: C, without background.
        tail: [N, T', h, w, C'] -> [N, T', h, w, F], from the trunk's `build_tail()`.
        dropout: probability with which a pooled feature is dropped in training.
        st_roi_pool: pools a proposal's cells from all frames; 14 x 14 to 7 x 7 if None.
        class_specific_boxes, outputs: see `BoxPredictor`.
        """
        super().__init__(num_classes, class_specific_boxes, outputs, **kwargs)
        self.st_roi_pool = st_roi_pool or StRoiPool(name="st_roi_pool")
        self.tail = tail
        self.dropout = tf_keras.layers.Dropout(dropout)
        self.output_layers = OutputLayers(
            num_classes, self.boxes_per_proposal, outputs, name="output"
        )

    def call(self, features, proposal_boxes, training=False, attention=False):
        """As `BoxPredictor.call`; there are no attention maps to return."""
        batch, count = tf.shape(proposal_boxes)[0], tf.shape(proposal_boxes)[1]
        boxes = tf.reshape(proposal_boxes, [-1, 4])
        kept = tf.where(box_ops.area(boxes) > 0)  # [N, 1]
        # The blocks' convolutions refuse an empty batch: where nobody is, a tube of an empty box
        # is run and its result dropped.
        num_kept = tf.shape(kept)[0]
        extra = tf.cast(num_kept == 0, tf.int32)
        regions = tf.pad(tf.gather_nd(boxes, kept), [[0, extra], [0, 0]])
        clip_index = tf.pad(tf.cast(kept[:, 0], tf.int32) // count, [[0, extra]])

        cells = self.st_roi_pool(features, regions, clip_index)  # [N, T', 7, 7, C']
        cells = self.tail(cells, training=training)
        pooled = tf.reduce_mean(tf.cast(cells, tf.float32), axis=[1, 2, 3])  # [N, F]
        depth = pooled.shape[-1]
        pooled = tf.scatter_nd(kept, pooled[:num_kept], [tf.shape(boxes, tf.int64)[0], depth])
        pooled = tf.reshape(pooled, [batch, count, depth])
        pooled = self.dropout(pooled, training=training)
        class_logits, box_encodings = self.output_layers(pooled)
        return BoxPredictions(class_logits, box_encodings)
