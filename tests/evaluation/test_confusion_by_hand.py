"""Confusions of a handful of people, counted by hand."""

import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.confusion import confusion
from avatx.evaluation.matching import match_detections
from avatx.evaluation.people import find_people
from avatx.evaluation.protocol import get_protocol

NAMES = LabelMap({1: "sit", 2: "stand", 4: "walk"})
UNSCORED = 9


def place(number):
    """Boxes far from each other."""
    return [0.0, 0.1 * number, 0.5, 0.1 * number + 0.08]


def counted(people, found, iou_threshold=0.5):
    """people: labels of each; found: (person, class, score), or a box in place of a person."""
    rows = [(number, label) for number, labels in enumerate(people) for label in labels]
    groundtruth = AvaTable.from_columns(
        ["v"] * len(rows),
        [1.0] * len(rows),
        [place(number) for number, _ in rows],
        [label for _, label in rows],
        person_id=[number for number, _ in rows],
    )
    detections = AvaTable.from_columns(
        ["v"] * len(found),
        [1.0] * len(found),
        [place(who) if isinstance(who, int) else who for who, _, _ in found],
        [label for _, label, _ in found],
        [score for _, _, score in found],
    )
    rules = get_protocol("AVA_2020")
    matched = match_detections(groundtruth, detections, NAMES, rules, iou_threshold)
    everybody = find_people(matched, groundtruth, NAMES)
    return confusion(matched, everybody, detections, NAMES, iou_threshold)


def test_one_label_each_is_the_usual_matrix():
    found = counted(
        [[1], [1], [1], [2], [2]],
        [(0, 1, 0.9), (1, 2, 0.9), (1, 1, 0.8), (2, 4, 0.9), (3, 2, 0.5), (4, 4, 0.6), (4, 1, 0.7)],
    )
    assert found["class_ids"] == [1, 2, 4]
    third = pytest.approx(1 / 3)
    assert found["matrix"] == [[third, third, third, 0], [0.5, 0.5, 0, 0], None]
    assert found["num_people"] == [3, 2, 0]
    # The most frequent one first; of equal ones the order of the rows.
    assert [(p["label"], p["taken_for"], p["people"]) for p in found["pairs"]] == [
        (1, 2, 1),
        (1, 4, 1),
        (2, 1, 1),
    ]


def test_the_most_frequent_confusion_comes_first():
    found = counted([[1], [2], [2], [2]], [(0, 2, 0.9), (1, 4, 0.9), (2, 4, 0.9), (3, 2, 0.9)])
    assert [(p["label"], p["taken_for"], p["people"], p["share"]) for p in found["pairs"]] == [
        (2, 4, 2, pytest.approx(2 / 3)),
        (1, 2, 1, 1),
    ]


def test_a_missed_label_is_shared_by_what_took_its_place():
    """Two labels, one of them found, one place taken by another class."""
    found = counted([[1, 2]], [(0, 1, 0.9), (0, 4, 0.8), (0, 2, 0.7)])
    assert found["matrix"] == [[1, 0, 0, 0], [0, 0, 1, 0], None]
    # Only one class was detected: nothing took the other place.
    found = counted([[1, 2]], [(0, 1, 0.9)])
    assert found["matrix"] == [[1, 0, 0, 0], [0, 0, 0, 1], None]
    # Both missed, one other class detected: each is half taken for it, half for nothing.
    found = counted([[1, 2]], [(0, 4, 0.9)])
    assert found["matrix"] == [[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], None]


def test_the_higher_score_of_a_class_counts():
    found = counted([[1]], [(0, 2, 0.3), (0, 1, 0.5), (0, 2, 0.9)])
    assert found["matrix"][0] == [0, 1, 0, 0]
    found = counted([[2]], [(0, 2, 0.5), (0, 1, 0.5)])
    assert found["matrix"][1] == [1, 0, 0, 0]  # of equal scores the lower id


def test_people_without_a_detection_or_without_a_scored_label():
    found = counted([[1], [2], [UNSCORED], [UNSCORED]], [(0, 1, 0.9), (2, 2, 0.9)])
    assert (found["num_matched_people"], found["num_unmatched_people"]) == (1, 1)
    assert found["num_people"] == [1, 0, 0]


def test_a_box_beside_a_person_says_nothing_of_them():
    beside = [0.0, 0.04, 0.5, 0.12]  # IoU 1 / 3
    assert counted([[1]], [(beside, 2, 0.9)])["num_unmatched_people"] == 1
    found = counted([[1]], [(beside, 2, 0.9)], iou_threshold=0.3)
    assert found["matrix"][0] == [0, 1, 0, 0]
