"""Keyframes that two parts of an evaluation do not have in common."""

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.evaluation.coverage import unevaluated_keyframes, unmatched_exclusions


def table(*keyframes, empty=()):
    names, times = zip(*keyframes, strict=True)
    boxes = np.tile([0.1, 0.1, 0.5, 0.5], [len(names), 1])
    return AvaTable.from_columns(
        names, times, boxes, [1] * len(names), score=[0.5] * len(names), empty_keyframes=empty
    )


TRUTH = table(("v", 2.0), ("v", 2.0), ("v", 9.0), empty=[("w", 4.0)])
FOUND = table(("v", 2.0), ("u", 5.0))


def test_keyframes_that_were_not_evaluated_are_counted_once():
    def told(keyframes, excluded=None):
        return unevaluated_keyframes(TRUTH, "val.csv", keyframes, excluded)

    assert told([("v", 2.0), ("v", 9.0), ("w", 4.0), ("x", 1.0)]) == []
    assert told([("v", 2.0)]) == [
        "2 of the 3 keyframes of val.csv were not evaluated, the first is v,0009; their labels "
        "count as missed"
    ]
    assert told([("v", 2.0)], [("v", 9.0)])[0].startswith("1 of the 2 keyframes of val.csv")
    assert told([("v", 2.0)], {("v", 9.0), ("w", 4.0)}) == []


@pytest.mark.parametrize(
    "excluded",
    [
        [("v.mp4", 2.0), ("v.mp4", 9.0)],  # an id of another form
        [("v", 2000.0)],  # milliseconds
        [("v", 1.0)],  # from 0, the file from 900
    ],
)
def test_a_list_that_leaves_nothing_out_is_told(excluded):
    (told,) = unmatched_exclusions(set(excluded), TRUTH, FOUND)
    number = len(excluded)
    assert told.startswith(f"{number} of the {number} excluded keyframes are in neither")
    assert f"{excluded[0][0]},{int(excluded[0][1]):04d}" in told


@pytest.mark.parametrize(
    "excluded",
    [
        None,
        [],
        [("v.mp4", 2.0), ("v", 2.0)],  # one of them is there: of a subset of the data
        [("u", 5.0)],  # among the detections alone
        [("w", 4.0)],  # a keyframe of nobody
        [("x", 1.0)],  # of the run
        [("v", 5.0)],  # left out before, as those of AVA's annotations are
    ],
)
def test_a_list_of_this_data_is_not(excluded):
    assert unmatched_exclusions(excluded, TRUTH, FOUND, [("x", 1.0)]) == []
