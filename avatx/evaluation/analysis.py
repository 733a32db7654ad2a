"""Where the errors are: every breakdown of one detection file, as one JSON."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError
from avatx.evaluation import breakdowns, false_positives
from avatx.evaluation.action_groups import find_groups
from avatx.evaluation.confusion import confusion
from avatx.evaluation.frame_map import per_class_results, summarize
from avatx.evaluation.localization import evaluate_localization
from avatx.evaluation.matching import match_detections
from avatx.evaluation.people import find_people
from avatx.evaluation.protocol import DEFAULT_PROTOCOL, get_protocol


def analyze(
    groundtruth: AvaTable,
    detections: AvaTable,
    label_map: LabelMap,
    *,
    training: AvaTable | None = None,
    protocol: str = DEFAULT_PROTOCOL,
    iou_threshold: float = 0.5,
    excluded: Iterable[Keyframe] | None = None,
) -> dict[str, Any]:
    """Breaks the score down.

    Args:
      groundtruth: as of `avatx.evaluation.frame_map.evaluate`.
      detections: as of `evaluate`.
      label_map: as of `evaluate`.
      training: annotations that the detector was trained on, for how often each class was seen.
      protocol: as of `evaluate`.
      iou_threshold: as of `evaluate`.
      excluded: as of `evaluate`.

    Returns:
      A dict that is JSON: what `evaluate` returns without `per_class`, `person_AP`,
      `person_AP_75`, and `by_class`, `by_group`, `by_area`, `by_people`
      (`avatx.evaluation.breakdowns`), `rank_correlation` of AP and number of training labels
      (Spearman; None if unknown), `false_positives` and `confusion`.
    """
    rules = get_protocol(protocol)
    if not 0.0 < iou_threshold <= 1.0:
        raise UserError(f"iou_threshold is {iou_threshold}, expected above 0 and at most 1")
    excluded = None if excluded is None else list(excluded)
    matched = match_detections(groundtruth, detections, label_map, rules, iou_threshold, excluded)
    people = find_people(matched, groundtruth, label_map)
    groups = find_groups(label_map)
    per_class = per_class_results(matched, label_map)
    summary = summarize(per_class, protocol, iou_threshold)
    del summary["per_class"]
    classes = breakdowns.by_class(per_class, training, groups)
    kind = false_positives.kinds_of_detections(
        matched, people, detections, label_map, groups, iou_threshold
    )
    return {
        **summary,
        **evaluate_localization(groundtruth, detections, protocol=protocol, excluded=excluded),
        "num_keyframes": int(np.count_nonzero(matched.included)),
        "num_people": int(np.count_nonzero(people.labelled)),
        **{
            name: sum(one[name] for one in per_class.values())
            for name in ("num_groundtruth", "num_detections", "num_true_positives")
        },
        "by_class": classes,
        "rank_correlation": _rank_correlation(classes),
        "by_group": breakdowns.by_group(per_class, groups),
        "by_area": breakdowns.by_area(matched, people, detections, label_map, iou_threshold),
        "by_people": breakdowns.by_people(matched, people, label_map),
        "false_positives": false_positives.count_kinds(matched, kind, label_map),
        "confusion": confusion(matched, people, detections, label_map, iou_threshold),
    }


def _rank_correlation(classes) -> float | None:
    """Spearman's, of AP and number of training labels, over the classes with groundtruth."""
    known = [one for one in classes if one["ap"] is not None]
    if len(known) < 3 or known[0]["num_training_labels"] is None:
        return None
    ranks = [
        _ranks(np.array([one[name] for one in known], np.float64))
        for name in ("ap", "num_training_labels")
    ]
    if any(np.ptp(one) == 0 for one in ranks):
        return None
    return float(np.corrcoef(ranks)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """[N] float64, equal values share their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return ((last - count + last - 1) / 2)[place]
