"""Every option of both pools, on a grid whose cell in row r and column c is 10 r + c."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.layers import roi_pool, st_roi_pool

GRID = np.add.outer(10.0 * np.arange(5), np.arange(5)).astype(np.float32)
WHOLE = [0.0, 0.0, 1.0, 1.0]
UPPER_RIGHT = [0.0, 0.5, 0.5, 1.0]  # rows 0 to 2, columns 2 to 4


@pytest.mark.parametrize(
    "crop, size, stride, box, expected",
    [
        (5, 1, 1, WHOLE, GRID),
        (3, 1, 1, WHOLE, GRID[::2, ::2]),
        (3, 1, 1, UPPER_RIGHT, GRID[:3, 2:]),
        (5, 3, 2, WHOLE, [[22, 24], [42, 44]]),  # 3 x 3 cells that overlap by one
        (5, 2, 1, WHOLE, GRID[1:, 1:]),
        (5, 2, 3, WHOLE, [[11, 14], [41, 44]]),  # 2 x 2 cells with one left out between
        (4, 2, 2, UPPER_RIGHT, np.add.outer([20 / 3, 20], [2 + 2 / 3, 4])),
    ],
)
def test_pools(crop, size, stride, box, expected):
    features = tf.constant(GRID[np.newaxis, :, :, np.newaxis])
    still = roi_pool.RoiPool(crop, size, stride)
    cells = still(features, tf.constant([[box]]))[0, 0, :, :, 0]
    assert cells.shape == (still.output_size, still.output_size)
    np.testing.assert_allclose(cells, expected, rtol=1e-5)

    frames = tf.stack([features, features + 100.0], axis=1)
    tube = st_roi_pool.StRoiPool(crop, size, stride)(frames, tf.constant([box]), tf.constant([0]))[
        0, ..., 0
    ]
    np.testing.assert_allclose(tube, [expected, np.add(expected, 100.0)], rtol=1e-5)


def test_a_tube_is_cut_from_its_own_clip():
    clips = tf.reshape(tf.range(6, dtype=tf.float32), [2, 3, 1, 1, 1]) * tf.ones([1, 1, 2, 2, 1])
    tubes = st_roi_pool.StRoiPool(2, 2, 2)(clips, tf.constant([WHOLE] * 3), tf.constant([1, 0, 1]))
    assert tubes[..., 0, 0, 0].numpy().tolist() == [[3, 4, 5], [0, 1, 2], [3, 4, 5]]
