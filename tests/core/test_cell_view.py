"""Places of cells in numbers worked by hand; I3D's look at frame 4 i + 3 and pixel 16 i + 15."""

import numpy as np
import pytest

from avatx.core.cell_view import CellView, evenly
from avatx.core.structures import CellPositions

I3D = CellView.of([[3, 15, 15], [4, 16, 16], [8, 160, 192]])  # 2 x 10 x 12 cells


def test_from_a_models_positions():
    import tensorflow as tf

    positions = CellPositions(*(tf.constant([i, i + 1, i + 2], tf.float32) for i in (1, 4, 7)))
    found = CellView.of(positions)
    assert [part.tolist() for part in found] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert all(isinstance(part, np.ndarray) for part in found)


def test_frames_and_cells():
    assert [I3D.frame(cell) for cell in (0, 1)] == [3, 7]
    # Frames before the first cell and after the last get those; frame 5 is as near to both.
    assert [I3D.cell(frame, 2) for frame in range(8)] == [0, 0, 0, 0, 0, 0, 1, 1]
    behind = CellView.of([[2.5, 0, 0], [6, 1, 1], [8, 4, 4]])
    assert [behind.frame(cell) for cell in (0, 1)] == [3, 7]  # it looks past the clip's end
    before = CellView.of([[-1.0, 0, 0], [4, 1, 1], [8, 4, 4]])
    assert [before.frame(cell) for cell in (0, 1)] == [0, 3]


def test_evenly_is_the_middle_of_each_share():
    cells = evenly((2, 4, 5), 8)
    assert [cells.frame(cell) for cell in (0, 1)] == [2, 6]
    assert [cells.cell(frame, 2) for frame in range(8)] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert [evenly((4, 1, 1), 16).frame(cell) for cell in range(4)] == [2, 6, 10, 14]
    assert evenly((1, 1, 1), 1).frame(0) == 0
    # As Pillow enlarges a picture.
    from PIL import Image

    values = np.random.default_rng(0).random([4, 5]).astype(np.float32)
    expected = Image.fromarray(values).resize((35, 24), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(cells.spread(values, 24, 35), np.asarray(expected), atol=1e-6)


@pytest.mark.parametrize("num_cells, num_frames", [(1, 8), (2, 8), (16, 64), (24, 96), (3, 10)])
def test_every_cell_is_the_nearest_to_the_frame_that_it_looks_at(num_cells, num_frames):
    for first, stride in ((0, num_frames / num_cells), (num_frames / num_cells - 1,) * 2):
        cells = CellView.of([[first, 0, 0], [stride or 1, 1, 1], [num_frames, 1, 1]])
        nearest = [cells.cell(frame, num_cells) for frame in range(num_frames)]
        assert nearest == sorted(nearest)
        for cell in range(num_cells):
            assert cells.cell(cells.frame(cell), num_cells) == cell


@pytest.mark.parametrize(
    "cell, rows, columns",
    [
        ((4, 7), [79], [127]),
        ((0, 0), range(16), range(16)),  # beyond the outermost cells there is nothing else
        ((9, 11), [159], [191]),
        ((0, 11), range(16), [191]),
    ],
)
def test_a_cell_is_brightest_where_it_looks(cell, rows, columns):
    hot = np.zeros([10, 12])
    hot[cell] = 1
    spread = I3D.spread(hot, 160, 192)
    brightest = {tuple(place) for place in np.argwhere(spread > 1 - 1e-9).tolist()}
    assert brightest == {(row, column) for row in rows for column in columns}
    assert spread.min() == 0
    # A picture of three times the size: pixel 3 p + 1 is in the middle of the clip's pixel p.
    large = I3D.spread(hot, 480, 576)
    np.testing.assert_allclose(large[1::3, 1::3], spread, atol=1e-12)


def test_between_two_cells_lies_a_mixture_of_each_channel():
    cells = CellView.of([[0, 2, 1], [1, 4, 2], [1, 8, 4]])
    colours = np.array([[[0, 10, 20], [0, 30, 20]], [[100, 10, 20], [100, 30, 20]]], np.uint8)
    spread = cells.spread(colours, 8, 4)
    assert spread[:, 0, 0].tolist() == [0, 0, 0, 25, 50, 75, 100, 100]
    assert spread[0, :, 1].tolist() == [10, 10, 20, 30]
    assert (spread[..., 2] == 20).all()
    np.testing.assert_array_equal(
        cells.spread(colours[:1, :1], 8, 4), np.tile([0, 10, 20], [8, 4, 1])
    )


def test_a_boxs_area_is_shared_out_to_the_nearest_cells():
    cells = CellView.of([[0, 2, 1], [1, 4, 2], [1, 8, 4]])
    # Rows: cells look at 2.5 and 6.5 of 8, so the first has 4.5 and the second 3.5 of them;
    # columns: at 1.5 and 3.5 of 4, so the first has 2.5 and the second 1.5.
    whole = cells.inside(np.array([0, 0, 1, 1]), 2, 2)
    np.testing.assert_allclose(whole, np.outer([4.5 / 8, 3.5 / 8], [2.5 / 4, 1.5 / 4]))
    some = cells.inside(np.array([0.5, 0.25, 1.5, 0.5]), 2, 2)
    np.testing.assert_allclose(some, [[0.5 / 8 * 0.25, 0], [3.5 / 8 * 0.25, 0]])
    assert not cells.inside(np.array([0.3, 1.1, 0.6, 1.4]), 2, 2).any()
    # A cell that looks past the frame's edge has none of it.
    far = CellView.of([[0, 2, 1], [1, 8, 2], [1, 8, 4]]).inside(np.array([0, 0, 1, 1]), 3, 2)
    np.testing.assert_allclose(far.sum(axis=1), [6.5 / 8, 1.5 / 8, 0])
