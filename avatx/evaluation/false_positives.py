"""What kind of mistake each false positive is.

After Hoiem et al., "Diagnosing Error in Object Detectors" (ECCV 2012), whose question is what the
N best detections of a class are, N being the number of its groundtruth boxes: a perfect detector
has N true ones. Kinds and their order of precedence follow TIDE (Bolya et al., ECCV 2020): a box
that is right for a person counts as confusion of actions even if a neighbour, overlapped a little,
does the action; Hoiem et al. would call that a localisation error.
"""

from typing import Any

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.matching import MatchedDetections
from avatx.evaluation.people import People, best_people

OVERLAPS_AT_ALL = 0.1  # IoU from which a box has to do with another; T where that is less

# In order of precedence. T is the IoU threshold of the evaluation, LOW `overlaps_at_all` of it.
KINDS = {
    "true_positive": "found",
    "duplicate": "IoU of T or more with a box of the class that a higher score has found already",
    "similar_action": "IoU of T or more with a person who does not do this, but does another "
    "action of the same group",
    "other_action": "IoU of T or more with a person who does not do this, nor another action of "
    "the same group",
    "localization": "IoU of LOW to T with a box of the class",
    "box_and_action": "IoU of LOW to T with a person who does not do this",
    "background": "no person with an IoU of LOW",
}


def overlaps_at_all(iou_threshold: float) -> float:
    """The IoU from which a box has to do with another: never more than what is enough."""
    return min(OVERLAPS_AT_ALL, iou_threshold)


def describe_kinds(iou_threshold: float) -> dict[str, str]:
    """`KINDS` with the numbers of this threshold in its words."""
    low = f"{overlaps_at_all(iou_threshold):g}"
    return {
        kind: text.replace(" LOW", f" {low}").replace(" T", f" {iou_threshold:g}")
        for kind, text in KINDS.items()
    }


def kinds_of_detections(
    matched: MatchedDetections,
    people: People,
    detections: AvaTable,
    label_map: LabelMap,
    groups: dict[int, str],
    iou_threshold: float,
) -> np.ndarray:
    """The kind of each detection.

    Args:
      matched: `detections` matched to groundtruth.
      people: the different boxes of groundtruth.
      detections: the table that was matched.
      label_map: the classes that are evaluated.
      groups: class id to group; where a class has none, no action is similar to it.
      iou_threshold: IoU from which a detection is on a person.

    Returns:
      [D] int8, place in `KINDS`.
    """
    person, iou = best_people(matched, people, detections)
    on_person = (person >= 0) & (iou >= iou_threshold)
    similar = np.zeros(len(person), bool)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups.values()), 1)}
    group_of_class = np.zeros(label_map.max_id + 1, np.int8)  # 0: none
    for class_id, group in groups.items():
        group_of_class[class_id] = numbers[group]
    does_group = np.zeros((len(people.labels), len(numbers) + 1), bool)
    for number in numbers.values():
        does_group[:, number] = people.labels[:, group_of_class == number].any(axis=1)
    similar[on_person] = does_group[person[on_person], group_of_class[matched.class_id[on_person]]]

    low = overlaps_at_all(iou_threshold)
    same_class = np.where(matched.best_groundtruth >= 0, matched.best_iou, 0.0)
    conditions = [
        matched.true_positive,
        same_class >= iou_threshold,
        on_person & similar,
        on_person,
        same_class >= low,
        (person >= 0) & (iou >= low),
    ]
    return np.select(conditions, list(range(len(conditions))), len(conditions)).astype(np.int8)


def count_kinds(
    matched: MatchedDetections, kind: np.ndarray, label_map: LabelMap
) -> dict[str, Any]:
    """Counts by kind.

    Args:
      matched: the detections, matched to groundtruth.
      kind: of `kinds_of_detections`.
      label_map: the classes that are evaluated.

    Returns:
      `top`: among each class's N best detections, N being the number of its groundtruth, all
      classes together; `all`: among all detections; each a dict of kind to count. `per_class`:
      id to the same two. `confused_with_neighbour`: of `all`, those on a person who does not do
      it while another person of the keyframe does.
    """
    number_of_groundtruth = np.bincount(
        matched.groundtruth_class_id, minlength=label_map.max_id + 1
    )
    per_class = {}
    for class_id in label_map.names:
        begin, end = np.searchsorted(matched.class_id, [class_id, class_id + 1])
        top = min(end, begin + number_of_groundtruth[class_id])  # sorted by rank
        per_class[str(class_id)] = {"top": _count(kind[begin:top]), "all": _count(kind[begin:end])}
    names = list(KINDS)
    confused = np.isin(kind, [names.index("similar_action"), names.index("other_action")])
    neighbour = confused & (matched.best_groundtruth >= 0)
    return {
        **{
            name: {one: sum(counts[name][one] for counts in per_class.values()) for one in KINDS}
            for name in ("top", "all")
        },
        "confused_with_neighbour": int(np.count_nonzero(neighbour)),
        "per_class": per_class,
    }


def _count(kind: np.ndarray) -> dict[str, int]:
    return dict(zip(KINDS, np.bincount(kind, minlength=len(KINDS)).tolist(), strict=True))
