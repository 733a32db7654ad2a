"""Where boxes and labels of a strip are drawn, and that strips lie one under the other."""

import numpy as np
import pytest

from avatx.pictures.contact_sheet import Tile
from avatx.pictures.strips import Strip, draw_box, strip_sheet

COLOUR, BLACK = [0, 94, 184], [0, 0, 0]


def drawn(box, **options):
    """A black frame of 101 x 201 pixels with a box, which may have the label "x"."""
    return draw_box(np.zeros([101, 201, 3], np.uint8), np.array(box), tuple(COLOUR), **options)


def test_a_box_is_where_it_is():
    picture = drawn([0.3, 0.25, 0.7, 0.75])
    for row, column in ((30, 50), (30, 150), (70, 50), (70, 150)):
        assert picture[row, column].tolist() == COLOUR
    assert picture[50, 100].tolist() == BLACK  # inside
    for row, column in ((29, 50), (30, 49), (71, 150), (70, 151)):
        assert picture[row, column].tolist() == BLACK


@pytest.mark.parametrize(
    "box, below, row",
    [
        ([0.3, 0.25, 0.7, 0.75], False, 15),  # the 16 rows above
        ([0.3, 0.25, 0.7, 0.75], True, 86),  # those below
        ([0.0, 0.25, 0.7, 0.75], False, 15),  # moved into the frame
        ([0.3, 0.25, 1.0, 0.75], True, 86),
    ],
)
def test_a_label_is_above_or_below_and_in_the_frame(box, below, row):
    picture = drawn(box, label="x", below=below)
    assert picture[row, 50].tolist() == COLOUR
    assert picture[101 - row, 55].tolist() == BLACK  # the other side


def test_a_label_at_the_right_edge_is_moved_into_the_frame():
    picture = drawn([0.3, 0.99, 0.7, 1.0], label="a long label")
    row = picture[15]
    assert row[200].tolist() == COLOUR and row[170].tolist() == COLOUR
    assert not picture[15, :60].any()


def test_strips_lie_one_under_the_other_under_their_lines():
    tiles = [Tile(np.full([20, 20, 3], level, np.uint8)) for level in (40, 80)]
    sheet = strip_sheet(
        [Strip(["first", "second"], tiles[:1], (200, 0, 0)), Strip(["third"], tiles[1:])], "title"
    )
    rows = [np.flatnonzero((sheet == level).all(axis=2).any(axis=1)) for level in (40, 80)]
    assert rows[0].max() < rows[1].min()
    red = np.flatnonzero((sheet[..., 0] - sheet[..., 1].astype(int) > 150).any(axis=1))
    assert 0 < red.max() < rows[0].min()  # the first line alone is in the strip's colour
    assert red.max() - red.min() < 19
