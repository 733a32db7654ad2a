"""The contract every trunk keeps: clips in, a grid of spatio-temporal features out.

The paper's Section 3 calls the network below the heads the trunk: the first layers of I3D. A
new trunk is one file with one subclass, one message in the config's oneof, one line in the
builder's table.
"""

import abc
import math

import tensorflow as tf
import tf_keras

from avatx.core.cell_positions import Window, cell_positions
from avatx.core.structures import CellPositions


class Trunk(tf_keras.Model, abc.ABC):
    """A feature extractor over clips of any length and size.

    Args:
      input_channels: 3 for RGB, 2 for optical flow, 5 for both (`TwoStream`).
    """

    def __init__(self, *, input_channels: int = 3, **kwargs):
        super().__init__(**kwargs)
        self.input_channels = input_channels

    @abc.abstractmethod
    def call(self, clips: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Extracts features.

        Args:
          clips: [B, T, H, W, input_channels] float32 in [-1, 1], RGB unless the trunk says
            otherwise. B, T, H and W may be unknown while the graph is built.
          training: whether dropout is on and batch norm follows its training behaviour.

        Returns:
          [B, T', H', W', C] in the layer's compute dtype, with T' = ceil(T / output_stride[0])
          and likewise for H' and W', C = output_depth.
        """

    @abc.abstractmethod
    def build_tail(self) -> tf_keras.layers.Layer:
        """Makes a new layer of the blocks cut off behind `call`, without their stride.

        It maps [N, T', H, W, output_depth] to [N, T', H, W, its own output_depth], so that a
        head can run it on the features of each region. Its variables are new at every call.

        Raises:
          UserError: nothing is cut off, or what is cut off cannot be run without a stride.
        """

    @property
    @abc.abstractmethod
    def strided_windows(self) -> tuple[Window, ...]:
        """Kernel and stride of every layer of `call` that has a stride, from the clip on. All are
        SAME padded, and the others do not move where a cell looks (odd kernels)."""

    @property
    def output_stride(self) -> tuple[int, int, int]:
        """Input cells to one output cell: (time, height, width)."""
        strides = [window.stride for window in self.strided_windows]
        time, height, width = (math.prod(axis) for axis in zip(*strides, strict=True))
        return time, height, width

    def cell_positions(self, clip_size) -> CellPositions:
        """Where the cells of `call` look in a clip of (T, H, W), ints or scalar tensors."""
        return cell_positions(self.strided_windows, clip_size)

    @property
    @abc.abstractmethod
    def output_depth(self) -> int:
        """Channels of a feature cell."""

    @property
    def streams(self) -> dict[str, "Trunk"]:
        """The networks that it consists of and that are pre-trained one by one, by name. None,
        unless a trunk says otherwise: then it is one network itself."""
        return {}

    def before_tail(self, features: tf.Tensor) -> tf.Tensor:
        """What a classifier does between this trunk and its tail: the strides that a head's tail
        leaves out. Nothing, unless a trunk says otherwise."""
        return features

    def average(self, features: tf.Tensor) -> tf.Tensor:
        """Features of a whole clip [B, T', H', W', C] -> [B, C] float32, as a classifier pools
        them: the mean, unless a trunk says otherwise."""
        return tf.reduce_mean(tf.cast(features, tf.float32), [1, 2, 3])
