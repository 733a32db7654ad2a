"""People in a frame: one box each with everything it does, gathered from detections or rows."""

from typing import NamedTuple

import numpy as np

from avatx.core.cell_view import CellView

# Two detections of different classes whose boxes overlap by this much are one person: per-class
# non-max suppression at 0.6 leaves nearly equal boxes of neighbouring proposals.
SAME_PERSON_IOU = 0.6


class Action(NamedTuple):
    """One action of a person."""

    class_id: int
    name: str
    score: float | None = None  # None for groundtruth

    @property
    def known_score(self) -> float:
        """The score of a detected action. Raises ValueError for groundtruth."""
        if self.score is None:
            raise ValueError(f"{self.name}: an annotated action has no score")
        return self.score


class Person(NamedTuple):
    """One person in a frame with everything it does."""

    box: np.ndarray  # [4] float32, yxyx, normalised
    actions: tuple[Action, ...]  # by descending score
    track: int | None = None  # the same number, the same person over time; None: not linked


class Attended(NamedTuple):
    """One person of a clip: L layers of heads, T' x H' x W' cells."""

    person: Person
    attention: np.ndarray  # [L, heads, T', H', W'] float32, each head's sums to 1
    keys: np.ndarray  # [L, heads, T', H', W', D] float32
    cells: CellView  # where the T' x H' x W' look


def merge_people(
    boxes: np.ndarray,
    classes: np.ndarray,
    scores: np.ndarray | None,
    class_names: dict[int, str],
    iou_threshold: float = SAME_PERSON_IOU,
) -> list[Person]:
    """Gathers detections of one class each, or groundtruth rows, into people.

    Greedy by descending score: a detection joins the person whose box (that of its best
    detection) it overlaps most, if by at least `iou_threshold`. An action found twice for one
    person keeps its higher score.

    Args:
      boxes: [N, 4] yxyx, normalised.
      classes: [N] class ids.
      scores: [N], or None for groundtruth.
      class_names: class id to name; an id without a name is written as "class 7".
      iou_threshold: least overlap of two boxes of one person.

    Returns:
      People by descending score of their best action.
    """
    people: list[tuple[np.ndarray, dict[int, float | None]]] = []  # box, class id to score
    for i in person_order(scores, len(boxes)):
        person = _most_overlapping(boxes[i], people, iou_threshold)
        if person is None:
            person = (boxes[i], {})
            people.append(person)
        score = None if scores is None else float(scores[i])
        person[1].setdefault(int(classes[i]), score)
    return [
        Person(
            box,
            tuple(
                Action(class_id, class_names.get(class_id, f"class {class_id}"), score)
                for class_id, score in actions.items()
            ),
        )
        for box, actions in people
    ]


def person_order(scores: np.ndarray | None, count: int) -> range | np.ndarray:
    """Indices by descending score; as they come where there are no scores."""
    return range(count) if scores is None else np.argsort(-np.asarray(scores), kind="stable")


def box_iou(box: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two yxyx boxes; 0 where both are empty."""
    top_left = np.maximum(box[:2], other[:2])
    bottom_right = np.minimum(box[2:], other[2:])
    intersection = float(np.prod(np.maximum(bottom_right - top_left, 0)))
    union = float(np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2])) - intersection
    return intersection / union if union > 0 else 0.0


def _most_overlapping(box, people, iou_threshold):
    overlaps = [box_iou(box, other) for other, _ in people]
    if not overlaps or max(overlaps) < iou_threshold:
        return None
    return people[int(np.argmax(overlaps))]
