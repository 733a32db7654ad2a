"""Where boxes and labels of a strip are drawn, and that strips lie one under the other."""

import math

import numpy as np
import pytest

from avatx.pictures import strips
from avatx.pictures.contact_sheet import Tile
from avatx.pictures.labels import place_labels
from avatx.pictures.strips import Marked, Strip, mark, strip_sheet

COLOUR, OTHER = "#005eb8", "#c81e1e"
BLUE, RED, BLACK = [0, 94, 184], [200, 30, 30], [0, 0, 0]


def drawn(*marked, people=(), size=(101, 201)):
    return mark(np.zeros([*size, 3], np.uint8), marked, people)


def test_a_box_is_where_it_is():
    picture = drawn(Marked(np.array([0.3, 0.25, 0.7, 0.75]), COLOUR))
    for row, column in ((30, 50), (30, 150), (70, 50), (70, 150)):
        assert picture[row, column].tolist() == BLUE
    assert picture[50, 100].tolist() == BLACK  # inside
    for row, column in ((29, 50), (30, 49), (71, 150), (70, 151)):
        assert picture[row, column].tolist() == BLACK


@pytest.mark.parametrize("seed", range(12))
def test_no_line_runs_through_a_label_and_no_label_lies_on_a_head(seed, monkeypatch):
    places = []

    def place(*given):
        places.extend(place_labels(*given))
        return places

    monkeypatch.setattr(strips, "place_labels", place)
    random = np.random.default_rng(seed)
    box = np.array([0.5, 0.3, 0.95, 0.5]) + np.tile(random.uniform(-0.2, 0, 2), 2)
    truth = box + random.uniform(-0.05, 0.05, 4)
    other = np.array([0.45, 0.6, 0.9, 0.75]) + np.tile(random.uniform(-0.2, 0.05, 2), 2)
    picture = drawn(
        Marked(box, COLOUR, ["walk 0.82"], line=3),
        Marked(truth, OTHER, ["stand", "carry/hold"], line=2),
        people=[other],
        size=(201, 301),
    )
    x1, y1, x2, y2 = places[0].rectangle
    assert places[0].num_rows == 3 and places[1] is None  # the others' boxes have no label
    assert 0 <= x1 < x2 <= 301 and 0 <= y1 < y2 <= 201
    for top, left, bottom, right in np.array([box, truth, other]) * [200, 300, 200, 300]:
        head = top + (bottom - top) / 3 - 1
        assert x2 <= left + 1 or right <= x1 or y2 <= top + 1 or head - 4 <= y1
    row = (y2 - y1) / 3
    for number, colour in enumerate((BLUE, RED, RED)):
        top, bottom = math.ceil(y1 + number * row), math.floor(y1 + (number + 1) * row)
        inside = picture[top + 1 : bottom - 1, math.ceil(x1) + 1 : math.floor(x2) - 2]
        # Nothing but the line's colour and white text: a share of white, the same in each channel.
        shares = (inside - np.array(colour, float)) / (255 - np.array(colour, float))
        assert np.ptp(shares, axis=-1).max() < 0.03 and shares.max() > 0.5 and shares.min() > -0.01


def test_a_long_text_is_written_on_several_lines(monkeypatch):
    rows = []
    monkeypatch.setattr(
        strips, "draw_label", lambda draw, label, texts, *_: rows.extend(texts[: label.num_rows])
    )
    text = "give/serve (an object) to (a person) 0.95"
    drawn(Marked(np.array([0.7, 0.3, 0.9, 0.5]), COLOUR, [text]))
    assert len(rows) > 1 and " ".join(rows) == text


def test_a_sheet_can_be_read_on_a_page():
    """A sheet of 1325 pixels, shown at 900: its text has 12 pixels there."""
    tiles = [Tile(np.full([20, 26, 3], 200, np.uint8), "keyframe")] * 5
    sheet = strip_sheet([Strip(["x" * 40], tiles, OTHER)], "title", 260)
    red = np.flatnonzero((sheet[..., 0] - sheet[..., 1].astype(int) > 100).any(axis=1))
    assert sheet.shape[1] > 1300 and np.ptp(red) >= 0.4 * 12 * 1325 / 900  # an x is half as high


def test_strips_lie_one_under_the_other_under_their_lines():
    colours = [(0, 200, 200), (0, 0, 200)]
    tiles = [Tile(np.full([20, 20, 3], colour, np.uint8)) for colour in colours]
    sheet = strip_sheet(
        [Strip(["first", "second"], tiles[:1], OTHER), Strip(["third"], tiles[1:])], "title"
    )
    rows = [np.flatnonzero((sheet == colour).all(axis=2).any(axis=1)) for colour in colours]
    assert rows[0].max() < rows[1].min()
    red = np.flatnonzero((sheet[..., 0] - sheet[..., 1].astype(int) > 150).any(axis=1))
    assert 0 < red.max() < rows[0].min()  # the first line alone is in the strip's colour
    assert red.max() - red.min() < 19
