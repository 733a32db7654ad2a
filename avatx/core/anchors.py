"""Grid anchors, as the Object Detection API's `grid_anchor_generator`.

Model Garden's anchor generators are multi-level and want the image size when they are built; a
detector that runs at any H x W needs the grid of the feature map that it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class GridAnchorGenerator:
    """The same `len(scales) * len(aspect_ratios)` anchors at each feature cell.

    Attributes:
      scales: factors on the sides of the base anchor.
      aspect_ratios: width over height; the area stays that of the scale.
      base_size: height and width of the base anchor, in pixels.
      stride: distance between neighbouring centres, in pixels.
      offset: centre of the first anchor, in pixels.
    """

    scales: Sequence[float]
    aspect_ratios: Sequence[float]
    base_size: tuple[float, float]
    stride: tuple[float, float]
    offset: tuple[float, float]

    @property
    def anchors_per_cell(self) -> int:
        return len(self.scales) * len(self.aspect_ratios)

    def __call__(self, grid_size, image_size) -> tf.Tensor:
        """Anchors [H' * W' * anchors_per_cell, 4], normalised, in the order of the cells.

        Args:
          grid_size: (H', W') feature cells, ints or scalar tensors.
          image_size: (H, W) of the frames, pixels, ints or scalar tensors.
        """
        sides = tf.constant(
            [
                (scale / ratio**0.5 * self.base_size[0], scale * ratio**0.5 * self.base_size[1])
                for ratio in self.aspect_ratios
                for scale in self.scales
            ],
            tf.float32,
        )  # [K, 2]
        y, x = (
            tf.cast(tf.range(cells), tf.float32) * stride + offset
            for cells, stride, offset in zip(grid_size, self.stride, self.offset, strict=True)
        )
        centers = tf.stack(tf.meshgrid(y, x, indexing="ij"), axis=-1)  # [H', W', 2]
        centers = tf.reshape(centers, [-1, 1, 2])
        boxes = tf.concat([centers - sides / 2, centers + sides / 2], axis=-1)  # [H'*W', K, 4]
        height, width = (tf.cast(side, tf.float32) for side in image_size)
        return tf.reshape(boxes, [-1, 4]) / tf.stack([height, width, height, width])
