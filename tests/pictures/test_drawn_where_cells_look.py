"""One hot cell is drawn at the pixel and in the frame where that cell looks, by every picture."""

import numpy as np
import pytest

from avatx.core.cell_view import CellView
from avatx.core.people import Attended, Person
from avatx.data.input.clip_source import Clip
from avatx.pictures import attention as attention_pictures
from avatx.pictures.attention_figure import AttentionFigure

# I3D's: frame 4 i + 3 of 12, row 16 i + 15 of 160, column 16 i + 15 of 192. Frames are drawn at
# one and a half times the size of those that the model sees.
CELLS = CellView.of([[3, 15, 15], [4, 16, 16], [12, 160, 192]])
NUM_CELLS = (3, 10, 12)
NOBODY = Person(np.array([0.0, 0.0, 0.0, 0.0]), ())

# Hot cell; frame of the model's clip, row and column of the drawn frame (1.5 p + 0.25), give or
# take one. A place before the first cell's shows the first cell: only its end is known.
PLACES = [
    ((1, 4, 7), 7, 119, 191),
    ((0, 9, 11), 3, 239, 287),
    ((2, 0, 5), 11, 23, 143),
    ((2, 9, 0), 11, 239, 23),
]


def hot(cell):
    maps = np.zeros(NUM_CELLS, np.float32)
    maps[cell] = 1
    return maps


def brightness(picture):
    bright = picture.astype(int).sum(-1)
    bright[:3, :3] = 0  # the box of nobody
    return bright


def lower_right_of_brightest(picture):
    """[row, column] of the last pixels that are the brightest."""
    bright = brightness(picture)
    return [int(places.max()) for places in np.nonzero(bright >= bright.max() - 2)]


@pytest.mark.parametrize("cell, frame, row, column", PLACES)
def test_the_attention_sheet(monkeypatch, cell, frame, row, column):
    sheets = []
    monkeypatch.setattr(attention_pictures, "contact_sheet", lambda *given: sheets.append(given))
    clip = np.full([12, 240, 288, 3], 90, np.uint8)
    attention_pictures.attention_sheet(
        clip, np.arange(12.0), NOBODY, hot(cell)[np.newaxis, np.newaxis], CELLS
    )
    ((tiles, columns, *_),) = sheets
    frames, maps = tiles[:columns], tiles[columns:]
    assert [tile.caption for tile in frames] == ["+3.00 s", "+7.00 s", "+11.00 s"]
    (drawn,) = [i for i, tile in enumerate(maps) if tile.caption.endswith("100%")]
    assert frames[drawn].caption == f"+{frame}.00 s"
    assert lower_right_of_brightest(maps[drawn].image) == pytest.approx([row, column], abs=1)


@pytest.mark.parametrize("cell, frame, row, column", PLACES)
def test_figure_4_and_its_videos(cell, frame, row, column):
    clip = Clip(np.full([12, 240, 288, 3], 90, np.uint8), np.arange(12) * 40_000)
    # Keys of one dimension: the hot cell's is another than all the others'.
    keys = hot(cell)[np.newaxis, np.newaxis, ..., np.newaxis]
    attention = hot(cell)[np.newaxis, np.newaxis]
    figure = AttentionFigure(clip, Attended(NOBODY, attention, keys, CELLS), 25.0, "v")
    figure._colours[...] = 255 * keys.astype(np.uint8)  # however colours are scaled
    lit = []
    for number in range(12):
        (of_attention,), (of_keys,) = figure._attention_tiles(number), figure._key_tiles(number)
        if brightness(of_attention.image).max() > 450:
            lit.append(number)
            for tile in (of_attention, of_keys):
                found = lower_right_of_brightest(tile.image)
                assert found == pytest.approx([row, column], abs=1)
    # Frames as far from two cells go to the earlier one; those at the ends to the outermost.
    assert lit == {3: [0, 1, 2, 3, 4, 5], 7: [6, 7, 8, 9], 11: [10, 11]}[frame]
