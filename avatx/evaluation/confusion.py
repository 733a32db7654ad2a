"""Which actions a detector takes for which, on people whose box it found.

A person has several labels, so the usual confusion matrix does not fit. Ours is the one that
becomes the usual one where everybody has one label:

- A person with k labels is compared with the k classes that score highest on it. A class's score on
  a person is the highest of its detections that overlap this person more than any other, with
  at least the IoU threshold.
- A label among these k counts 1 in its own column.
- A label that is not among them counts 1 in all, shared evenly by the classes that took the place:
  those of the k that are not labels, and, where fewer than k classes were detected on the person,
  the column "nothing".

So a row, divided by its number of people, adds up to 1, and what several labels of a person have
in common is never counted as confusion.
"""

from typing import Any

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.matching import MatchedDetections
from avatx.evaluation.people import People, best_people

NUMBER_OF_PAIRS = 20


def confusion(
    matched: MatchedDetections,
    people: People,
    detections: AvaTable,
    label_map: LabelMap,
    iou_threshold: float,
) -> dict[str, Any]:
    """The matrix, over the people on whom at least one detection lies.

    Returns:
      `class_ids`: of rows and columns. `num_people`: of each row. `matrix`: rows of shares, a
      column a class and last the column "nothing"; a row is None where nobody has the label.
      `num_matched_people`, `num_unmatched_people`: with an evaluated label, with and without a
      detection. `pairs`: the most frequent confusions: `label`, `taken_for` (class ids), `people`
      (a sum of shares) and `share` (of those who have the label).
    """
    person, iou = best_people(matched, people, detections)
    on_person = np.flatnonzero((person >= 0) & (iou >= iou_threshold))
    width = people.labels.shape[1]
    found = np.zeros(len(people.labels), bool)
    found[person[on_person]] = True

    predicted = _top_classes(
        person[on_person],
        matched.class_id[on_person],
        matched.score[on_person],
        people.labels.sum(axis=1),
        people.labels.shape,
    )
    missed = people.labels & ~predicted
    wrong = predicted & ~people.labels
    nothing = missed.sum(axis=1) - wrong.sum(axis=1)  # places that no class took
    taken = np.column_stack([wrong, nothing]).astype(np.float64)
    taken /= np.maximum(missed.sum(axis=1, keepdims=True), 1)

    counts = np.zeros((width, width + 1))
    hits = (people.labels & predicted)[found].sum(axis=0)
    counts[np.arange(width), np.arange(width)] = hits
    counts += missed[found].astype(np.float64).T @ taken[found]
    number = people.labels[found].sum(axis=0)

    class_ids = list(label_map.names)
    columns = [*class_ids, width]
    matrix = [
        (counts[row, columns] / number[row]).tolist() if number[row] else None for row in class_ids
    ]
    unmatched = int(np.count_nonzero(people.labelled & ~found))
    return {
        "class_ids": class_ids,
        "num_people": number[class_ids].tolist(),
        "matrix": matrix,
        "num_matched_people": int(np.count_nonzero(people.labelled & found)),
        "num_unmatched_people": unmatched,
        "pairs": _pairs(counts, number, class_ids),
    }


def _top_classes(person, class_id, score, wanted, shape) -> np.ndarray:
    """[P, largest id + 1] bool: the `wanted[p]` highest-scoring classes of each person."""
    order = np.lexsort((class_id, -score, person))
    person, class_id = person[order], class_id[order]
    # A class may lie on a person twice: only the better one counts.
    _, first = np.unique(person.astype(np.int64) * shape[1] + class_id, return_index=True)
    first.sort()
    person, class_id = person[first], class_id[first]
    starts = np.flatnonzero(np.diff(person, prepend=-1))
    rank = np.arange(len(person)) - np.repeat(starts, np.diff(np.append(starts, len(person))))
    chosen = rank < wanted[person]
    top = np.zeros(shape, bool)
    top[person[chosen], class_id[chosen]] = True
    return top


def _pairs(counts, number, class_ids):
    pairs = [
        {
            "label": row,
            "taken_for": column,
            "people": float(counts[row, column]),
            "share": float(counts[row, column] / number[row]),
        }
        for row in class_ids
        for column in class_ids
        if row != column and counts[row, column] > 0
    ]
    return sorted(pairs, key=lambda pair: -pair["people"])[:NUMBER_OF_PAIRS]
