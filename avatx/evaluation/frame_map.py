"""Frame-mAP as AVA scores it.

The Pascal VOC average precision of each class over all keyframes (all-point interpolation), and
its mean over the label map's classes that have groundtruth. `avatx.evaluation.protocol` names
the published versions; `avatx.evaluation.matching` decides true and false positives.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from avatx import freed_memory
from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError
from avatx.evaluation.countable_rows import order_by_class, order_by_score, scores_of
from avatx.evaluation.matching import MatchedDetections, Matching
from avatx.evaluation.protocol import DEFAULT_PROTOCOL, get_protocol
from avatx.ordered_threads import in_threads

MANY_ROWS = 1 << 18  # from here on memory matters


def average_precision(true_positive: np.ndarray, num_groundtruth: int) -> float | None:
    """Area under the interpolated precision-recall curve.

    Args:
      true_positive: [D] bool, by rank.
      num_groundtruth: how many boxes there are to find.

    Returns:
      float in [0, 1]; None if there is no groundtruth.
    """
    if num_groundtruth == 0:
        return None
    if not len(true_positive):
        return 0.0
    found = np.cumsum(true_positive)
    precision = found / np.arange(1, len(found) + 1)
    recall = np.concatenate([[0.0], found / num_groundtruth])
    # The precision at a recall is the highest at any recall not below.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * precision))


def per_class_results(
    matched: MatchedDetections,
    label_map: LabelMap,
    detections: np.ndarray | None = None,
    groundtruth: np.ndarray | None = None,
) -> dict[str, dict[str, Any]]:
    """Average precision and counts of each class, in the label map's order.

    Args:
      matched: detections matched to groundtruth.
      label_map: the classes that are evaluated.
      detections: [D] bool, which matched detections to look at; None for all.
      groundtruth: [G] bool, which groundtruth to look at; None for all.
    """
    class_id, true_positive = matched.class_id, matched.true_positive
    if detections is not None:
        class_id, true_positive = class_id[detections], true_positive[detections]
    gt_class = matched.groundtruth_class_id
    if groundtruth is not None:
        gt_class = gt_class[groundtruth]
    num_groundtruth = np.bincount(gt_class, minlength=label_map.max_id + 1)
    results = {}
    for number, name in label_map.names.items():
        begin, end = np.searchsorted(class_id, [number, number + 1])
        results[str(number)] = _class_result(
            name, true_positive[begin:end], int(num_groundtruth[number])
        )
    return results


def _class_result(name: str, true_positive: np.ndarray, num_groundtruth: int) -> dict[str, Any]:
    return {
        "name": name,
        "ap": average_precision(true_positive, num_groundtruth),
        "num_groundtruth": num_groundtruth,
        "num_detections": len(true_positive),
        "num_true_positives": int(np.count_nonzero(true_positive)),
    }


def summarize(
    per_class: dict[str, dict[str, Any]], protocol: str, iou_threshold: float
) -> dict[str, Any]:
    """The result with its mean over the classes that have groundtruth."""
    known = [result["ap"] for result in per_class.values() if result["ap"] is not None]
    return {
        "protocol": protocol,
        "iou_threshold": float(iou_threshold),
        "mAP": float(np.mean(known)) if known else None,
        "num_classes_with_groundtruth": len(known),
        "per_class": per_class,
    }


def evaluate(
    groundtruth: AvaTable,
    detections: AvaTable,
    label_map: LabelMap,
    *,
    protocol: str = DEFAULT_PROTOCOL,
    iou_threshold: float = 0.5,
    excluded: Iterable[Keyframe] | None = None,
    keyframes: Iterable[Keyframe] | None = None,
) -> dict[str, Any]:
    """Scores detections.

    Args:
      groundtruth: what is there. Rows of classes outside the label map name their keyframe
        only. A box of no area, or inverted, counts and is never found.
      detections: what was found; boxes of no area, inverted or NaN ones are left out.
      label_map: the classes that are evaluated.
      protocol: AVA_2020, AVA_2019 or AVA_2018.
      iou_threshold: a detection is true from this IoU on, in (0, 1].
      excluded: keyframes taken out of groundtruth and detections, under every protocol (the
        2020 version reads no such list: there they are simply not in its groundtruth).
      keyframes: keyframes that an own evaluation run covered; they count although the
        groundtruth names them nowhere, so that false positives on empty keyframes count under
        AVA_2020 too. Groundtruth on other keyframes counts as missed.

    Returns:
      A dict that is JSON: `protocol`, `iou_threshold`, `mAP` (None if no class has
      groundtruth), `num_classes_with_groundtruth`, `per_class`: id (str) to `name`, `ap` (None
      without groundtruth), `num_groundtruth`, `num_detections`, `num_true_positives`.
    """
    (result,) = evaluate_at(
        groundtruth,
        detections,
        label_map,
        (iou_threshold,),
        protocol=protocol,
        excluded=excluded,
        keyframes=keyframes,
    )
    return result


def evaluate_at(
    groundtruth: AvaTable,
    detections: AvaTable,
    label_map: LabelMap,
    iou_thresholds: Sequence[float],
    *,
    protocol: str = DEFAULT_PROTOCOL,
    excluded: Iterable[Keyframe] | None = None,
    keyframes: Iterable[Keyframe] | None = None,
) -> list[dict[str, Any]]:
    """As `evaluate`, at several thresholds in one pass: a result each.

    Of a detection that counts only its row and what is true of it are kept, so memory is the
    tables' and a few bytes a row.
    """
    rules = get_protocol(protocol)
    for iou_threshold in iou_thresholds:
        if not 0.0 < iou_threshold <= 1.0:
            raise UserError(f"iou_threshold is {iou_threshold}, expected above 0 and at most 1")
    matching = Matching(groundtruth, detections, label_map, rules, excluded, keyframes)
    index = np.int32 if len(detections) < 2**31 else np.int64
    # Of each block where each class begins, the rows by class, and for each threshold what is true.
    kept: list[tuple[np.ndarray, ...]] = []
    for at_thresholds in matching.blocks(*iou_thresholds):
        class_id = at_thresholds[0].class_id
        order = order_by_class(class_id)
        borders = np.searchsorted(class_id[order], np.arange(label_map.max_id + 2))
        true = [one.true_positive[order] for one in at_thresholds]
        kept.append((borders, at_thresholds[0].row[order].astype(index), *true))
    num_groundtruth = np.bincount(matching.groundtruth_class_id, minlength=label_map.max_id + 1)
    no_rows = [np.zeros(0, index), *(np.zeros(0, bool) for _ in iou_thresholds)]

    def ranked(number: int) -> list[np.ndarray]:
        """Of a class: what is true at each threshold, by descending score."""
        rows, *true = (
            np.concatenate([empty, *(one[at][one[0][number] : one[0][number + 1]] for one in kept)])
            for at, empty in enumerate(no_rows, start=1)
        )
        order = order_by_score(scores_of(detections, rows))
        return [hits[order] for hits in true]

    per_class: list[dict[str, Any]] = [{} for _ in iou_thresholds]
    for number, true in in_threads(ranked, label_map.names):
        for results, hits in zip(per_class, true, strict=True):
            results[str(number)] = _class_result(
                label_map.names[number], hits, int(num_groundtruth[number])
            )
    kept.clear()
    if len(detections) >= MANY_ROWS:
        freed_memory.give_back()
    return [
        summarize(results, protocol, iou_threshold)
        for results, iou_threshold in zip(per_class, iou_thresholds, strict=True)
    ]
