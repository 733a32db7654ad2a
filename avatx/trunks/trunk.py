"""The contract every trunk keeps: clips in, a grid of spatio-temporal features out.

The paper's Section 3 calls the network below the heads the trunk: the first layers of I3D. A
new trunk is one file with one subclass, one message in the config's oneof, one builder line.
"""

import abc
from typing import Optional, Tuple

import tensorflow as tf
import tf_keras


class Trunk(tf_keras.Model, abc.ABC):
    """A feature extractor over clips of any length and size."""

    @abc.abstractmethod
    def call(self, clips: tf.Tensor, training: Optional[bool] = None) -> tf.Tensor:
        """Extracts features.

        Args:
          clips: [B, T, H, W, 3] float32, RGB in [-1, 1]. B, T, H and W may be unknown while
            the graph is built.
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
    def output_stride(self) -> Tuple[int, int, int]:
        """Input cells to one output cell: (time, height, width)."""

    @property
    @abc.abstractmethod
    def output_depth(self) -> int:
        """Channels of a feature cell."""
