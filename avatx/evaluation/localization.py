"""Where people are, whatever they do: action-agnostic localisation (paper, section 4.3).

The paper turns all class labels into one, "active". A detector of many classes finds a person
several times, as one box with several classes or, with class-specific regression or suppression
class by class, as several boxes; scored as they are, all but one would be false. So detections are
merged as a detector with one class would have done it: one greedy non-maximum suppression over
all classes' detections of a keyframe. Groundtruth needs none of that: a person's rows repeat the
same box.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from avatx import freed_memory
from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.countable_rows import scores_of
from avatx.evaluation.frame_map import MANY_ROWS, evaluate, evaluate_at
from avatx.evaluation.keyframe_blocks import blocks_of_keyframes
from avatx.evaluation.keyframe_index import index_keyframes
from avatx.evaluation.metrics import IOU_THRESHOLDS
from avatx.evaluation.protocol import DEFAULT_PROTOCOL
from avatx.ordered_threads import in_threads

PERSON = LabelMap({1: "person"})
MERGING_IOU = 0.5  # two detections that overlap more are one person


def evaluate_localization(
    groundtruth: AvaTable,
    detections: AvaTable,
    *,
    protocol: str = DEFAULT_PROTOCOL,
    excluded: Iterable[Keyframe] | None = None,
    keyframes: Iterable[Keyframe] | None = None,
) -> dict[str, float | None]:
    """Average precision of persons at each of `IOU_THRESHOLDS`, by name; None without groundtruth.

    Arguments as `avatx.evaluation.frame_map.evaluate`.
    """
    people, found = merge_groundtruth(groundtruth), merge_detections(detections)
    if len(detections) >= MANY_ROWS:
        freed_memory.give_back()
    results = evaluate_at(
        people,
        found,
        PERSON,
        tuple(IOU_THRESHOLDS.values()),
        protocol=protocol,
        excluded=excluded,
        keyframes=keyframes,
    )
    return {name: one["mAP"] for name, one in zip(IOU_THRESHOLDS, results, strict=True)}


def evaluate_person(
    groundtruth: AvaTable,
    detections: AvaTable,
    *,
    protocol: str = DEFAULT_PROTOCOL,
    iou_threshold: float = 0.5,
    excluded: Iterable[Keyframe] | None = None,
    keyframes: Iterable[Keyframe] | None = None,
) -> dict[str, Any]:
    """Scores where people are at one IoU; arguments and result as `evaluate`, class 1 "person".

    All classes, in a label map or not, are merged. The protocol's limit of rows a keyframe is
    applied to what is left.
    """
    return evaluate(
        merge_groundtruth(groundtruth),
        merge_detections(detections),
        PERSON,
        protocol=protocol,
        iou_threshold=iou_threshold,
        excluded=excluded,
        keyframes=keyframes,
    )


def merge_groundtruth(table: AvaTable) -> AvaTable:
    """Every class as class 1: each box of a keyframe once.

    Boxes are one if all four coordinates are equal. They keep the order of their first appearance.
    """
    keyframe = index_keyframes((table,), ()).of_table(0)  # 902 and 902.0000001 are one
    # Compared bit by bit, 0.0 and -0.0 as one.
    columns = np.column_stack([keyframe, table.boxes]) + 0.0
    _, first = np.unique(columns.view(np.uint64), axis=0, return_index=True)
    merged = table.select(np.sort(first))
    merged.class_id = np.ones(len(merged), np.int32)
    if merged.person_id is not None:
        merged.person_id = np.full(len(merged), -1, np.int64)
    return merged


def merge_detections(table: AvaTable, iou_threshold: float = MERGING_IOU) -> AvaTable:
    """Every class as class 1: each person of a keyframe once.

    Greedy non-maximum suppression: by descending score (the file's order where equal) a detection
    stays unless its IoU with one of the same keyframe that stayed exceeds `iou_threshold`.
    Boxes of no area, inverted and NaN ones are left out.

    Returns:
      The detections that stayed, by keyframe and descending score.
    """
    y1, x1, y2, x2 = table.boxes.T
    valid = y1 < y2
    valid &= x1 < x2
    runs = index_keyframes((table,), ()).runs_of_tables[0]

    def survivors(block) -> np.ndarray:
        rows, _, group = block
        if iou_threshold < 1:  # equal boxes overlap more: the best of them decides
            best = best_of_repeats(table.boxes[rows], group, scores_of(table, rows))
            rows, group = rows[best], group[best]
        order = np.lexsort((-scores_of(table, rows), group))
        rows = rows[order]
        return rows[suppress(table.boxes[rows], group, iou_threshold)]

    blocks = blocks_of_keyframes(runs, valid, by_appearance=False)
    kept = [rows for _, rows in in_threads(survivors, blocks)]
    merged = table.select(np.concatenate(kept) if kept else np.zeros(0, int))
    merged.class_id = np.ones(len(merged), np.int32)
    return merged


def best_of_repeats(boxes: np.ndarray, group: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Of rows that follow each other and have the same box, the one of the highest score.

    Files often hold a box's classes in a row, up to 80 of them.

    Args:
      boxes: [N, 4] float64, N > 0.
      group: [N] int, ascending; rows of two groups are not the same.
      score: [N] float64; NaN is the lowest.

    Returns:
      Ascending indices, one of each repeat: the first where scores are equal.
    """
    begins = np.ones(len(boxes), bool)
    begins[1:] = (boxes[1:] != boxes[:-1]).any(axis=1)
    begins[1:] |= group[1:] != group[:-1]
    starts = np.flatnonzero(begins)
    if len(starts) == len(boxes):
        return starts
    highest = np.fmax.reduceat(score, starts)[np.cumsum(begins) - 1]
    at_highest = np.flatnonzero((score == highest) | np.isnan(highest))
    return at_highest[np.searchsorted(at_highest, starts)]


@np.errstate(over="ignore", invalid="ignore")  # of boxes too large to have an area
def suppress(boxes: np.ndarray, group: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Greedy non-maximum suppression in many groups at once.

    In each round every group keeps the best box that it has left and drops what overlaps it, so
    there are as many rounds as the group with the most survivors has.

    Args:
      boxes: [N, 4] float64, of positive area, sorted by group and there by descending score.
      group: [N] int, ascending.
      iou_threshold: IoU above which the lower score is dropped.

    Returns:
      Ascending indices of those kept.
    """
    y1, x1, y2, x2 = np.ascontiguousarray(boxes.T)
    area = (y2 - y1) * (x2 - x1)
    left, kept = np.arange(len(boxes)), []
    while len(left):
        starts = np.flatnonzero(np.diff(group[left], prepend=-1))
        best = left[starts]
        kept.append(best)
        with_best = np.repeat(best, np.diff(np.append(starts, len(left))))
        height = np.minimum(y2[left], y2[with_best]) - np.maximum(y1[left], y1[with_best])
        width = np.minimum(x2[left], x2[with_best]) - np.maximum(x1[left], x1[with_best])
        intersection = np.maximum(height, 0.0) * np.maximum(width, 0.0)
        union = area[left] + area[with_best] - intersection
        stays = intersection <= iou_threshold * union
        stays[starts] = False
        left = left[stays]
    return np.sort(np.concatenate(kept)) if kept else left
