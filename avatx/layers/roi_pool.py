"""RoIPool (paper, section 3.4): a 14 x 14 crop of each box, max-pooled to 7 x 7.

The paper does not say how a box in the frame becomes one in the feature map. The Object Detection
API, which it builds on, lays the frame's edges onto the middles of the outermost cells. But cells
look elsewhere (`core.cell_positions`): at a stride of 16 a box is then cropped up to a cell away
from what it holds, by a shift that differs over the frame. Of people as large as AVA's that is
little, of people of two or three cells it is half of them or all. So there are both conventions.

In inference a CPU pools some boxes at a time: the crops of 300 are 211 MB, which it would ask of
the system anew for each clip. Each box is pooled by itself: the cells are the same bit by bit.
"""

from enum import Enum

import tensorflow as tf
import tf_keras

from avatx.core import cell_positions
from avatx.core.by_device import by_device
from avatx.core.structures import CellPositions

_BOXES_AT_A_TIME = 25


class RoiAlignment(Enum):
    """Which part of the feature map is a box's."""

    # The frame's edges lie on the middles of the outermost cells (`tf.image.crop_and_resize`).
    OBJECT_DETECTION_API = "OBJECT_DETECTION_API"
    # The cells that look there, interpolated; beyond the outermost cells, these. (Of either, what
    # lies outside the frame is 0, as of `crop_and_resize`: boxes are clipped before.)
    ALIGNED = "ALIGNED"


class RoiPool(tf_keras.layers.Layer):
    """Bilinear crop and resize, from edge to edge of the box, then max pool.

    `tf.image.crop_and_resize` knows no bfloat16, so all is done in float32 and cast back.
    """

    def __init__(
        self,
        crop_size: int,
        pool_size: int,
        pool_stride: int,
        alignment: RoiAlignment = RoiAlignment.OBJECT_DETECTION_API,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.crop_size = crop_size
        self.pool_size = pool_size
        self.pool_stride = pool_stride
        self.alignment = alignment
        self.output_size = (crop_size - pool_size) // pool_stride + 1

    def call(
        self,
        features: tf.Tensor,
        boxes: tf.Tensor,
        positions: CellPositions | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Cells [B, R, h, w, C] of the boxes.

        Args:
          features: [B, H', W', C] of one frame.
          boxes: [B, R, 4] float32, normalised. No gradient goes through them.
          positions: where the features' cells look; needed if ALIGNED.
          training: whether the gradient is wanted: then all boxes at once.
        """
        batch, count = tf.shape(boxes)[0], tf.shape(boxes)[1]
        frame_index = tf.repeat(tf.range(batch), count)
        cells = self.pool(features, tf.reshape(boxes, [-1, 4]), frame_index, positions, training)
        shape = [batch, count, self.output_size, self.output_size, features.shape[-1]]
        return tf.reshape(cells, shape)

    def pool(
        self,
        features: tf.Tensor,
        boxes: tf.Tensor,
        frame_index: tf.Tensor,
        positions: CellPositions | None = None,
        training: bool | None = True,
    ) -> tf.Tensor:
        """Cells [N, h, w, C] of boxes [N, 4], box i in frame `frame_index[i]` of `features`."""
        boxes, dtype = tf.stop_gradient(boxes), features.dtype
        if self.alignment is RoiAlignment.ALIGNED:
            if positions is None:
                raise ValueError("ALIGNED crops need to know where the cells look; got None")
            features, boxes = _aligned(features, boxes, positions)
        else:
            features, boxes = _with_last_edge(features, boxes)
        features = tf.cast(features, tf.float32)

        def at_once() -> tf.Tensor:
            return tf.cast(self._pool(features, boxes, frame_index), dtype)

        def in_parts() -> tf.Tensor:
            count = tf.shape(boxes)[0]
            num_parts = -(-count // _BOXES_AT_A_TIME)
            missing = num_parts * _BOXES_AT_A_TIME - count
            parts = (
                tf.reshape(tf.pad(boxes, [[0, missing], [0, 0]]), [-1, _BOXES_AT_A_TIME, 4]),
                tf.reshape(tf.pad(frame_index, [[0, missing]]), [-1, _BOXES_AT_A_TIME]),
            )
            cells = tf.map_fn(
                tf.autograph.experimental.do_not_convert(
                    lambda part: tf.cast(self._pool(features, *part), dtype)
                ),
                parts,
                fn_output_signature=dtype,
                parallel_iterations=1,
            )
            size = self.output_size
            return tf.reshape(cells, [-1, size, size, features.shape[-1]])[:count]

        def portable() -> tf.Tensor:
            others, moved = _of_another_size(features, boxes, self.crop_size)
            return tf.cast(self._pool(others, moved, frame_index), dtype)

        if training:
            return at_once()
        return by_device(on_cpu=in_parts, elsewhere=at_once, portable=portable)

    def _pool(self, features, boxes, frame_index):
        crops = tf.image.crop_and_resize(
            features, boxes, frame_index, [self.crop_size, self.crop_size]
        )  # [N, crop, crop, C]
        return tf.nn.max_pool2d(crops, self.pool_size, self.pool_stride, "VALID")


def _with_last_edge(features, boxes):
    """Features whose last row and column are there twice; and the boxes as they lie there.

    `crop_and_resize` takes 0 for what lies past the last cell, and whether the last sample of a box
    that ends at the frame's edge does is a matter of rounding, which differs between processors
    and runtimes (ONNX Runtime's crops differed in a whole row).
    """
    size = tf.cast(tf.shape(features)[1:3], tf.float32)
    features = tf.pad(features, [[0, 0], [0, 1], [0, 1], [0, 0]], "SYMMETRIC")
    return features, boxes * tf.tile((size - 1.0) / size, [2])


def _of_another_size(features, boxes, size):
    """Features without an axis of `size` cells, by one that no box sees; and the boxes there.

    Along an axis whose size stays as it is ONNX Runtime's Resize takes all of it for any box.
    """
    sizes = tf.shape(features)[1:3]
    more = tf.cast(tf.equal(sizes, size), sizes.dtype)
    features = tf.pad(features, tf.stack([[0, 0], [0, more[0]], [0, more[1]], [0, 0]]))
    last = tf.cast(sizes - 1, tf.float32)
    return features, boxes * tf.tile(last / (last + tf.cast(more, tf.float32)), [2])


def _aligned(features, boxes, positions):
    """Features with one more cell at each edge, the same as its neighbour; and the boxes as
    `crop_and_resize` wants them there."""
    edges = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    last = tf.cast(tf.shape(edges)[1:3] - 1, tf.float32)  # number of the outermost cell, from 0
    cells = cell_positions.as_cells(boxes, positions) + 1.0
    return edges, cells / tf.concat([last, last], axis=0)
