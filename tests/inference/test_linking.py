"""People numbered over time."""

import csv
import os

import numpy as np
import pytest

from avatx.core.people import Person
from avatx.inference.linking import Linker, generalised_iou

PETS = os.path.join(os.path.dirname(__file__), "../../../shared/data/pets09")


def people(*boxes):
    return [Person(np.array(box, np.float32), ()) for box in boxes]


def numbers(linker, time, *boxes):
    return [person.track for person in linker.link(time, people(*boxes))]


def test_generalised_iou_by_hand():
    a = np.array([[0.0, 0.0, 0.5, 0.4]])
    others = np.array(
        [[0.0, 0.0, 0.5, 0.4], [0.0, 0.2, 0.5, 0.6], [0.5, 0.4, 1.0, 0.8], [0, 0.6, 0.5, 1.0]]
    )
    # The hull of two that touch at a corner is 1 x 0.8, half of it empty; of two 0.2 apart a fifth.
    assert generalised_iou(a, others)[0] == pytest.approx([1, 1 / 3, -0.5, -0.2])
    assert generalised_iou(np.zeros([1, 4]), np.zeros([1, 4])).tolist() == [[0]]


def test_a_walker_keeps_its_number_without_overlap():
    linker = Linker(1.0)
    for time in range(6):
        x = 0.1 + 0.12 * time  # its width is 0.1
        assert numbers(linker, time, [0.5, 0.8, 0.7, 0.9], [0.3, x, 0.6, x + 0.1]) == [1, 2]


def test_two_who_pass_each_other_keep_theirs():
    linker = Linker(0.5)
    for step in range(9):
        a, b = 0.1 + 0.08 * step, 0.7 - 0.08 * step
        found = numbers(linker, step / 2, [0.3, b, 0.7, b + 0.1], [0.32, a, 0.72, a + 0.1])
        assert found == [1, 2]


def test_numbers_end_and_are_not_given_again():
    box, far = [0.2, 0.2, 0.6, 0.4], [0.2, 0.8, 0.6, 0.95]
    linker = Linker(1.0)
    assert numbers(linker, 0, box) == [1]
    assert numbers(linker, 1) == []
    assert numbers(linker, 2, box) == [1]  # unseen for one keyframe
    assert numbers(linker, 3, far) == [2]
    assert numbers(linker, 5.5, box, far) == [3, 4]
    # Of sparse keyframes two may be missed, whatever the seconds.
    sparse = Linker(10.0)
    assert [numbers(sparse, time, box) for time in (0, 20, 40.5)] == [[1], [1], [2]]
    assert numbers(Linker(0.001), 0, [0, 0, 0, 0], [0, 0, 0, 0]) == [1, 2]


def test_the_best_of_all_pairs_and_not_the_first():
    linker = Linker(1.0)
    assert numbers(linker, 0, [0.1, 0.1, 0.5, 0.3], [0.1, 0.34, 0.5, 0.54]) == [1, 2]
    # The box between both is nearer to 1's, but 1 has another one.
    assert numbers(linker, 1, [0.1, 0.18, 0.5, 0.38], [0.1, 0.04, 0.5, 0.24]) == [2, 1]


@pytest.mark.skipif(not os.path.isdir(PETS), reason="needs ../shared/data/pets09")
def test_real_people_a_second_apart():
    """98 % of PETS09's links; a fifth of these pairs do not touch."""
    boxes: dict[float, dict[str, list[float]]] = {}
    for split in ("train", "val"):
        with open(f"{PETS}/pets09_{split}.csv") as file:
            for _, time, x1, y1, x2, y2, _, who in csv.reader(file):
                boxes.setdefault(float(time), {})[who] = [float(v) for v in (y1, x1, y2, x2)]
    linker, last, right, wrong = Linker(1.0), {}, 0, 0
    for time in sorted(boxes):
        found = numbers(linker, time, *boxes[time].values())
        for who, number in zip(boxes[time], found, strict=True):
            if who in last:
                right, wrong = right + (last[who] == number), wrong + (last[who] != number)
            last[who] = number
    assert right + wrong == 868 and wrong <= 15
