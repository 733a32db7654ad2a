"""Keyframes some at a time: the same rows in the same order whatever the size of a block."""

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation import keyframe_blocks
from avatx.evaluation.frame_map import evaluate, evaluate_at
from avatx.evaluation.keyframe_blocks import blocks_of_keyframes
from avatx.evaluation.keyframe_index import Runs
from avatx.evaluation.localization import merge_detections

# Keyframe 5 comes back after 2; row 3 is not selected, so keyframe 9 is listed nowhere.
RUNS = Runs(np.array([5, 2, 9, 5], np.int32), np.array([0, 2, 3, 4, 6]))
SELECTED = np.array([False, True, True, False, True, True])


def listed(by_appearance, rows_at_once):
    blocks = blocks_of_keyframes(
        RUNS, SELECTED, by_appearance=by_appearance, rows_at_once=rows_at_once
    )
    return [tuple(column.tolist() for column in block) for block in blocks]


def test_by_appearance_in_one_block():
    assert listed(True, 100) == [([1, 4, 5, 2], [5, 5, 5, 2], [0, 0, 0, 1])]


def test_by_number_in_one_block():
    assert listed(False, 100) == [([2, 1, 4, 5], [2, 5, 5, 5], [0, 1, 1, 1])]


def test_a_keyframe_is_never_cut():
    assert listed(True, 1) == [([1, 4, 5], [5, 5, 5], [0, 0, 0]), ([2], [2], [0])]
    assert listed(True, 3) == listed(True, 1)


def test_nothing_selected():
    assert not list(blocks_of_keyframes(RUNS, np.zeros(6, bool), by_appearance=True))
    nothing = Runs(np.zeros(0, np.int32), np.zeros(1, np.int64))
    assert not list(blocks_of_keyframes(nothing, np.zeros(0, bool), by_appearance=True))


def tables(number):
    rng = np.random.default_rng(3)
    corner = rng.integers(0, 3, (number, 2)) / 10
    boxes = np.concatenate([corner, corner + rng.integers(1, 5, (number, 2)) / 10], axis=1)
    columns = (
        rng.choice(["a", "b", "c"], number).tolist(),
        900.0 + rng.integers(0, 3, number),
        boxes,
        rng.integers(1, 5, number),
    )
    truth = AvaTable.from_columns(*(column[: number // 4] for column in columns))
    scores = rng.integers(0, 40, number) / 40  # with ties
    return truth, AvaTable.from_columns(*columns, score=scores)


@pytest.mark.parametrize("protocol", ["AVA_2020", "AVA_2019", "AVA_2018"])
def test_small_blocks_give_the_same_numbers(monkeypatch, protocol):
    truth, found = tables(900)  # a hundred rows a keyframe, in no order
    names = LabelMap({1: "a", 2: "b", 4: "d"})
    whole = evaluate(truth, found, names, protocol=protocol)
    merged = merge_detections(found)
    assert 0.05 < whole["mAP"] < 0.95
    monkeypatch.setattr(keyframe_blocks.blocks_of_keyframes, "__kwdefaults__", {"rows_at_once": 7})
    assert evaluate(truth, found, names, protocol=protocol) == whole
    again = merge_detections(found)
    assert np.array_equal(again.boxes, merged.boxes) and np.array_equal(again.score, merged.score)


def test_two_thresholds_in_one_pass_are_two_evaluations():
    truth, found = tables(400)
    names = LabelMap({1: "a", 2: "b", 4: "d"})
    both = evaluate_at(truth, found, names, (0.3, 0.75))
    assert both == [evaluate(truth, found, names, iou_threshold=t) for t in (0.3, 0.75)]
    assert both[0]["mAP"] > both[1]["mAP"]
