"""What is computed for a picture, by hand: colours of kinds, cells, shares, sizes."""

import numpy as np
import pytest

from avatx.core import people
from avatx.core.cell_view import evenly
from avatx.core.people import Action, Person
from avatx.pictures import attention, boxes, embedding

ONE_CELL = evenly((1, 1, 1), 1)


def box_of_iou(iou):
    by = 0.4 * (1 - iou) / (1 + iou)
    return [0.0, by, 0.5, 0.4 + by]


@pytest.mark.parametrize("iou, count", [(0.58, 2), (0.62, 1)])
def test_six_tenths_of_overlap_are_one_person(iou, count):
    found = people.merge_people(
        np.array([box_of_iou(iou), [0.0, 0.0, 0.5, 0.4]]),
        np.array([1, 2]),
        np.array([0.3, 0.7]),
        {1: "a", 2: "b"},
    )
    assert len(found) == count
    assert [action.name for action in found[0].actions] == ["b", "a"][: 3 - count]
    np.testing.assert_array_equal(found[0].box, [0.0, 0.0, 0.5, 0.4])  # of the better one


def test_a_detection_joins_the_person_whom_it_overlaps_most():
    near, nearest = box_of_iou(0.65), box_of_iou(0.9)
    found = people.merge_people(
        np.array([near, nearest, [0.0, 0.0, 0.5, 0.4]]),
        np.array([1, 2, 3]),
        np.array([0.9, 0.8, 0.7]),
        {},
        iou_threshold=0.8,
    )
    assert [[action.name for action in one.actions] for one in found] == [
        ["class 1"],
        ["class 2", "class 3"],
    ]


def test_an_action_found_twice_keeps_its_higher_score():
    box = [0.0, 0.0, 0.5, 0.4]
    (found,) = people.merge_people(
        np.array([box, box]), np.array([1, 1]), np.array([0.3, 0.7]), {1: "a"}
    )
    assert found.actions == (Action(1, "a", 0.7),)


def test_iou_by_hand():
    box = np.array([0.0, 0.0, 0.5, 0.4])
    assert people.box_iou(box, np.array([0.0, 0.1, 0.5, 0.5])) == pytest.approx(0.15 / 0.25)
    assert people.box_iou(box, np.array([0.25, 0.0, 0.5, 0.4])) == pytest.approx(0.5)
    assert people.box_iou(box, np.array([0.5, 0.4, 0.9, 0.9])) == 0
    assert people.box_iou(np.zeros(4), np.zeros(4)) == 0


def test_enlarged_by_the_shorter_side():
    assert boxes.upscale(np.zeros([20, 50, 3], np.uint8), 40).shape == (40, 100, 3)
    assert boxes.upscale(np.zeros([50, 20, 3], np.uint8), 40).shape == (100, 40, 3)
    assert boxes.upscale(np.zeros([40, 50, 3], np.uint8), 40).shape == (40, 50, 3)


def test_no_more_actions_are_drawn_than_asked_for():
    frame = np.zeros([200, 200, 3], np.uint8)
    actions = tuple(Action(class_id, "walk", 0.5) for class_id in (1, 2, 3, 4))
    person = Person(np.array([0.5, 0.1, 0.9, 0.9]), actions)

    def rows(count):
        drawn = boxes.draw_people(frame, [person], {}, max_actions=count)
        return (drawn[:98].max(axis=(1, 2)) > 0).sum()  # over the box

    heights = [rows(count) for count in (1, 2, 3)]
    assert heights[2] - heights[1] == heights[1] - heights[0] >= heights[0] > 0


def test_moments_are_spread_evenly():
    assert attention.spread_cells(2, 8) == [2, 6]
    assert attention.spread_cells(3, 8) == [1, 4, 6]
    assert attention.spread_cells(9, 3) == [0, 1, 2]


def test_shares_of_attention_add_up(monkeypatch):
    captions = []
    monkeypatch.setattr(
        attention, "contact_sheet", lambda tiles, *_: captions.extend(t.caption for t in tiles)
    )
    maps = np.zeros([1, 2, 2, 2, 2])
    maps[0, 0, 0] = 0.25  # the first head attends to the first cell alone
    maps[0, 1, 0], maps[0, 1, 1] = 0.05, 0.2
    attention.attention_sheet(
        np.zeros([8, 4, 4, 3], np.uint8),
        np.arange(8) / 4 - 1,
        Person(np.array([0, 0, 1, 1]), ()),
        maps,
        evenly((2, 2, 2), 8),
        columns=2,
    )
    assert captions == [
        "-0.50 s",
        "+0.50 s",
        "mean of heads: 60%",
        "mean of heads: 40%",
        "head 1: 100%",
        "head 1: 0%",
        "head 2: 20%",
        "head 2: 80%",
    ]


def test_three_axes_explain_their_share():
    """Variances 8, 4, 2, 1 along four axes: three of them hold 14 of 15."""
    vectors = np.concatenate(
        [s * np.sqrt(v) * np.eye(4)[[i]] for i, v in enumerate((8, 4, 2, 1)) for s in (-1, 1)]
    )
    projection = embedding.fit_projection(vectors)
    assert projection.explained == pytest.approx(14 / 15)
    np.testing.assert_allclose(projection.axes, np.eye(4)[:3], atol=1e-9)  # largest entry positive
    negative = embedding.fit_projection(-vectors)
    np.testing.assert_allclose(negative.axes, np.eye(4)[:3], atol=1e-9)


def test_colours_run_from_the_second_to_the_last_but_two_percent():
    values = np.arange(101.0)[:, np.newaxis] * [1, 0, 0]
    projection = embedding.fit_projection(values)
    assert (projection.low[0], projection.high[0]) == pytest.approx((-48, 48))
    found = projection.colours(
        np.array([[0.0, 0, 0], [2, 0, 0], [50, 0, 0], [98, 0, 0], [100, 0, 0]])
    )
    assert found[:, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("shade, dark, light", [(0.0, 200, 200), (0.5, 100, 200), (1.0, 0, 200)])
def test_the_frame_shades_its_colours(shade, dark, light):
    frame = np.zeros([4, 4, 3], np.uint8)
    frame[:, 2:] = 255
    painted = embedding.paint(frame, np.full([1, 1, 3], 200, np.uint8), ONE_CELL, shade)
    assert painted[0, 0].tolist() == [dark] * 3 and painted[0, 3].tolist() == [light] * 3


def test_a_map_is_relative_to_the_maximum_given():
    frame = np.zeros([4, 4, 3], np.uint8)
    weights = np.full([1, 1], 0.5)
    own = attention.overlay(frame, weights, ONE_CELL)
    halved = attention.overlay(frame, weights, ONE_CELL, maximum=1.0)
    assert own.sum() > halved.sum() > 0
    np.testing.assert_array_equal(own, attention.overlay(frame, 2 * weights, ONE_CELL, 0.5))


def test_frames_of_a_clip_are_shown_by_one_maximum():
    frame, box = np.full([8, 8, 3], 90, np.uint8), np.zeros(4)
    maps = np.stack([np.full([2, 2], 1.0), np.full([2, 2], 4.0)])
    cells = evenly((2, 2, 2), 2)
    faint, bright = (
        attention.attention_tile(frame, maps, cells, cell, box, "{share}") for cell in (0, 1)
    )
    expected = attention.overlay(frame, np.full([1, 1], 0.25), ONE_CELL, maximum=1.0)
    np.testing.assert_array_equal(faint.image[4, 4], expected[4, 4])  # away from the box
    assert bright.image[4, 4].sum() > faint.image[4, 4].sum()
    assert (faint.caption, bright.caption) == ("0.2", "0.8")


@pytest.mark.parametrize("text", ["gießen", "прыгать", "être assis", "ξεχνώ", "Ağlamak", "ćwiczyć"])
def test_names_of_other_languages_are_drawn(text):
    """What a font lacks it draws as an empty box, the same for all."""
    font = boxes.load_font(20)
    missing = bytes(font.getmask("\U0010ffff"))
    assert all(bytes(font.getmask(letter)) != missing for letter in text if letter != " ")
