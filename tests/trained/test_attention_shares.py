"""Shares of attention inside boxes, by hand; which labels count; what is printed and written."""

import json
import types

import numpy as np
import pytest

from avatx.core.cell_view import CellView
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.concerned_csv import Concern
from avatx.data.input.clip_source import Clip
from avatx.errors import UserError
from avatx.trained.attention_shares import measure, share_inside, summarize, table

# I3D's: 10 x 12 cells look at pixel 16 i + 15 of 160 x 192.
CELLS = CellView.of([[3, 15, 15], [4, 16, 16], [8, 160, 192]])


@pytest.mark.parametrize(
    "box, area",
    [
        ([0, 0, 1, 1], 1),
        ([0.1, 0.25, 0.6, 0.35], 0.05),
        ([0, 0, 0.04, 0.5], 0.02),  # above where any cell looks
        ([0.5, 0.9, 1.2, 1.4], 0.05),  # what lies outside of the frame does not count
    ],
)
def test_even_attention_gives_the_areas_share(box, area):
    maps = np.full([2, 2, 10, 12], 0.125, np.float32)
    np.testing.assert_allclose(share_inside(maps, CELLS, np.array(box)), [area, area], rtol=1e-6)


def test_attention_lies_where_its_cell_looks():
    maps = np.zeros([3, 2, 10, 12])
    maps[0, 0, 4, 7] = 1  # looks at pixel (79, 127), nearest to rows 71.5 to 87.5, columns 119.5 to
    maps[1, 1, 4, 7], maps[1, 0, 8, 2] = 0.75, 0.25  # 135.5; the other is far from the box
    maps[2, :, 9, 11] = 0.5
    box = np.array([79.5 / 160, 100 / 192, 120 / 160, 127.5 / 192])  # a quarter of the cell
    found = share_inside(maps, CELLS, box)
    np.testing.assert_allclose(found, [0.25, 0.1875, 0], atol=1e-12)
    whole = np.array([71.5 / 160, 119.5 / 192, 87.5 / 160, 135.5 / 192])
    np.testing.assert_allclose(share_inside(maps, CELLS, whole), [1, 0.75, 0], atol=1e-12)
    last = np.array([151.5 / 160, 183.5 / 192, 1, 1])
    np.testing.assert_allclose(share_inside(maps, CELLS, last), [0, 0, 1], atol=1e-12)


class FakeModel:
    """Two heads: the first attends to the cell in the middle of the left half, or right half for a
    box on the left; the second evenly."""

    trained = types.SimpleNamespace(clip=types.SimpleNamespace(num_frames=8, frame_rate=8.0))

    def attend(self, clip, boxes):
        assert clip.shape == (8, 4, 4, 3)
        maps = np.zeros([len(boxes), 2, 1, 1, 2])
        for i, box in enumerate(boxes):
            maps[i, 0, 0, 0, int(box[1] < 0.5)] = 1
        maps[:, 1] = 0.5
        return maps, CellView.of([[3, 1.5, 0.5], [8, 4, 2], [8, 4, 4]])


class FakeSource:
    def prepare(self, wanted, offsets):
        self.wanted = list(wanted)

    def clip(self, video_id, keyframe, offsets):
        return Clip(np.zeros([8, 4, 4, 3], np.uint8), offsets)


LEFT, RIGHT, RIGHT_QUARTER = [0, 0, 1, 0.5], [0, 0.5, 1, 1], [0, 0.75, 1, 1]


def groundtruth():
    """Second 1: two people; second 2: three, one with two labels; second 3: one alone."""
    rows = [
        ("v", 1, LEFT, 80, 0),
        ("v", 1, RIGHT, 12, 1),
        ("v", 2, LEFT, 79, 0),
        ("v", 2, LEFT, 12, 0),
        ("v", 2, RIGHT, 74, 1),
        ("v", 2, RIGHT_QUARTER, 12, 2),
        ("v", 3, LEFT, 80, 0),
    ]
    videos, times, boxes, classes, people = zip(*rows, strict=True)
    return AvaTable.from_columns(videos, times, np.array(boxes), classes, person_id=people)


CONCERNS = [
    Concern("v", 1.0, 80, 0, 1),
    Concern("v", 2.0, 79, 0, 1),
    Concern("v", 2.0, 74, 1, 2),
    Concern("v", 3.0, 80, 0, 1),  # who is watched has no box
    Concern("w", 3.0, 80, 0, 1),
]


def test_every_label_of_two_boxes_counts():
    source, told = FakeSource(), []
    shares = measure(FakeModel(), groundtruth(), CONCERNS, source, lambda *n: told.append(n))
    assert source.wanted == [("v", 1_000_000), ("v", 2_000_000)] and told == [(1, 2), (2, 2)]
    assert [share.label for share in shares] == CONCERNS[:3]
    watch, talk, listen = shares
    # The person at the left attends to the right half; evenly, a half has half.
    np.testing.assert_allclose(watch.concerned, [1, 0.5])
    np.testing.assert_allclose(watch.own, [0, 0.5])
    assert np.isnan(watch.others).all() and np.isnan(watch.others_area)
    np.testing.assert_allclose(talk.concerned, [1, 0.5])
    np.testing.assert_allclose(talk.others, [0.5, 0.25])
    assert (talk.concerned_area, talk.own_area, talk.others_area) == (0.5, 0.5, 0.25)
    # The one at the right attends to the left: nothing of it on the quarter at the right.
    np.testing.assert_allclose(listen.concerned, [0, 0.25])
    np.testing.assert_allclose(listen.own, [0, 0.5])
    np.testing.assert_allclose(listen.others, [1, 0.5])


def test_the_summary_is_json_and_a_table():
    shares = measure(FakeModel(), groundtruth(), CONCERNS, FakeSource())
    summary = summarize(shares, len(CONCERNS), {80: "watch (a person)", 79: "talk to"})
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert (summary["num_labels"], summary["num_without_box"]) == (5, 2)
    assert [row["name"] for row in summary["classes"].values()] == [
        "class 74",
        "talk to",
        "watch (a person)",
    ]
    everything = summary["all"]
    assert everything["labels"] == 3
    assert everything["concerned"] == pytest.approx((0.75 + 0.75 + 0.125) / 3, abs=1e-6)
    assert everything["concerned_area"] == pytest.approx((0.5 + 0.5 + 0.25) / 3, abs=1e-6)
    beside = everything["beside_others"]
    assert beside["labels"] == 2
    assert beside["concerned"] == pytest.approx((0.75 + 0.125) / 2)
    assert beside["others"] == pytest.approx((0.375 + 0.75) / 2)
    assert [head["concerned"] for head in everything["heads"]] == pytest.approx(
        [2 / 3, 1.25 / 3], abs=1e-6
    )
    assert summary["classes"]["80"]["beside_others"] == {"labels": 0}
    assert summary["labels"][0]["others"] is None and summary["labels"][1]["own"] == [0, 0.5]
    lines = list(table(summary))
    assert lines[3].split() == [
        "watch",
        "(a",
        "person)",
        "1",
        "75.0%",
        "50.0%",
        "25.0%",
        "50.0%",
        "|",
        "0",
        "-",
        "-",
        "-",
        "-",
    ]
    assert lines[4].split()[:4] == ["all", "3", "54.2%", "41.7%"]
    assert lines[-1].startswith("2 of 5 labels are left out")


def test_files_that_do_not_fit_each_other():
    with pytest.raises(UserError, match="concerned: of its 1 rows none is of two people"):
        measure(FakeModel(), groundtruth(), CONCERNS[-1:], FakeSource())
    nameless = groundtruth()
    nameless.person_id = None
    with pytest.raises(UserError, match="groundtruth: has no ids of people"):
        measure(FakeModel(), nameless, CONCERNS, FakeSource())
