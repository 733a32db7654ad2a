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

from typing import NamedTuple

import tensorflow as tf
import tf_keras

from avatx.core import box_ops
from avatx.core.structures import BoxPredictions
from avatx.layers.dropout import Dropout
from avatx.layers.st_roi_pool import StRoiPool
from avatx.predictors.box_predictor import BoxPredictor, TemporalPooling

_REGIONS_AT_A_TIME = 64  # in inference


class I3DBoxPredictor(BoxPredictor):
    """Runs the trunk's tail on each proposal's tube; see the module's docstring."""

    def __init__(
        self,
        num_classes: int,
        tail: tf_keras.layers.Layer,
        dropout: float,
        st_roi_pool: StRoiPool,
        temporal_pooling: TemporalPooling = TemporalPooling.AS_PAPER,
        **kwargs,
    ):
        """Puts a pool before the tail and the output layers behind it.

        Args:
          num_classes: C, without background.
          tail: [N, T', h, w, C'] -> [N, T', h, w, F], from the trunk's `build_tail()`.
          dropout: probability with which a pooled feature is dropped in training.
          st_roi_pool: pools a proposal's cells from all frames.
          temporal_pooling: MAX takes the largest of the means over space of the tail's frames.
          **kwargs: see `BoxPredictor`.
        """
        super().__init__(num_classes, **kwargs)
        self.st_roi_pool = st_roi_pool
        self.tail = tail
        self.temporal_pooling = TemporalPooling(temporal_pooling)
        self.dropout = Dropout(dropout)
        self.output_layers = self.make_output_layers()

    def call(self, features, proposal_boxes, training=False, attention=False):
        """As `BoxPredictor.call`; there are no attention maps to return."""
        batch, count = tf.shape(proposal_boxes)[0], tf.shape(proposal_boxes)[1]
        boxes = tf.reshape(proposal_boxes, [-1, 4])
        kept = tf.where(box_ops.area(boxes) > 0)  # [N, 1]
        regions = _Regions(tf.gather_nd(boxes, kept), tf.cast(kept[:, 0], tf.int32) // count)
        pooled = self._pool(features, regions, training)  # [N, F]
        depth = pooled.shape[-1]
        pooled = tf.scatter_nd(kept, pooled, [tf.shape(boxes, tf.int64)[0], depth])
        pooled = tf.reshape(pooled, [batch, count, depth])
        pooled = self.dropout(pooled, training=training)
        class_logits, box_encodings = self.output_layers(pooled)
        return BoxPredictions(class_logits, box_encodings)

    def _pool(self, features, regions: "_Regions", training: bool) -> tf.Tensor:
        """The tail's mean [N, F] float32 over each of N regions."""

        @tf.autograph.experimental.do_not_convert  # map_fn would, even where nothing is traced
        def pool(part: _Regions) -> tf.Tensor:
            cells = self.st_roi_pool(
                features.cells, *part, features.positions, training=training
            )  # [n, T', 7, 7, C']
            cells = self.tail(cells, training=training)
            frames = tf.reduce_mean(tf.cast(cells, tf.float32), axis=[2, 3])  # [n, T', F]
            if self.temporal_pooling is TemporalPooling.MAX:
                return tf.reduce_max(frames, axis=1)
            return tf.reduce_mean(frames, axis=1)

        # Convolutions refuse an empty batch: where nobody is, one empty box is run and dropped.
        num_regions = tf.shape(regions.boxes)[0]
        filled = tf.maximum(num_regions, 1)
        if training:
            return pool(_filled_up(regions, filled))[:num_regions]
        # Without batch statistics regions are independent: so many at a time that 300 proposals
        # a clip take no more memory than a few dozen.
        num_parts = -(-filled // _REGIONS_AT_A_TIME)
        size = -(-filled // num_parts)
        parts = tf.nest.map_structure(
            lambda t: tf.reshape(t, tf.concat([[num_parts, size], tf.shape(t)[1:]], axis=0)),
            _filled_up(regions, num_parts * size),
        )
        pooled = tf.map_fn(
            pool, parts, fn_output_signature=tf.float32, parallel_iterations=1
        )  # [parts, size, F]
        return tf.reshape(pooled, [num_parts * size, pooled.shape[-1]])[:num_regions]


class _Regions(NamedTuple):
    boxes: tf.Tensor  # [N, 4] float32
    clip_index: tf.Tensor  # [N] int32


def _filled_up(regions: _Regions, count) -> _Regions:
    """`regions` and empty boxes of the first clip, `count` in all."""
    missing = count - tf.shape(regions.boxes)[0]
    return _Regions(
        tf.pad(regions.boxes, [[0, missing], [0, 0]]), tf.pad(regions.clip_index, [[0, missing]])
    )
