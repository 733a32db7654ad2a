"""Frame-mAP as AVA scores it.

The Pascal VOC average precision of each class over all keyframes (all-point interpolation), and
its mean over the label map's classes that have groundtruth. `avatx.evaluation.protocol` names
the published versions; `avatx.evaluation.matching` decides true and false positives.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError
from avatx.evaluation.matching import MatchedDetections, match_detections
from avatx.evaluation.protocol import DEFAULT_PROTOCOL, get_protocol


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
        hits = true_positive[begin:end]
        results[str(number)] = {
            "name": name,
            "ap": average_precision(hits, int(num_groundtruth[number])),
            "num_groundtruth": int(num_groundtruth[number]),
            "num_detections": int(end - begin),
            "num_true_positives": int(np.count_nonzero(hits)),
        }
    return results


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
    rules = get_protocol(protocol)
    if not 0.0 < iou_threshold <= 1.0:
        raise UserError(f"iou_threshold is {iou_threshold}, expected above 0 and at most 1")
    matched = match_detections(
        groundtruth, detections, label_map, rules, iou_threshold, excluded, keyframes
    )
    return summarize(per_class_results(matched, label_map), protocol, iou_threshold)
