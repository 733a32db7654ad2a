"""Rows of a csv that cannot be right, counted and named in one sentence at any mAP.

They do not change the score: the official evaluator reads them, and so does ours, by its rules.
"""

from collections.abc import Callable

import numpy as np

from avatx.data.annotations.ava_csv_writer import format_timestamp
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import shortened
from avatx.ordered_threads import in_threads

_LOOKED_AT_ONCE = 1 << 16  # rows, to stay in the processor's cache
_ROUNDING = 1e-6  # of float32 boxes that end at the border of the frame


def impossible_rows(table: AvaTable, label_map: LabelMap, name: str) -> list[str]:
    """What cannot be right in a table; no sentence where all may be.

    Args:
      table: annotations or detections. Annotations of classes outside the label map are none of
        this: AVA's hold 80 classes, of which 60 are scored.
      label_map: the classes that are evaluated.
      name: of the table, as "detections" or its path.
    """
    known = np.fromiter(label_map.names, np.int64)
    whole = table.score is not None and _all_whole(table.score)

    def kinds(begin: int) -> np.ndarray | None:
        block = slice(begin, begin + _LOOKED_AT_ONCE)
        score = None if table.score is None else table.score[block]
        rows = _kinds(table.boxes[block], table.class_id[block], score, known, whole)
        return rows if rows.any() else None  # nearly always none, so nothing is held

    begins = range(0, len(table), _LOOKED_AT_ONCE)
    found = {at: block for at, block in in_threads(kinds, begins) if block is not None}
    if not found:
        return []
    of_kind = np.zeros((len(_WORDS), len(table)), bool)
    for begin, block in found.items():
        of_kind[:, begin : begin + _LOOKED_AT_ONCE] = block
    parts = [
        f"{np.count_nonzero(rows)} {words(table, rows)}"
        for words, rows in zip(_WORDS, of_kind, strict=True)
        if rows.any()
    ]
    wrong = of_kind.any(axis=0)
    video, seconds = table.moment(int(np.argmax(wrong)))
    return [
        f"{name}: {np.count_nonzero(wrong)} of {len(table)} rows cannot be right: "
        f"{'; '.join(parts)}; the first is at {shortened(video, 80)},{format_timestamp(seconds)}"
    ]


def _kinds(boxes, class_id, score, known: np.ndarray, whole: bool) -> np.ndarray:
    """[kinds, n] bool, which of some rows are of each kind of `_WORDS`.

    Args:
      boxes: [n, 4] float64.
      class_id: [n] int32.
      score: [n] float64, None of annotations.
      known: ids of the label map.
      whole: all scores of the table are whole numbers.
    """
    low = class_id < 1
    y1, x1, y2, x2 = boxes.T
    finite = np.isfinite(y1) & np.isfinite(x1) & np.isfinite(y2) & np.isfinite(x2)
    lowest = np.minimum(np.minimum(y1, x1), np.minimum(y2, x2))
    highest = np.maximum(np.maximum(y1, x1), np.maximum(y2, x2))
    no = np.zeros(len(class_id), bool)
    return np.stack(
        [
            low,
            no if score is None else ~low & ~np.isin(class_id, known),
            no if score is None else ~np.isfinite(score),
            # Scores may be of any range; whole numbers, all of them, are hardly any.
            (score > 1) if whole else no,
            ~finite,
            finite & ((y1 >= y2) | (x1 >= x2)),
            finite & ((lowest < -_ROUNDING) | (highest > 1 + _ROUNDING)),
        ]
    )


# What is said of the rows of each kind after their number.
_WORDS: tuple[Callable[[AvaTable, np.ndarray], str], ...] = (
    lambda table, rows: (
        f"of class {_classes(table, rows)}, where ids begin at 1 (are all ids too low by "
        f"{1 - int(table.class_id.min())}?)"
    ),
    lambda table, rows: f"of classes that the label map lacks ({_classes(table, rows)})",
    lambda table, rows: "with a score that is no finite number",
    lambda table, rows: (
        "with a score above 1, and all scores are whole numbers (are these annotations, "
        "whose eighth column is a person's number?)"
    ),
    lambda table, rows: "with a coordinate that is no finite number",
    lambda table, rows: "with a box inverted or without area",
    lambda table, rows: (
        f"with a box outside of the frame (coordinates from {table.boxes[rows].min():g} to "
        f"{table.boxes[rows].max():g}, expected 0 to 1)"
    ),
)


def _classes(table: AvaTable, rows: np.ndarray) -> str:
    ids = np.unique(table.class_id[rows])
    return ", ".join(map(str, ids[:5])) + (", ..." if len(ids) > 5 else "")


def _all_whole(scores: np.ndarray) -> bool:
    """Whether all are whole numbers; the first few nearly always tell."""
    return all(bool((part == np.round(part)).all()) for part in (scores[:1000], scores))
