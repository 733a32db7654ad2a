"""ST-RoIPool (paper, section 3.3): a box held still in time, pooled from every feature frame.

"First stretching the RP in time by replicating the box to form a tube", then RoIPool "at each time
point", then "stacked". Time is folded into the batch, so all frames of all tubes are one crop.
"""

import tensorflow as tf
import tf_keras

from avatx.core.structures import CellPositions
from avatx.layers.roi_pool import RoiAlignment, RoiPool


class StRoiPool(tf_keras.layers.Layer):
    """`RoiPool` on each of the T' feature frames of a box's clip."""

    def __init__(
        self,
        crop_size: int,
        pool_size: int,
        pool_stride: int,
        alignment: RoiAlignment = RoiAlignment.OBJECT_DETECTION_API,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.roi_pool = RoiPool(crop_size, pool_size, pool_stride, alignment, name="roi_pool")

    def call(
        self,
        features: tf.Tensor,
        boxes: tf.Tensor,
        clip_index: tf.Tensor,
        positions: CellPositions | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Cells [N, T', h, w, C] of N tubes, which may lie in any of the clips.

        Args:
          features: [B, T', H', W', C].
          boxes: [N, 4] float32, normalised. No gradient goes through them.
          clip_index: [N] int32, the clip of each box.
          positions: where the features' cells look; needed if ALIGNED.
          training: whether the gradient is wanted.
        """
        batch, frames, height, width, _ = tf.unstack(tf.shape(features))
        depth = features.shape[-1]
        frame_index = clip_index[:, tf.newaxis] * frames + tf.range(frames)  # [N, T']
        cells = self.roi_pool.pool(
            tf.reshape(features, [batch * frames, height, width, depth]),
            tf.repeat(boxes, frames, axis=0),
            tf.reshape(frame_index, [-1]),
            positions,
            training,
        )
        size = self.roi_pool.output_size
        return tf.reshape(cells, [tf.shape(boxes)[0], frames, size, size, depth])
