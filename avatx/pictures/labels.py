"""Where labels go on a picture of people: beside their boxes, off heads, off each other."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Rectangle = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels
Line = tuple[float, float, float, float]  # from x1, y1 to x2, y2

HEAD = 1 / 3  # of a box's height, from the top: where a head is
# Costs, in shares of the label's area or, of distances, of the picture's diagonal.
_ON_HEAD, _ON_OTHERS, _ON_OWN, _FAR = 50.0, 1.5, 1.0, 4.0
_BY_ANOTHER = 0.15  # a place that touches somebody else's box, too
_LESS_LIKED = 0.004  # of a place after another: above, below, right, left


class PlacedLabel(NamedTuple):
    """The label of one person."""

    rectangle: Rectangle
    num_rows: int  # how many of its lines it has; fewer where it is crowded
    leader: Line | None  # into its box, where it does not touch that or touches another's, too


def place_labels(
    boxes: Sequence[Rectangle],
    row_widths: Sequence[Sequence[float]],
    row_height: float,
    size: tuple[int, int],
) -> list[PlacedLabel | None]:
    """A place for each person's label, the first person's first.

    Always whole within the picture, and no two on each other. Where there is room none lies on
    a head (the upper third of any box), and it lies on people as little as may be: a label that
    is away from its box, or at another's, gets a line to it. Where there is none it loses lines
    from the bottom, then it may lie on heads, and where even one line would lie on another label
    it is left out.

    Args:
      boxes: of all people.
      row_widths: of each person the widths of its lines, in pixels; none for no label.
      row_height: pixels.
      size: height and width of the picture.
    """
    placed: list[PlacedLabel | None] = []
    taken: list[Rectangle] = []
    everybody = np.array(boxes, np.float64).reshape(-1, 4)
    for index, widths in enumerate(row_widths):
        label = _place(everybody, index, widths, row_height, size, taken)
        placed.append(label)
        if label is not None:
            taken.append(label.rectangle)
    return placed


def _place(boxes, index, widths, row_height, size, taken) -> PlacedLabel | None:
    for on_heads in (False, True):
        for num_rows in range(len(widths), 0, -1):
            width, height = max(widths[:num_rows]), row_height * num_rows
            rectangles, less_liked = _candidates(boxes[index], width, height, row_height, size)
            if not len(rectangles):  # larger than the picture
                continue
            area = width * height
            heads = boxes.copy()
            heads[:, 3] = boxes[:, 1] + HEAD * (boxes[:, 3] - boxes[:, 1])
            on_head = _shared(rectangles, heads).sum(axis=1)
            free = _shared(rectangles, np.array(taken).reshape(-1, 4)).sum(axis=1) <= 0
            if not on_heads:
                free &= on_head <= 0
            if not free.any():
                continue
            on = _shared(rectangles, boxes)
            own = on[:, index]
            pixels = np.maximum(_distance(rectangles, boxes[index : index + 1])[:, 0] - 1, 0)
            far = pixels / np.hypot(*size)
            others = np.delete(boxes, index, axis=0)
            by_another = (_distance(rectangles, others) < row_height / 2).any(axis=1)
            cost = (
                (_ON_HEAD * on_head + _ON_OTHERS * (on.sum(axis=1) - own) + _ON_OWN * own) / area
                + _FAR * far
                + _BY_ANOTHER * by_another
                + less_liked
            )
            best = int(np.argmin(np.where(free, cost, np.inf)))
            left, top, right, bottom = map(float, rectangles[best])
            rectangle = (left, top, right, bottom)
            touches = pixels[best] < row_height / 2
            clear = touches and not by_another[best]
            return PlacedLabel(
                rectangle, num_rows, None if clear else _leader(rectangle, boxes[index])
            )
    return None


def _candidates(box, width, height, row_height, size):
    """Places within the picture, [N, 4], and how much less liked each is than the first, [N]."""
    picture_height, picture_width = size
    x1, y1, x2, y2 = box
    beside = [
        (x1, y1 - height),
        (x2 - width, y1 - height),
        (x1, y2 + 1),
        (x2 + 1, y1),
        (x1 - width, y1),
        (x2 + 1, y2 - height),
        (x1 - width, y2 - height),
    ]
    highest, widest = picture_height - height, picture_width - width
    if highest < 0 or widest < 0:
        return np.zeros([0, 4]), np.zeros([0])
    step = max(2.0, row_height / 2)
    xs, ys = (
        np.append(np.arange(0, widest, step), widest),
        np.append(np.arange(0, highest, step), highest),
    )
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    corners = np.concatenate([np.clip(beside, 0, [widest, highest]), grid])
    less_liked = np.full(len(corners), _LESS_LIKED * len(beside))
    less_liked[: len(beside)] = _LESS_LIKED * np.arange(len(beside))
    return np.concatenate([corners, corners + [width, height]], axis=1), less_liked


def _shared(rectangles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[N, 4] and [M, 4] -> the area that each two share, [N, M]."""
    a, b = rectangles[:, np.newaxis], others[np.newaxis]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.prod(np.maximum(sides, 0), axis=-1)


def _distance(rectangles: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Pixels between each rectangle and each box, [N, M]; 0 where they touch."""
    a, b = rectangles[:, np.newaxis], boxes[np.newaxis]
    gaps = np.maximum(a[..., :2] - b[..., 2:], b[..., :2] - a[..., 2:])
    return np.linalg.norm(np.maximum(gaps, 0), axis=-1)


def _leader(label: Rectangle, box: np.ndarray) -> Line:
    """From the label's edge to a place well inside the box, below its head."""
    x1, y1, x2, y2 = box
    inner = [x1 + (x2 - x1) / 4, y1 + HEAD * (y2 - y1)], [x2 - (x2 - x1) / 4, y2 - (y2 - y1) / 4]
    start = np.clip([(x1 + x2) / 2, (y1 + y2) / 2], label[:2], label[2:])
    end = np.clip(start, *inner)
    return float(start[0]), float(start[1]), float(end[0]), float(end[1])
