"""Which rows of groundtruth and detections count, in the order in which they are matched."""

from collections.abc import Iterator

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
from avatx.evaluation.keyframe_blocks import blocks_of_keyframes
from avatx.evaluation.keyframe_index import Runs
from avatx.evaluation.protocol import Protocol
from avatx.evaluation.row_order import best_of_keyframes, order_in_keyframes

_LOOKED_AT_ONCE = 1 << 18  # rows, to bound memory
# Odd factors mix three columns into one number, modulo 2**64.
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)


def groundtruth_rows(
    groundtruth: AvaTable,
    runs: Runs,
    included: np.ndarray,
    evaluated: np.ndarray,
    protocol: Protocol,
) -> np.ndarray:
    """Groundtruth rows by keyframe and class, in the order that decides ties of IoU."""
    keyframe = runs.of_rows(runs.number)
    rows = np.flatnonzero(_countable(groundtruth, runs, included, evaluated))
    rows = rows[np.argsort(keyframe[rows], kind="stable")]
    if protocol.heap_order and len(rows):
        # The order matters only where a keyframe has two boxes of one class.
        cell = keyframe[rows].astype(np.int64) * len(evaluated) + groundtruth.class_id[rows]
        cells, count = np.unique(cell, return_counts=True)
        through_heap = np.zeros(len(included), bool)
        through_heap[cells[count > 1] // len(evaluated)] = True
        # The official evaluator reads the person id where a detection has its score.
        score = np.ones(len(rows))
        if groundtruth.person_id is not None:
            person_id = groundtruth.person_id[rows]
            score = np.where(person_id == -1, 1.0, person_id)
        ordered = order_in_keyframes(
            groundtruth, rows, keyframe[rows], score, through_heap, capacity=None
        )
        rows = np.concatenate([rows[~through_heap[keyframe[rows]]], ordered])
    return rows[np.lexsort((groundtruth.class_id[rows], keyframe[rows]))]


def detection_blocks(
    detections: AvaTable,
    runs: Runs,
    included: np.ndarray,
    evaluated: np.ndarray,
    protocol: Protocol,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows of evaluated classes on included keyframes, in the order of the keyframes' first rows.

    Yields:
      rows, keyframe, group: as `avatx.evaluation.keyframe_blocks.blocks_of_keyframes`.
    """
    countable = _countable(detections, runs, included, evaluated)
    if protocol.score_floor is not None and detections.score is not None:
        countable &= detections.score > protocol.score_floor
    return blocks_of_keyframes(runs, countable, by_appearance=True)


def detection_rows(
    detections: AvaTable, protocol: Protocol, rows: np.ndarray, keyframe: np.ndarray, group
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detection rows of a block that count.

    Args:
      detections: the table.
      protocol: the rules.
      rows: of `detection_blocks`, as the other two.
      keyframe: [n] int32.
      group: [n] int64.

    Returns:
      rows: [m] int64, of some whole keyframes, grouped by keyframe.
      keyframe: [m] int32, their keyframe numbers.
      through_heap: [m] bool, rows of keyframes whose rows are in the heap's order; the others
        have no equal scores of one class.
    """
    number_of_group = keyframe[np.flatnonzero(np.diff(group, prepend=-1))]
    if protocol.heap_order:
        rows, group, in_heap = _capped(detections, rows, group, protocol.capacity)
    else:
        # The first version sorted each keyframe's scores ascending, then reversed them.
        rows = rows[::-1][np.argsort(group[::-1], kind="stable")]
        in_heap = np.zeros(len(number_of_group), bool)
    y1, x1, y2, x2 = detections.boxes[rows].T
    # Boxes of no area, inverted ones and NaN are not even false positives.
    valid = (y1 < y2) & (x1 < x2)
    group = group[valid]
    return rows[valid], number_of_group[group], in_heap[group]


def _capped(detections: AvaTable, all_rows: np.ndarray, all_group: np.ndarray, capacity):
    """The rows that groups keep, their groups; [groups] bool, which went through the heap."""
    all_score = scores_of(detections, all_rows)
    through_heap = np.zeros(int(all_group[-1]) + 1, bool)
    through_heap[all_group[np.isnan(all_score)]] = True
    keep, undecided = best_of_keyframes(all_group, all_score, capacity)
    through_heap |= undecided
    rows, group = all_rows[keep], all_group[keep]
    through_heap[_groups_with_ties(detections.class_id[rows], group, all_score[keep])] = True
    if np.any(through_heap):
        ordered = order_in_keyframes(
            detections, all_rows, all_group, all_score, through_heap, capacity
        )
        kept = np.minimum(np.bincount(all_group), capacity)[through_heap]
        of_ordered = np.repeat(np.flatnonzero(through_heap), kept)
        other = ~through_heap[group]
        rows = np.concatenate([rows[other], ordered])
        group = np.concatenate([group[other], of_ordered])
        order = np.argsort(group, kind="stable")
        rows, group = rows[order], group[order]
    return rows, group, through_heap


def scores_of(detections: AvaTable, rows: np.ndarray) -> np.ndarray:
    """[n] float64, 1.0 where the table has no scores."""
    return np.ones(len(rows)) if detections.score is None else detections.score[rows]


def order_by_class(class_id: np.ndarray) -> np.ndarray:
    """Stable order by ascending class."""
    if len(class_id) and class_id.max() < 2**15:
        class_id = class_id.astype(np.int16)  # which numpy sorts by radix
    return np.argsort(class_id, kind="stable")


def order_by_score(score: np.ndarray) -> np.ndarray:
    """Descending order of one class's scores: an ascending stable sort, reversed."""
    return np.argsort(score, kind="stable")[::-1]


def _countable(table: AvaTable, runs: Runs, included, evaluated) -> np.ndarray:
    """[N] bool: rows of evaluated classes on included keyframes."""
    countable = runs.of_rows(included[runs.number])
    for begin in range(0, len(table), _LOOKED_AT_ONCE):
        block = slice(begin, begin + _LOOKED_AT_ONCE)
        class_id = table.class_id[block]
        known = (class_id >= 0) & (class_id < len(evaluated))
        countable[block] &= known & evaluated[np.where(known, class_id, 0)]
    return countable


def _groups_with_ties(class_id, group, score) -> np.ndarray:
    """Groups in which two rows of one class have the same score."""
    # Equal rows have equal numbers, which sort much faster than three columns; what shares a
    # number by chance is compared below.
    bits = (score + 0.0).view(np.uint64)  # 0.0 and -0.0 are equal
    number = (
        bits * _ODD[0] ^ class_id.astype(np.uint64) * _ODD[1] ^ group.astype(np.uint64) * _ODD[2]
    )
    in_order = np.sort(number)
    repeated = in_order[1:][in_order[1:] == in_order[:-1]]
    if not len(repeated):
        return group[:0]
    at = np.flatnonzero(np.isin(number, repeated))
    class_id, group, score = class_id[at], group[at], score[at]
    order = np.lexsort((score, class_id, group))
    class_id, group, score = class_id[order], group[order], score[order]
    same = (score[1:] == score[:-1]) & (group[1:] == group[:-1])
    same &= class_id[1:] == class_id[:-1]
    return group[1:][same]
