"""Key embeddings as colours: a 3-D principal component projection (paper, figure 4).

One projection is fitted over all cells of a clip, so that a colour means the same in every frame:
cells of the same colour are alike to the head.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from avatx.core.cell_view import CellView

# The colour scale ends here, so that one odd cell does not make all others grey.
_PERCENTILES = (2.0, 98.0)


class Projection(NamedTuple):
    """From vectors to colours."""

    mean: np.ndarray  # [D]
    axes: np.ndarray  # [3, D], orthonormal (0 where D < 3), by descending variance
    low: np.ndarray  # [3], what becomes 0
    high: np.ndarray  # [3], what becomes 255
    explained: float  # share of the variance that the three axes hold

    def coordinates(self, vectors: np.ndarray) -> np.ndarray:
        """[..., D] -> [..., 3] along the axes."""
        return (np.asarray(vectors, np.float64) - self.mean) @ self.axes.T

    def colours(self, vectors: np.ndarray) -> np.ndarray:
        """[..., D] -> [..., 3] uint8 RGB."""
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        relative = (self.coordinates(vectors) - self.low) / span
        return np.rint(255 * np.clip(relative, 0, 1)).astype(np.uint8)


def fit_projection(vectors: np.ndarray) -> Projection:
    """Principal components of vectors [..., D] and the range of their coordinates.

    The sign of an axis is chosen so that its largest entry is positive: the colours are the
    same at every run.
    """
    vectors = np.asarray(vectors, np.float64).reshape(-1, np.shape(vectors)[-1])
    mean = vectors.mean(axis=0)
    _, singular, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    total = float(np.sum(singular**2))
    count = min(3, len(axes))
    kept = np.zeros([3, vectors.shape[1]])
    kept[:count] = axes[:count]
    largest = np.argmax(np.abs(kept), axis=1)
    kept *= np.where(kept[np.arange(3), largest] < 0, -1.0, 1.0)[:, np.newaxis]
    coordinates = (vectors - mean) @ kept.T
    low, high = np.percentile(coordinates, _PERCENTILES, axis=0)
    explained = float(np.sum(singular[:3] ** 2) / total) if total > 0 else 1.0
    return Projection(mean, kept, low, high, explained)


def paint(
    frame: np.ndarray, colours: np.ndarray, cells: CellView, shade: float = 0.5
) -> np.ndarray:
    """A frame in the colours of its cells.

    Args:
      frame: [H, W, 3] uint8.
      colours: [H', W', 3] uint8, spread smoothly over the frame.
      cells: where they look.
      shade: how much of the frame's light and dark shows through, in [0, 1].

    Returns:
      [H, W, 3] uint8.
    """
    spread = cells.spread(colours, *frame.shape[:2])
    grey = frame.mean(axis=-1, keepdims=True) / 255
    light = 1 - shade + shade * grey
    return np.rint(spread * light).astype(np.uint8)


def unit_colours(keys: Sequence[np.ndarray] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every unit's cells in the colours of its own projection.

    Args:
      keys: a layer each, [heads, T', H', W', D].

    Returns:
      [layers, heads, T', H', W', 3] uint8, and the share of variance shown, [layers, heads].
    """
    colours, explained = [], []
    for layer in keys:
        projections = [fit_projection(head) for head in layer]
        colours.append([p.colours(head) for p, head in zip(projections, layer, strict=True)])
        explained.append([p.explained for p in projections])
    return np.array(colours, np.uint8), np.array(explained)
