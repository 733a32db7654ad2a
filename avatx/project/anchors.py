"""Anchors that fit given boxes: k-means with the distance 1 - IoU, as YOLO9000 (section 2) has it.

There any k boxes may be the centres; the config's anchors are every scale with every aspect ratio,
so here the centres are held to such a grid. That leaves fewer numbers to fit and to explain.
"""

from typing import NamedTuple

import numpy as np

_GOOD_ENOUGH = 0.8  # mean IoU of a box with the best anchor near it
_MATCHED = 0.5  # IoU that 95 of 100 boxes are to have
_GAIN = 0.01  # that one more scale or ratio has to bring
_MAX_SCALES, _MAX_RATIOS = 5, 4
_MAX_BOXES = 20_000


class Anchors(NamedTuple):
    """Attributes:
    scales: square root of the area, pixels, rising.
    aspect_ratios: width over height, rising.
    mean_iou: of a box with the best of the anchors nearest to it.
    lowest_iou: what 95 of 100 boxes reach at least.
    """

    scales: tuple[float, ...]
    aspect_ratios: tuple[float, ...]
    mean_iou: float
    lowest_iou: float

    @property
    def sides(self) -> np.ndarray:
        """[K, 2] height and width of each, pixels."""
        return _grid(np.array(self.scales), np.array(self.aspect_ratios))


def iou_with(sides: np.ndarray, apart: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """IoU of boxes and anchors.

    Args:
      sides: [N, 2] height and width of the boxes.
      apart: [N, 2] how far a box's centre is from the anchors', y and x.
      anchors: [K, 2] height and width.

    Returns:
      [N, K].
    """
    reach = (sides[:, None] + anchors[None]) / 2 - apart[:, None]
    overlap = np.minimum(np.minimum(sides[:, None], anchors[None]), np.maximum(reach, 0))
    overlap = overlap.prod(axis=-1)
    union = sides.prod(axis=-1)[:, None] + anchors.prod(axis=-1)[None] - overlap
    return overlap / union


def fit_anchors(sides: np.ndarray, apart: np.ndarray | None = None) -> Anchors:
    """The fewest anchors that fit the boxes well.

    Args:
      sides: [N, 2] height and width in pixels, above 0.
      apart: [N, 2] pixels from a box's centre to that of the nearest anchors, y and x: small boxes
        on a coarse grid want other anchors; by default 0.
    """
    apart = np.zeros_like(sides) if apart is None else apart
    if len(sides) > _MAX_BOXES:
        kept = np.linspace(0, len(sides) - 1, _MAX_BOXES).astype(int)
        sides, apart = sides[kept], apart[kept]
    counts = (1, 1)
    best = _fit(sides, apart, *counts)
    while best.mean_iou < _GOOD_ENOUGH or best.lowest_iou < _MATCHED:
        tried = {
            grown: _fit(sides, apart, *grown)
            for grown in ((counts[0] + 1, counts[1]), (counts[0], counts[1] + 1))
            if grown[0] <= _MAX_SCALES and grown[1] <= _MAX_RATIOS
        }
        if not tried:
            break
        grown = max(tried, key=lambda one: tried[one].mean_iou)
        if tried[grown].mean_iou < best.mean_iou + _GAIN:
            break
        counts, best = grown, tried[grown]
    return best


def _fit(sides: np.ndarray, apart: np.ndarray, num_scales: int, num_ratios: int) -> Anchors:
    size = np.sqrt(sides.prod(axis=-1))
    ratio = sides[:, 1] / sides[:, 0]
    scales, ratios = _begin(size, num_scales), _begin(ratio, num_ratios)
    best = _scored(sides, apart, scales, ratios)
    for _ in range(30):
        nearest = iou_with(sides, apart, _grid(scales, ratios)).argmax(axis=1)
        of_scale, of_ratio = np.divmod(nearest, num_ratios)
        scales = _medians(size, of_scale, scales)
        ratios = _medians(ratio, of_ratio, ratios)
        found = _scored(sides, apart, scales, ratios)
        if found.mean_iou <= best.mean_iou:
            break
        best = found
    return best


def _begin(values: np.ndarray, number: int) -> np.ndarray:
    """Centres to begin with, evenly apart by factors, so that a few large boxes have theirs."""
    if number == 1:
        return np.array([np.median(values)])
    low, high = np.quantile(values, (0.02, 0.98))
    return np.geomspace(low, high, number)


def _grid(scales: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """[S * A, 2] height and width; the ratio changes fastest."""
    scale, ratio = (one.ravel() for one in np.meshgrid(scales, ratios, indexing="ij"))
    return np.stack([scale / np.sqrt(ratio), scale * np.sqrt(ratio)], axis=-1)


def _medians(values: np.ndarray, groups: np.ndarray, before: np.ndarray) -> np.ndarray:
    return np.array(
        [
            np.median(values[groups == group]) if (groups == group).any() else before[group]
            for group in range(len(before))
        ]
    )


def _scored(
    sides: np.ndarray, apart: np.ndarray, scales: np.ndarray, ratios: np.ndarray
) -> Anchors:
    iou = iou_with(sides, apart, _grid(scales, ratios)).max(axis=1)
    return Anchors(
        tuple(sorted(scales.tolist())),
        tuple(sorted(ratios.tolist())),
        float(iou.mean()),
        float(np.quantile(iou, 0.05)),
    )
