"""Rows of a csv that cannot be right, counted and named in one sentence at any mAP.

They do not change the score: the official evaluator reads them, and so does ours, by its rules.
"""

from collections.abc import Iterator

import numpy as np

from avatx.data.annotations.ava_csv_writer import format_timestamp
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import shortened

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
    some_at_once = (
        table.select(slice(begin, begin + _LOOKED_AT_ONCE))
        for begin in range(0, len(table), _LOOKED_AT_ONCE)
    )
    if not any(rows.any() for part in some_at_once for rows, _ in _kinds(part, label_map)):
        return []  # nearly always, and without masks of a whole table
    wrong = np.zeros(len(table), bool)
    parts = []
    for rows, words in _kinds(table, label_map):
        if rows.any():
            parts.append(f"{np.count_nonzero(rows)} {words(rows)}")
            wrong |= rows
    if not parts:  # what some rows look like by themselves, all of them may not
        return []
    video, seconds = table.moment(int(np.flatnonzero(wrong)[0]))
    return [
        f"{name}: {np.count_nonzero(wrong)} of {len(table)} rows cannot be right: "
        f"{'; '.join(parts)}; the first is at {shortened(video, 80)},{format_timestamp(seconds)}"
    ]


def _kinds(table: AvaTable, label_map: LabelMap) -> Iterator[tuple]:
    """([N] bool, what is said of the marked rows after their number)."""
    class_id, scores = table.class_id, table.score  # annotations have no scores

    def classes(rows: np.ndarray) -> str:
        ids = np.unique(class_id[rows])
        return ", ".join(map(str, ids[:5])) + (", ..." if len(ids) > 5 else "")

    low = class_id < 1
    yield (
        low,
        lambda rows: (
            f"of class {classes(rows)}, where ids begin at 1 (are all ids too low by "
            f"{1 - int(class_id.min())}?)"
        ),
    )
    if scores is not None:
        yield (
            ~low & ~np.isin(class_id, np.fromiter(label_map.names, np.int64)),
            lambda rows: f"of classes that the label map lacks ({classes(rows)})",
        )
        yield ~np.isfinite(scores), lambda rows: "with a score that is no finite number"
        # Scores may be of any range; whole numbers, all of them, are hardly any.
        yield (
            (scores > 1) & bool((scores == np.round(scores)).all()),
            lambda rows: (
                "with a score above 1, and all scores are whole numbers (are these annotations, "
                "whose eighth column is a person's number?)"
            ),
        )
    finite = np.isfinite(table.boxes).all(axis=1)
    low_side, high_side = table.boxes[:, :2], table.boxes[:, 2:]
    yield ~finite, lambda rows: "with a coordinate that is no finite number"
    yield (
        finite & (low_side >= high_side).any(axis=1),
        lambda rows: "with a box inverted or without area",
    )
    outside = (low_side < -_ROUNDING) | (high_side < -_ROUNDING)
    outside |= (low_side > 1 + _ROUNDING) | (high_side > 1 + _ROUNDING)
    yield (
        finite & outside.any(axis=1),
        lambda rows: (
            f"with a box outside of the frame (coordinates from {table.boxes[rows].min():g} to "
            f"{table.boxes[rows].max():g}, expected 0 to 1)"
        ),
    )
