"""Where feature cells look, in NumPy: which part of a frame, and which frame, a cell is shown on.

`core.cell_positions` says why that is not the middle of a cell's stride.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class CellView(NamedTuple):
    """Where cells look in a clip, along (time, height, width): a `CellPositions` as arrays.

    Cell i looks at frame, row and column `first + i * stride` of a clip of `size`, counted from 0.
    The frames that are drawn may have another size than those that the model sees: a place is
    the same fraction of both.
    """

    first: np.ndarray  # [3] frames and pixels
    stride: np.ndarray  # [3] likewise
    size: np.ndarray  # [3] T, H, W of the clip

    @classmethod
    def of(cls, positions: Sequence[Any]) -> "CellView":
        """From first, stride and size: the tensors of a `CellPositions`, or an array [3, 3]."""
        return cls(*(np.asarray(part, np.float64) for part in positions))

    def frame(self, cell: int) -> int:
        """The frame at which feature cell `cell` looks."""
        looks = self.first[0] + cell * self.stride[0]
        return int(np.clip(np.floor(looks + 0.5), 0, self.size[0] - 1))

    def cell(self, frame: int, num_cells: int) -> int:
        """Which of T' cells looks nearest to a frame; the earlier one on a tie."""
        looks = self.first[0] + np.arange(num_cells) * self.stride[0]
        return int(np.argmin(np.abs(looks - frame)))

    def spread(self, cells: np.ndarray, height: int, width: int) -> np.ndarray:
        """Cells [H', W'] or [H', W', 3], smoothly over a frame: [height, width(, 3)] float64.

        A place gets the values of the cells that look around it, interpolated linearly; beyond
        the outermost ones, theirs.
        """
        spread = np.asarray(cells, np.float64)
        for axis, length in enumerate((height, width)):
            # Pixel p of n is at (p + 0.5) / n of the frame, in the picture and in the clip.
            pixels = (np.arange(length) + 0.5) / length * self.size[axis + 1] - 0.5
            count = spread.shape[axis]
            place = np.clip((pixels - self.first[axis + 1]) / self.stride[axis + 1], 0, count - 1)
            before = np.minimum(place.astype(int), max(count - 2, 0))
            after = np.minimum(before + 1, count - 1)
            part = (place - before).reshape([-1 if i == axis else 1 for i in range(spread.ndim)])
            spread = (1 - part) * spread.take(before, axis) + part * spread.take(after, axis)
        return spread

    def inside(self, box: np.ndarray, num_rows: int, num_columns: int) -> np.ndarray:
        """Which part of the frame is both in a box and nearest to each cell.

        Args:
          box: [4] yxyx, normalised; what is outside of the frame is nobody's.
          num_rows: H'.
          num_columns: W'.

        Returns:
          [H', W'] float64 as fractions of the frame, which sum to the box's area. Of the whole
          frame these are the cells' own areas.
        """
        rows, columns = (
            self._overlaps(axis, count, float(box[axis - 1]), float(box[axis + 1]))
            for axis, count in ((1, num_rows), (2, num_columns))
        )
        return np.outer(rows, columns)

    def _overlaps(self, axis: int, count: int, low: float, high: float) -> np.ndarray:
        """[count]: how much of [low, high], in fractions of the axis, is nearest to each cell."""
        looks = self.first[axis] + np.arange(count) * self.stride[axis]
        places = (looks + 0.5) / self.size[axis]
        edges = np.concatenate([[0.0], (places[:-1] + places[1:]) / 2, [1.0]]).clip(0, 1)
        return np.diff(np.clip(edges, np.clip(low, 0, 1), np.clip(high, 0, 1)))


def evenly(num_cells: tuple[int, int, int], num_frames: int) -> CellView:
    """Of cells of which nothing is known: each looks at the middle of its share of the clip.

    Args:
      num_cells: (T', H', W').
      num_frames: T.
    """
    size = np.array([num_frames, *num_cells[1:]], np.float64)
    stride = size / np.array(num_cells)
    return CellView(stride / 2 - 0.5, stride, size)
