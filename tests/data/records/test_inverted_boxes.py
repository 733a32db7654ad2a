"""Rows of inverted boxes are left out of a plan; their keyframes stay, and other rows too."""

import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.data.records.ava_records import _check_number
from avatx.data.records.record_plan import RecordSettings, make_plan
from avatx.errors import UserError


def table(rows):
    video_id, timestamp, boxes, class_id = zip(*rows, strict=True)
    return AvaTable.from_columns(video_id, timestamp, boxes, class_id, person_id=[-1] * len(rows))


def test_they_are_left_out_and_their_keyframes_stay():
    good, flat = [0.1, 0.2, 0.5, 0.6], [0.25, 0.2, 0.25, 0.5]
    upside_down, left_right = [0.5, 0.2, 0.1, 0.6], [0.1, 0.6, 0.5, 0.2]
    rows = [("v", 1, good, 1), ("v", 1, upside_down, 1), ("v", 1, flat, 2), ("v", 2, left_right, 2)]
    plan = make_plan(
        table(rows), LabelMap({1: "a", 2: "b"}), lambda _: None, lambda _: {}, RecordSettings(), 1
    )
    (segment,) = plan.shards[0]
    boxes = [[row[:4] for row in keyframe.rows] for keyframe in segment.keyframes]
    assert boxes == [[tuple(good), tuple(flat)], []] and plan.dropped_classes == {}


def test_a_range_of_seconds_for_many_videos_is_bounded():
    few = table([("v", 1, [0, 0, 1, 1], 1), ("w", 1, [0, 0, 1, 1], 1)])
    _check_number((0, 9_999_999), few)
    with pytest.raises(UserError, match="0 10000000: 20,000,002 keyframes of 2 videos; expected"):
        _check_number((0, 10_000_000), few)
