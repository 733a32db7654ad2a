"""Which detection found which groundtruth box, for all keyframes and classes at once.

Keyframes are matched independently, so it is done for some of them at a time: average precision
keeps only what it needs of each block. Put together, `MatchedDetections` is what every breakdown
is computed from.
The rules are those of `avatx.evaluation.protocol`; arithmetic is float64 without an epsilon, in
the official evaluator's order of operations, because IoU exactly at the threshold counts.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.countable_rows import (
    detection_blocks,
    detection_rows,
    groundtruth_rows,
    order_by_class,
    order_by_score,
    scores_of,
)
from avatx.evaluation.keyframe_index import KeyframeIndex, index_keyframes
from avatx.evaluation.protocol import Protocol
from avatx.ordered_threads import in_threads

_PAIRED_AT_ONCE = 1 << 14  # detections, to bound memory


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


class MatchedBlock(NamedTuple):
    """n detections that count, all those of some keyframes; columns as `MatchedDetections`.

    Keyframes come in the order of their first row in the file, over the blocks too; in a keyframe
    detections are in matching order.
    """

    row: np.ndarray
    class_id: np.ndarray
    score: np.ndarray
    keyframe: np.ndarray
    best_groundtruth: np.ndarray
    best_iou: np.ndarray
    true_positive: np.ndarray


class Matching:
    """Groundtruth ready to be matched; `blocks` gives the detections some keyframes at a time.

    Arguments as `avatx.evaluation.frame_map.evaluate`.
    """

    def __init__(
        self,
        groundtruth: AvaTable,
        detections: AvaTable,
        label_map: LabelMap,
        protocol: Protocol,
        excluded: Iterable[Keyframe] | None = None,
        keyframes: Iterable[Keyframe] | None = None,
    ):
        self.keyframes = index_keyframes(
            (groundtruth, detections),
            (groundtruth.empty_keyframes, keyframes or (), excluded or ()),
        )
        of_groundtruth, self._runs = self.keyframes.runs_of_tables
        empty, covered, left_out = self.keyframes.of_lists
        self.included = np.ones(len(self.keyframes.video_id), bool)
        if protocol.ignores_unnamed_keyframes:
            self.included[:] = False
            for named in (of_groundtruth.number, empty, covered):
                self.included[named] = True
        self.included[left_out] = False

        self._detections, self._protocol = detections, protocol
        self._evaluated = np.zeros(label_map.max_id + 1, bool)
        self._evaluated[list(label_map.names)] = True
        self.groundtruth_row = groundtruth_rows(
            groundtruth, of_groundtruth, self.included, self._evaluated, protocol
        )
        self.groundtruth_class_id = groundtruth.class_id[self.groundtruth_row]
        self.groundtruth_keyframe = self.keyframes.of_table(0)[self.groundtruth_row]
        self._groundtruth_boxes = groundtruth.boxes[self.groundtruth_row]

    def blocks(self, *iou_thresholds: float) -> Iterator[tuple[MatchedBlock, ...]]:
        """The detections that count, matched at each threshold: they differ in what is true."""
        gt_cell = self.groundtruth_keyframe.astype(np.int64) * len(self._evaluated)
        gt_cell += self.groundtruth_class_id
        cells = np.unique(gt_cell, return_index=True, return_counts=True)
        blocks = detection_blocks(
            self._detections, self._runs, self.included, self._evaluated, self._protocol
        )
        matched = in_threads(lambda block: self._matched(block, cells, iou_thresholds), blocks)
        return (at_thresholds for _, at_thresholds in matched if len(at_thresholds[0].row))

    def _matched(self, block, gt_cells, iou_thresholds) -> tuple[MatchedBlock, ...]:
        """A block of `detection_blocks`, matched at each threshold; nothing here is changed."""
        detections = self._detections
        rows, keyframe, through_heap = detection_rows(detections, self._protocol, *block)
        score = scores_of(detections, rows)
        class_id = detections.class_id[rows]
        cell = keyframe.astype(np.int64) * len(self._evaluated) + class_id
        best, best_iou = _best_overlaps(
            self._groundtruth_boxes, gt_cells, detections.boxes, rows, cell
        )
        urgency = np.where(through_heap, 0.0, -score)
        columns = (rows, class_id, score, keyframe, best, best_iou)
        return tuple(
            MatchedBlock(*columns, _true_positive(best, best_iou, urgency, threshold))
            for threshold in iou_thresholds
        )


def _true_positive(best, best_iou, urgency, iou_threshold: float) -> np.ndarray:
    """[n] bool. A groundtruth box belongs to the first detection, by descending score, that is
    bound to it. What went through the heap is in matching order already (and may hold NaN).
    """
    reached = np.flatnonzero(best_iou >= iou_threshold)
    first = np.lexsort((reached, urgency[reached], best[reached]))
    claimed = best[reached][first]
    true_positive = np.zeros(len(best), bool)
    true_positive[reached[first[np.flatnonzero(np.diff(claimed, prepend=-1))]]] = True
    return true_positive


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
    matching = Matching(groundtruth, detections, label_map, protocol, excluded, keyframes)
    # One block of no detections makes columns of the right types where there are none.
    none = np.zeros(0, np.int64)
    no_keyframe = none.astype(np.int32)
    empty = MatchedBlock(
        none, no_keyframe, np.zeros(0), no_keyframe, none, np.zeros(0), np.zeros(0, bool)
    )
    blocks = [empty, *(block for (block,) in matching.blocks(iou_threshold))]
    columns = MatchedBlock(*map(np.concatenate, zip(*blocks, strict=True)))
    by_class = order_by_class(columns.class_id)
    starts = np.flatnonzero(np.diff(columns.class_id[by_class])) + 1
    ranked = np.concatenate(
        [part[order_by_score(columns.score[part])] for part in np.split(by_class, starts)]
    )
    return MatchedDetections(
        **{name: column[ranked] for name, column in columns._asdict().items()},
        groundtruth_row=matching.groundtruth_row,
        groundtruth_class_id=matching.groundtruth_class_id,
        groundtruth_keyframe=matching.groundtruth_keyframe,
        keyframes=matching.keyframes,
        included=matching.included,
    )


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
    cells = np.unique(gt_cell, return_index=True, return_counts=True)
    return _best_overlaps(gt_boxes, cells, detection_boxes, rows, cell)


# Boxes may be of any finite size, those of detections infinite: their areas overflow.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _best_overlaps(gt_boxes, gt_cells, detection_boxes, rows, cell):
    """As `best_overlaps`; `gt_cells`: cells with groundtruth, where each begins, how many."""
    best, best_iou = np.full(len(rows), -1, np.int64), np.zeros(len(rows))
    cells, start, count = gt_cells
    if not len(cells):
        return best, best_iou
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
        # Of two areas that overflow it is no number: the highest of all, as numpy has it, and 0.
        at_highest = np.flatnonzero((iou == highest[detection]) | np.isnan(iou))
        first = at_highest[np.flatnonzero(np.diff(detection[at_highest], prepend=-1))]
        best[begin + has] = candidate[first]
        best_iou[begin + has] = np.where(np.isnan(highest), 0.0, highest)
    return best, best_iou
