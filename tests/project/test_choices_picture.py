"""Which keyframe a new project shows, and which moments are of which part."""

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
from avatx.project.choices_picture import _keyframe, _moments


def table(rows, empty=()):
    names, times, boxes = zip(*rows, strict=True)
    return AvaTable.from_columns(
        names, times, boxes, [1] * len(rows), person_id=[1] * len(rows), empty_keyframes=list(empty)
    )


ONE, TWO, THREE = (0.1, 0.1, 0.4, 0.4), (0.2, 0.5, 0.6, 0.8), (0.0, 0.0, 0.1, 0.9)


def test_the_keyframe_has_the_usual_number_of_people():
    rows = [("a", 1.0, ONE), ("b", 5.0, ONE), ("b", 5.0, TWO), ("b", 5.0, TWO)]
    rows += [("a", 3.0, ONE), ("a", 3.0, TWO), ("a", 3.0, THREE)]
    for people, expected in ((1.2, ("a", 1.0)), (2.1, ("b", 5.0)), (9.0, ("a", 3.0))):
        video_id, seconds, boxes = _keyframe(table(rows), people)
        assert (video_id, seconds) == expected
        # A person with two labels has one box.
        assert sorted(map(tuple, boxes)) == sorted(
            {box for name, time, box in rows if (name, time) == expected}
        )


def test_of_equals_the_middle_one():
    rows = [("a", float(second), ONE) for second in range(9)]
    assert _keyframe(table(rows), 1.0)[1] == 4.0


def test_moments_of_a_video():
    rows = [("a", 1.0, ONE), ("a", 1.0, TWO), ("b", 2.0, ONE), ("a", 0.5, ONE)]
    made = table(rows, empty=[("a", 7.0), ("c", 3.0)])
    assert _moments(made, "a").tolist() == [0.5, 1.0, 7.0]
    assert _moments(made, "c").tolist() == [3.0]
    assert _moments(made.select(np.zeros(0, int)), "b").tolist() == []
