"""The groundtruth as people: each box of a keyframe once, with all of its labels."""

from typing import NamedTuple

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.matching import MatchedDetections, best_overlaps


class People(NamedTuple):
    """P people of the keyframes that count, by keyframe; a box of another class is one too.

    Boxes of one keyframe with the same four coordinates are one person.
    """

    boxes: np.ndarray  # [P, 4] float64
    keyframe: np.ndarray  # [P] int32, as in `MatchedDetections`
    labels: np.ndarray  # [P, largest class id + 1] bool, evaluated classes only
    of_groundtruth: np.ndarray  # [G] int, the person of each groundtruth of `MatchedDetections`

    @property
    def area(self) -> np.ndarray:
        """[P] float64, share of the frame; 0 for inverted boxes."""
        return box_area(self.boxes)

    @property
    def labelled(self) -> np.ndarray:
        """[P] bool: has an evaluated label."""
        return self.labels.any(axis=1)


@np.errstate(over="ignore", invalid="ignore")
def box_area(boxes: np.ndarray) -> np.ndarray:
    """[N, 4] to [N] float64, finite: 0 of no number, the largest there is of a larger one."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return np.nan_to_num(sides[:, 0] * sides[:, 1])


def find_people(matched: MatchedDetections, groundtruth: AvaTable, label_map: LabelMap) -> People:
    """The people of the groundtruth that `matched` was made from."""
    keyframe = matched.keyframes.of_table(0)
    rows = np.flatnonzero(matched.included[keyframe])
    columns = np.column_stack([keyframe[rows].astype(np.float64), groundtruth.boxes[rows]]) + 0.0
    _, first, person = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    person_of_row = np.full(len(groundtruth), -1)
    person_of_row[rows] = person.reshape(-1)
    of_groundtruth = person_of_row[matched.groundtruth_row]
    labels = np.zeros((len(first), label_map.max_id + 1), bool)
    labels[of_groundtruth, matched.groundtruth_class_id] = True
    return People(groundtruth.boxes[rows[first]], keyframe[rows[first]], labels, of_groundtruth)


def best_people(
    matched: MatchedDetections, people: People, detections: AvaTable
) -> tuple[np.ndarray, np.ndarray]:
    """For each of D detections the person of highest IoU, whatever it does.

    Returns:
      [D] int64 into `people`, -1 where the keyframe has nobody; [D] float64 IoU.
    """
    return best_overlaps(
        people.boxes, people.keyframe, detections.boxes, matched.row, matched.keyframe
    )
