"""Grid anchors, as the Object Detection API's `grid_anchor_generator`.

Model Garden's anchor generators are multi-level and want the image size when they are built; a
detector that runs at any H x W needs the grid of the feature map that it is given.

The Object Detection API puts anchor i at `offset + i * stride`, from 0 by default, whatever the
cell that classifies it looks at: with I3D that is 15.5 pixels further on. The shift is the same for
all cells, so that the regression can learn it, but the cell sees less of its anchor's people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import tensorflow as tf

from avatx.core.structures import CellPositions


class AnchorPlacement(Enum):
    """Where the centres of the anchors are."""

    OFFSET_AND_STRIDE = "OFFSET_AND_STRIDE"
    WHERE_CELLS_LOOK = "WHERE_CELLS_LOOK"


@dataclass(frozen=True)
class GridAnchorGenerator:
    """The same `len(scales) * len(aspect_ratios)` anchors at each feature cell.

    Attributes:
      scales: factors on the sides of the base anchor.
      aspect_ratios: width over height; the area stays that of the scale.
      base_size: height and width of the base anchor, in pixels.
      stride: distance between neighbouring centres, in pixels.
      offset: centre of the first anchor, in pixels.
      placement: whether stride and offset say where the centres are, or the cells.
    """

    scales: Sequence[float]
    aspect_ratios: Sequence[float]
    base_size: tuple[float, float]
    stride: tuple[float, float]
    offset: tuple[float, float]
    placement: AnchorPlacement = AnchorPlacement.OFFSET_AND_STRIDE

    @property
    def anchors_per_cell(self) -> int:
        return len(self.scales) * len(self.aspect_ratios)

    def __call__(self, grid_size, image_size, positions: CellPositions | None = None) -> tf.Tensor:
        """Anchors [H' * W' * anchors_per_cell, 4], normalised, in the order of the cells.

        Args:
          grid_size: (H', W') feature cells, ints or scalar tensors.
          image_size: (H, W) of the frames, pixels, ints or scalar tensors.
          positions: where the cells look; needed if WHERE_CELLS_LOOK.
        """
        first, strides = self.offset, self.stride
        if self.placement is AnchorPlacement.WHERE_CELLS_LOOK:
            if positions is None:
                raise ValueError("placement WHERE_CELLS_LOOK needs positions; got None")
            # The middle of pixel p is at p + 0.5.
            first = tf.unstack(positions.first[1:] + 0.5)
            strides = tf.unstack(positions.stride[1:])
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
            for cells, stride, offset in zip(grid_size, strides, first, strict=True)
        )
        centers = tf.stack(tf.meshgrid(y, x, indexing="ij"), axis=-1)  # [H', W', 2]
        centers = tf.reshape(centers, [-1, 1, 2])
        boxes = tf.concat([centers - sides / 2, centers + sides / 2], axis=-1)  # [H'*W', K, 4]
        height, width = (tf.cast(side, tf.float32) for side in image_size)
        return tf.reshape(boxes, [-1, 4]) / tf.stack([height, width, height, width])
