"""Boxes, contact sheets and attention overlays."""

import numpy as np
import pytest

from avatx.core.cell_view import evenly
from avatx.core.people import Action, Person, merge_people
from avatx.pictures import attention as attention_pictures
from avatx.pictures import boxes
from avatx.pictures.attention import attention_sheet, overlay
from avatx.pictures.boxes import draw_people
from avatx.pictures.contact_sheet import Tile, contact_sheet

NAMES = {12: "stand", 17: "carry/hold (an object)", 80: "watch (a person)"}


def test_merge_people_gathers_classes_of_one_box():
    box, shifted, other = [0.1, 0.1, 0.9, 0.4], [0.12, 0.1, 0.9, 0.41], [0.1, 0.6, 0.9, 0.9]
    people = merge_people(
        np.array([box, other, shifted, box], np.float32),
        np.array([12, 12, 80, 80]),
        np.array([0.5, 0.9, 0.3, 0.2]),
        NAMES,
    )
    assert [person.box.tolist() for person in people] == [pytest.approx(other), pytest.approx(box)]
    # The action found twice keeps its higher score.
    assert people[1].actions == (Action(12, "stand", 0.5), Action(80, "watch (a person)", 0.3))


def test_merge_people_of_nothing_and_of_groundtruth():
    assert merge_people(np.zeros([0, 4]), np.zeros([0], int), np.zeros([0]), NAMES) == []
    people = merge_people(np.array([[0, 0, 1, 1.0]] * 2), np.array([17, 99]), None, NAMES)
    assert [(action.name, action.score) for action in people[0].actions] == [
        ("carry/hold (an object)", None),
        ("class 99", None),
    ]


@pytest.mark.parametrize("size", [(48, 64), (160, 192), (576, 768)])
def test_draw_people_marks_the_box_and_leaves_the_input(size):
    frame = np.full([*size, 3], 90, np.uint8)
    person = Person(np.array([0.4, 0.3, 0.8, 0.6]), (Action(12, "stand", 0.9),))
    drawn = draw_people(frame, [person], {})
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    assert (frame == 90).all()
    changed = np.argwhere((drawn != frame).any(-1))
    # The box's corners are touched, and nothing far below the box.
    ymin, xmin, ymax, xmax = np.round(person.box * (np.array([*size, *size]) - 1)).astype(int)
    for corner in [(ymin, xmin), (ymax, xmax)]:
        assert np.abs(changed - corner).max(axis=1).min() <= 1
    assert changed[:, 0].max() <= ymax + 2


def test_draw_people_at_the_borders_and_with_degenerate_boxes():
    frame = np.zeros([100, 120, 3], np.uint8)
    actions = tuple(Action(i, f"a rather long action name {i}", 0.5) for i in range(1, 8))
    for box in ([0, 0, 1, 1], [-1, -1, 2, 2], [0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 0.1, 0.1]):
        drawn = draw_people(frame, [Person(np.array(box), actions)], {})
        assert drawn.shape == frame.shape and drawn.any()


def test_upscale_keeps_aspect_and_large_frames():
    assert boxes.upscale(np.zeros([160, 192, 3], np.uint8), 480).shape == (480, 576, 3)
    large = np.zeros([720, 1280, 3], np.uint8)
    assert boxes.upscale(large, 480) is large


def test_contact_sheet_holds_every_tile():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    tiles = [
        Tile(np.broadcast_to(np.uint8(colour), (40 + 10 * i, 60, 3)), f"tile {i}" * 30)
        for i, colour in enumerate(colours)
    ]
    sheet = contact_sheet(tiles, columns=2, tile_width=90, title="three")
    for i, colour in enumerate(colours):
        count = (np.abs(sheet.astype(int) - colour).max(-1) < 3).sum()
        assert count == pytest.approx(90 * (40 + 10 * i) * 1.5, rel=0.05)
    with pytest.raises(ValueError, match="no tiles"):
        contact_sheet([], 2)


def test_overlay_is_brightest_where_attention_is():
    frame = np.full([80, 100, 3], 60, np.uint8)
    weights = np.zeros([5, 5])
    weights[1, 3] = 1
    cells = evenly((1, 5, 5), 1)
    bright = overlay(frame, weights, cells).astype(int).sum(-1)
    row, column = np.unravel_index(bright.argmax(), bright.shape)
    assert (row // 16, column // 20) == (1, 3)
    assert bright[60, 10] < bright[24, 70]
    # Under a larger maximum of the clip the same map is fainter.
    assert overlay(frame, weights, cells, 2.0).astype(int).sum() < bright.sum()
    assert not np.isnan(overlay(frame, np.zeros([2, 2]), cells)).any()


def test_attention_sheet_shows_time():
    attention = np.random.default_rng(0).random([3, 2, 4, 5, 5]).astype(np.float32)
    clip = np.zeros([16, 50, 60, 3], np.uint8)
    person = Person(np.array([0.2, 0.2, 0.8, 0.5]), (Action(12, "stand", 0.9),))
    cells = evenly((4, 5, 5), 16)
    sheet = attention_sheet(clip, np.arange(-8, 8) / 8, person, attention, cells, tile_width=100)
    assert sheet.shape[1] > 4 * 100 and sheet.shape[0] > 4 * 83


def test_attention_sheet_lays_each_map_of_the_layer_over_its_own_frame(monkeypatch):
    attention = np.zeros([2, 2, 4, 2, 3], np.float32)
    attention[0, :, 3, 1, 1] = 1  # of a layer that is not asked for
    attention[1, 0, 0, 0, 2], attention[1, 0, 2, 1, 2], attention[1, 1, 3, 1, 0] = 0.6, 0.4, 1
    sheets = []
    monkeypatch.setattr(attention_pictures, "contact_sheet", lambda *given: sheets.append(given))
    person = Person(np.array([0.45, 0.45, 0.55, 0.55]), ())
    seconds = np.maximum(np.arange(-8, 8) / 8, -0.5)  # the video begins half a second before
    cells = evenly((4, 2, 3), 16)
    attention_sheet(np.full([16, 80, 120, 3], 90, np.uint8), seconds, person, attention, cells)
    ((tiles, columns, *_),) = sheets
    assert columns == 4 and [tile.caption for tile in tiles[:4]] == [
        "-0.50 s",
        "-0.25 s",
        "+0.25 s",
        "+0.75 s",
    ]
    assert [tile.caption for tile in tiles[4:]] == [
        "mean of heads: 30%",
        "mean of heads: 0%",
        "mean of heads: 20%",
        "mean of heads: 50%",
        "head 1: 60%",
        "head 1: 0%",
        "head 1: 40%",
        "head 1: 0%",
        "head 2: 0%",
        "head 2: 0%",
        "head 2: 0%",
        "head 2: 100%",
    ]
    for number, cell in ((7, (1, 0)), (8, (0, 2)), (10, (1, 2)), (15, (1, 0))):
        bright = tiles[number].image.astype(int).sum(-1)
        bright[30:50, 50:70] = 0  # the person's box
        row, column = np.unravel_index(bright.argmax(), bright.shape)
        assert (row // 40, column // 40) == cell


def test_what_the_person_does_stands_in_the_title_and_hides_nothing(monkeypatch):
    sheets = []
    monkeypatch.setattr(attention_pictures, "contact_sheet", lambda *given: sheets.append(given))
    actions = (Action(12, "stand", 0.9), Action(80, "watch (a person)", 0.48))
    person = Person(np.array([0.4, 0.7, 0.8, 0.9]), actions, track=2)
    clip, cells = np.full([16, 80, 120, 3], 90, np.uint8), evenly((4, 2, 3), 16)
    maps = np.ones([1, 1, 4, 2, 3])
    attention_sheet(clip, np.zeros(16), person, maps, cells, title="film, 3 s")
    ((tiles, _, _, title),) = sheets
    assert title == "film, 3 s. In the box: 2 · stand 0.90, watch (a person) 0.48"
    for tile in tiles[:4]:
        away = tile.image.copy()
        away[30:67, 82:110] = 90  # the box
        assert (away == 90).all()
