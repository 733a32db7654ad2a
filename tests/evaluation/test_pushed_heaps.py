"""Many heaps at once, against Python's one by one."""

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.evaluation import row_order
from avatx.evaluation.row_order import heap_order, order_in_keyframes

SCORES = {
    "all equal": [1.0],
    "some equal": [0.0, -0.0, 1.0, 2.0, np.inf],
    "with NaN": [0.5, 1.0, np.nan],
}


@pytest.mark.parametrize("capacity", [None, 5, 50])
@pytest.mark.parametrize("scores", SCORES)
def test_as_one_heap_after_the_other(scores, capacity):
    random = np.random.default_rng(len(scores))
    counts = [1, 2, 3, 4, 5, 6, 7, 15, 16, 31, 33, 64, 65, 90] * 3
    random.shuffle(counts)
    keyframe = np.repeat(np.arange(len(counts)), counts)
    number = len(keyframe)
    table = AvaTable.from_columns(
        ["v"] * number,
        keyframe,
        random.integers(0, 3, (number, 4)) / 2.0,  # many boxes are equal, and so whole tuples
        random.integers(1, 3, number),
    )
    rows, score = random.permutation(number), random.choice(SCORES[scores], number)
    through_heap = random.random(len(counts)) < 0.8
    found = order_in_keyframes(table, rows, keyframe, score, through_heap, capacity)
    expected = [
        heap_order(table, rows[keyframe == one], score[keyframe == one], capacity)
        for one in np.flatnonzero(through_heap)
    ]
    np.testing.assert_array_equal(found, np.concatenate(expected))


def test_small_heaps_need_no_heap_of_python(monkeypatch):
    monkeypatch.setattr(row_order, "heap_order", lambda *_: pytest.fail("one by one"))
    table = AvaTable.from_columns(["v"] * 3, [1.0] * 3, np.eye(3, 4), [1] * 3)
    found = order_in_keyframes(
        table, np.arange(3), np.zeros(3, int), np.ones(3), np.ones(1, bool), None
    )
    assert found.tolist() == [2, 0, 1]
