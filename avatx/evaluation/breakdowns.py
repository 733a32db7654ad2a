"""The score of parts of the data: by box area, number of people, class, and group of classes.

Paper, section 5 and figure 5. All are computed from one matching of everything, so the rules of
the protocol (its limit of rows a keyframe, too) were applied before anything is set apart.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.frame_map import per_class_results
from avatx.evaluation.matching import MatchedDetections
from avatx.evaluation.people import People, box_area

NUMBER_OF_AREA_BINS = 5
PEOPLE_BINS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, None))  # from, to; None: and more


def part(
    matched: MatchedDetections,
    label_map: LabelMap,
    detections: np.ndarray | None = None,
    groundtruth: np.ndarray | None = None,
) -> dict[str, Any]:
    """The score of some detections against some groundtruth.

    Args:
      matched: of the whole.
      label_map: the classes that are evaluated.
      detections: [D] bool, which of the matched detections belong to the part; None for all.
      groundtruth: [G] bool, which of the groundtruth belongs to the part; None for all.

    Returns:
      `mAP` (None if no class has groundtruth here), `num_classes_with_groundtruth`, the sums
      `num_groundtruth`, `num_detections` and `num_true_positives`, and `per_class`.
    """
    return sum_up(per_class_results(matched, label_map, detections, groundtruth))


def sum_up(per_class: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """As `part`, from its `per_class`."""
    known = [one["ap"] for one in per_class.values() if one["ap"] is not None]
    counts = ("num_groundtruth", "num_detections", "num_true_positives")
    return {
        "mAP": float(np.mean(known)) if known else None,
        "num_classes_with_groundtruth": len(known),
        **{name: sum(one[name] for one in per_class.values()) for name in counts},
        "per_class": per_class,
    }


def equal_count_edges(areas: np.ndarray, number_of_bins: int) -> list[float | None]:
    """Edges between bins of equally many areas, midway between neighbours; the last is open.

    Args:
      areas: [N] float64.
      number_of_bins: at most so many.

    Returns:
      0, the inner edges, None. Fewer bins where there are fewer areas, or equal ones.
    """
    areas = np.sort(areas)
    cuts = [round(k * len(areas) / number_of_bins) for k in range(1, number_of_bins)]
    inner = {float((areas[cut - 1] + areas[cut]) / 2) for cut in cuts if 0 < cut < len(areas)}
    return [0.0, *sorted(inner - {0.0}), None]


def by_area(
    matched: MatchedDetections,
    people: People,
    detections: AvaTable,
    label_map: LabelMap,
    iou_threshold: float,
    edges: Sequence[float | None] | None = None,
) -> list[dict[str, Any]]:
    """The score by the share of the frame that the person's box covers.

    A detection belongs to the bin of the groundtruth box of its class that it overlaps most, if
    the IoU reaches `iou_threshold`, else to the bin of its own area. So the bins partition
    groundtruth, detections, true and false positives.

    Args:
      matched: `detections` matched to groundtruth.
      people: the different boxes of groundtruth.
      detections: the table that was matched.
      label_map: the classes that are evaluated.
      iou_threshold: IoU from which a detection is in its groundtruth box's bin.
      edges: bins hold `edges[i] <= area < edges[i + 1]`; None for bins with equally many people
        who have an evaluated label.

    Returns:
      A dict for each bin, as `part` and with `low`, `high` (None: open) and `num_people`.
    """
    labelled_area = people.area[people.labelled]
    if edges is None:
        edges = equal_count_edges(labelled_area, NUMBER_OF_AREA_BINS)
    inner = np.array(edges[1:-1], np.float64)
    gt_bin = np.searchsorted(inner, people.area[people.of_groundtruth], side="right")
    detection_bin = np.searchsorted(inner, box_area(detections.boxes[matched.row]), side="right")
    bound = (matched.best_groundtruth >= 0) & (matched.best_iou >= iou_threshold)
    detection_bin[bound] = gt_bin[matched.best_groundtruth[bound]]
    people_bin = np.searchsorted(inner, labelled_area, side="right")
    return [
        {
            "low": edges[number],
            "high": edges[number + 1],
            "num_people": int(np.count_nonzero(people_bin == number)),
            **part(matched, label_map, detection_bin == number, gt_bin == number),
        }
        for number in range(len(edges) - 1)
    ]


def by_people(
    matched: MatchedDetections,
    people: People,
    label_map: LabelMap,
    bins: Sequence[tuple[int, int | None]] = PEOPLE_BINS,
) -> list[dict[str, Any]]:
    """The score by the number of people (different boxes, of any class) in the keyframe.

    A bin holds groundtruth and detections of its keyframes, whatever the protocol: AVA_2018 and
    AVA_2019, given the bin's groundtruth alone, would count detections on all other keyframes as
    false. Keyframes without anybody are in no bin.

    Returns:
      A dict for each bin, as `part` and with `low`, `high` (None: open) and `num_keyframes`.
    """
    count = np.bincount(people.keyframe, minlength=len(matched.included))
    results = []
    for low, high in bins:
        inside = (count >= low) & (count <= (np.inf if high is None else high))
        results.append(
            {
                "low": low,
                "high": high,
                "num_keyframes": int(np.count_nonzero(inside)),
                **part(
                    matched,
                    label_map,
                    inside[matched.keyframe],
                    inside[matched.groundtruth_keyframe],
                ),
            }
        )
    return results


def by_group(per_class: dict[str, dict[str, Any]], groups: dict[int, str]) -> list[dict[str, Any]]:
    """The mean over each group's classes that have groundtruth.

    Args:
      per_class: of everything.
      groups: class id to group, as `avatx.evaluation.action_groups.find_groups`.

    Returns:
      A dict for each group: `group`, and as `part` without `per_class`.
    """
    results = []
    for group in dict.fromkeys(groups.values()):
        members = {key: one for key, one in per_class.items() if groups.get(int(key)) == group}
        summary = sum_up(members)
        del summary["per_class"]
        results.append({"group": group, **summary})
    return results


def by_class(
    per_class: dict[str, dict[str, Any]], training: AvaTable | None, groups: dict[int, str]
) -> list[dict[str, Any]]:
    """Classes by how often they were trained, the rarest first.

    Args:
      per_class: of `avatx.evaluation.frame_map.per_class_results`.
      training: the training annotations; None where unknown: then by groundtruth count.
      groups: class id to group.

    Returns:
      The dicts of `per_class` with `id`, `group` (None if there is none) and
      `num_training_labels` (None if unknown).
    """
    rows = []
    for key, one in per_class.items():
        labels = None
        if training is not None:
            labels = int(np.count_nonzero(training.class_id == int(key)))
        rows.append(
            {"id": int(key), "group": groups.get(int(key)), "num_training_labels": labels, **one}
        )
    name = "num_groundtruth" if training is None else "num_training_labels"
    return sorted(rows, key=lambda row: row[name])
