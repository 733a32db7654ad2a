"""Which detection found which groundtruth box, for all keyframes and classes at once.

Made once, `MatchedDetections` is what average precision and every breakdown are computed from.
The rules are those of `avatx.evaluation.protocol`; arithmetic is float64 without an epsilon, in
the official evaluator's order of operations, because IoU exactly at the threshold counts.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.keyframe_index import KeyframeIndex, index_keyframes
from avatx.evaluation.protocol import Protocol
from avatx.evaluation.row_order import best_of_keyframes, order_in_keyframes

_PAIRED_AT_ONCE = 1 << 18  # detections, to bound memory


class MatchedDetections(NamedTuple):
    """D detections that count (capped, valid boxes), G groundtruth rows of evaluated classes.

    Detections are sorted by class id and then by rank: descending score, equal scores as the
    protocol orders them. Groundtruth is sorted by keyframe and class id.
    """

    row: np.ndarray  # [D] int, row of the detection table
    class_id: np.ndarray  # [D] int32
    score: np.ndarray  # [D] float64
    keyframe: np.ndarray  # [D] int32, into `keyframes`
    # [D] int, index into the groundtruth arrays below of the same-class box of highest IoU
    # (the first on a tie), -1 where the keyframe has none of the class.
    best_groundtruth: np.ndarray
    best_iou: np.ndarray  # [D] float64, 0 where there is none
    true_positive: np.ndarray  # [D] bool
    groundtruth_row: np.ndarray  # [G] int, row of the groundtruth table
    groundtruth_class_id: np.ndarray  # [G] int32
    groundtruth_keyframe: np.ndarray  # [G] int32
    keyframes: KeyframeIndex
    included: np.ndarray  # [F] bool, keyframes that count


def match_detections(
    groundtruth: AvaTable,
    detections: AvaTable,
    label_map: LabelMap,
    protocol: Protocol,
    iou_threshold: float,
    excluded: Iterable[Keyframe] | None = None,
    keyframes: Iterable[Keyframe] | None = None,
) -> MatchedDetections:
    """Matches by the protocol's rules; arguments as `avatx.evaluation.frame_map.evaluate`."""
    index = index_keyframes(
        (groundtruth, detections), (groundtruth.empty_keyframes, keyframes or (), excluded or ())
    )
    included = np.ones(len(index.video_id), bool)
    if protocol.ignores_unnamed_keyframes:
        included[:] = False
        for named in (index.of_tables[0], index.of_lists[0], index.of_lists[1]):
            included[named] = True
    included[index.of_lists[2]] = False

    evaluated = np.zeros(label_map.max_id + 1, bool)
    evaluated[list(label_map.names)] = True
    gt_rows = _groundtruth_rows(groundtruth, index.of_tables[0], included, evaluated, protocol)
    gt_class, gt_keyframe = groundtruth.class_id[gt_rows], index.of_tables[0][gt_rows]
    rows, through_heap = _detection_rows(
        detections, index.of_tables[1], included, evaluated, protocol
    )
    score = _scores(detections)[rows]
    class_id, keyframe = detections.class_id[rows], index.of_tables[1][rows]

    number_of_classes = label_map.max_id + 1
    gt_cell = gt_keyframe.astype(np.int64) * number_of_classes + gt_class
    cell = keyframe.astype(np.int64) * number_of_classes + class_id
    best, best_iou = best_overlaps(
        groundtruth.boxes[gt_rows], gt_cell, detections.boxes, rows, cell
    )
    reached = np.flatnonzero(best_iou >= iou_threshold) if len(best_iou) else np.zeros(0, int)
    # A groundtruth box belongs to the first detection, by descending score, that is bound to it.
    # What went through the heap is in matching order already (and may hold NaN).
    urgency = np.where(through_heap[keyframe[reached]], 0.0, -score[reached])
    first = np.lexsort((reached, urgency, best[reached]))
    claimed = best[reached][first]
    true_positive = np.zeros(len(rows), bool)
    true_positive[reached[first[np.flatnonzero(np.diff(claimed, prepend=-1))]]] = True

    ranked = _rank_by_class(class_id, score)
    return MatchedDetections(
        row=rows[ranked],
        class_id=class_id[ranked],
        score=score[ranked],
        keyframe=keyframe[ranked],
        best_groundtruth=best[ranked],
        best_iou=best_iou[ranked],
        true_positive=true_positive[ranked],
        groundtruth_row=gt_rows,
        groundtruth_class_id=gt_class,
        groundtruth_keyframe=gt_keyframe,
        keyframes=index,
        included=included,
    )


def _scores(detections: AvaTable) -> np.ndarray:
    return np.ones(len(detections)) if detections.score is None else detections.score


def _countable_rows(table: AvaTable, keyframe, included, evaluated) -> np.ndarray:
    """Rows of evaluated classes on included keyframes, in file order."""
    class_id = table.class_id
    known = (class_id >= 0) & (class_id < len(evaluated))
    known &= evaluated[np.where(known, class_id, 0)]
    known &= included[keyframe]
    return np.flatnonzero(known)


def _groundtruth_rows(groundtruth, keyframe, included, evaluated, protocol) -> np.ndarray:
    """Groundtruth rows by keyframe and class, in the order that decides ties of IoU."""
    rows = _countable_rows(groundtruth, keyframe, included, evaluated)
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


def _detection_rows(detections, keyframe, included, evaluated, protocol):
    """Detection rows that count, keyframes in the order of their first row in the file.

    Returns the rows and [F] bool, the keyframes whose rows are in the heap's order; the others
    have no equal scores of one class.
    """
    rows = _countable_rows(detections, keyframe, included, evaluated)
    score = _scores(detections)
    if protocol.score_floor is not None:
        rows = rows[score[rows] > protocol.score_floor]
    # Keyframes renumbered by their first appearance.
    appearance = np.full(len(included), len(rows), np.int64)
    appearance[keyframe[rows[::-1]]] = np.arange(len(rows))[::-1]
    rank = np.empty(len(included), np.int32)
    rank[np.argsort(appearance, kind="stable")] = np.arange(len(included), dtype=np.int32)
    if not protocol.heap_order:
        # The first version sorted each keyframe's scores ascending, then reversed them.
        rows = rows[::-1]
        rows = rows[np.argsort(rank[keyframe[rows]], kind="stable")]
        return _valid(detections, rows), np.zeros(len(included), bool)
    position = rank[keyframe[rows]]
    if np.any(position[1:] < position[:-1]):
        order = np.argsort(position, kind="stable")
        rows, position = rows[order], position[order]
    all_rows, all_position = rows, position

    through_heap = np.zeros(len(included), bool)  # by position until the end
    nan = np.isnan(score[rows])
    through_heap[position[nan]] = True
    keep, undecided = best_of_keyframes(position, score[rows], protocol.capacity)
    through_heap[: len(undecided)] |= undecided
    rows, position = rows[keep], position[keep]
    through_heap[_keyframes_with_ties(detections.class_id[rows], position, score[rows])] = True
    if np.any(through_heap):
        ordered = order_in_keyframes(
            detections, all_rows, all_position, score[all_rows], through_heap, protocol.capacity
        )
        rows = np.concatenate([rows[~through_heap[position]], ordered])
        rows = rows[np.argsort(rank[keyframe[rows]], kind="stable")]
    return _valid(detections, rows), through_heap[rank]


def _valid(detections: AvaTable, rows: np.ndarray) -> np.ndarray:
    """Without boxes of no area, inverted ones and NaN: they are not even false positives."""
    y1, x1, y2, x2 = (detections.boxes[rows, column] for column in range(4))
    return rows[(y1 < y2) & (x1 < x2)]


def _rank_by_class(class_id: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Order by ascending class; within it an ascending stable sort of the scores, reversed."""
    if len(class_id) and class_id.max() < 2**15:
        class_id = class_id.astype(np.int16)  # which numpy sorts by radix
    by_class = np.argsort(class_id, kind="stable")
    starts = np.flatnonzero(np.diff(class_id[by_class])) + 1
    parts = np.split(by_class, starts)
    return np.concatenate([part[np.argsort(score[part], kind="stable")[::-1]] for part in parts])


def _keyframes_with_ties(class_id, position, score) -> np.ndarray:
    """Keyframes in which two rows of one class have the same score."""
    order = _rank_by_class(class_id, score)
    class_id, position, score = class_id[order], position[order], score[order]
    # Rows came in the order of keyframes, so equal scores of one class and keyframe are neighbours.
    same = (score[1:] == score[:-1]) & (position[1:] == position[:-1])
    same &= class_id[1:] == class_id[:-1]
    return position[1:][same]


def best_overlaps(gt_boxes, gt_cell, detection_boxes, rows, cell):
    """For each detection the groundtruth box of highest IoU in its cell, the first on a tie.

    Args:
      gt_boxes: [G, 4] float64.
      gt_cell: [G] int, ascending: keyframe and class, or the keyframe alone.
      detection_boxes: [N, 4] float64.
      rows: [D] int, into `detection_boxes`.
      cell: [D] int.

    Returns:
      [D] int64 index into `gt_boxes`, -1 where its cell has none; [D] float64 IoU, 0 there.
    """
    best, best_iou = np.full(len(rows), -1, np.int64), np.zeros(len(rows))
    if not len(gt_cell):
        return best, best_iou
    cells, start, count = np.unique(gt_cell, return_index=True, return_counts=True)
    gt_area = (gt_boxes[:, 2] - gt_boxes[:, 0]) * (gt_boxes[:, 3] - gt_boxes[:, 1])
    for begin in range(0, len(rows), _PAIRED_AT_ONCE):
        block = slice(begin, begin + _PAIRED_AT_ONCE)
        found = np.minimum(np.searchsorted(cells, cell[block]), len(cells) - 1)
        has = np.flatnonzero(cells[found] == cell[block])
        if not len(has):
            continue
        found = found[has]
        pairs = count[found]
        pair_start = np.cumsum(pairs) - pairs
        # Every pair of a detection (an index into `has`) and a groundtruth box of its cell.
        detection = np.repeat(np.arange(len(has)), pairs)
        candidate = np.arange(len(detection)) - np.repeat(pair_start - start[found], pairs)
        boxes = detection_boxes[rows[block][has]]
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        box, gt_box = boxes[detection], gt_boxes[candidate]
        height = np.minimum(box[:, 2], gt_box[:, 2]) - np.maximum(box[:, 0], gt_box[:, 0])
        width = np.minimum(box[:, 3], gt_box[:, 3]) - np.maximum(box[:, 1], gt_box[:, 1])
        intersection = np.maximum(0.0, height) * np.maximum(0.0, width)
        iou = intersection / (area[detection] + gt_area[candidate] - intersection)
        highest = np.maximum.reduceat(iou, pair_start)
        at_highest = np.flatnonzero(iou == highest[detection])
        first = at_highest[np.flatnonzero(np.diff(detection[at_highest], prepend=-1))]
        best[begin + has] = candidate[first]
        best_iou[begin + has] = highest
    return best, best_iou
