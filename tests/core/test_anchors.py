import numpy as np
import pytest
import tensorflow as tf
from default_options import default

from avatx.core.anchors import AnchorPlacement, GridAnchorGenerator
from avatx.core.cell_positions import Window, cell_positions


def test_equal_to_a_plain_loop():
    scales, ratios = [0.25, 1.0], [0.5, 1.0, 2.0]
    generator = GridAnchorGenerator(scales, ratios, (256, 128), (16, 8), (8, 4))
    expected = []
    for row in range(3):
        for column in range(2):
            for ratio in ratios:
                for scale in scales:
                    height, width = 256 * scale / ratio**0.5, 128 * scale * ratio**0.5
                    y, x = 8 + 16 * row, 4 + 8 * column
                    expected.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
    expected = np.array(expected) / [48, 16, 48, 16]
    assert generator.anchors_per_cell == 6
    np.testing.assert_allclose(generator((3, 2), (48, 16)), expected, rtol=1e-5, atol=1e-6)


def test_aspect_ratio_is_width_over_height_and_keeps_the_area():
    anchors = default(GridAnchorGenerator, [1.0], [0.5, 1.0, 2.0])((1, 1), (100, 100)).numpy()
    height, width = anchors[:, 2] - anchors[:, 0], anchors[:, 3] - anchors[:, 1]
    np.testing.assert_allclose(width / height, [0.5, 1.0, 2.0], rtol=1e-5)
    np.testing.assert_allclose(width * height, [2.56**2] * 3, rtol=1e-5)


def test_the_grid_may_be_unknown_while_the_graph_is_built():
    generator = default(GridAnchorGenerator, [0.25, 0.5, 1.0, 2.0], [0.5, 1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([2], tf.int32), tf.TensorSpec([2], tf.int32)])
    def make(grid, image):
        return generator(tf.unstack(grid), tf.unstack(image))

    assert make([25, 25], [400, 400]).shape == (25 * 25 * 12, 4)
    np.testing.assert_array_equal(make([4, 3], [64, 40]), generator((4, 3), (64, 40)))


LOOK = AnchorPlacement.WHERE_CELLS_LOOK
I3D_STRIDES = [
    Window((7, 7, 7), (2, 2, 2)),
    Window((1, 3, 3), (1, 2, 2)),
    Window((1, 3, 3), (1, 2, 2)),
    Window((3, 3, 3), (2, 2, 2)),
]


def test_anchors_are_where_the_cells_look():
    """Of 160 x 192 pixels cell i looks at pixel 16 i + 15, whose middle is 16 i + 15.5."""
    generator = default(
        GridAnchorGenerator, [0.5, 1.0], [2.0], base_size=(24.0, 40.0), placement=LOOK
    )
    positions = cell_positions(I3D_STRIDES, (8, 160, 192))
    anchors = generator((10, 12), (160, 192), positions).numpy().reshape(10, 12, 2, 4)
    pixels = anchors * [160, 192, 160, 192]
    centres = (pixels[..., :2] + pixels[..., 2:]) / 2
    for row, column in ((0, 0), (4, 7), (9, 11), (9, 0)):
        expected = [16 * row + 15.5, 16 * column + 15.5]
        np.testing.assert_allclose(centres[row, column], [expected] * 2, rtol=1e-5)
    sides = (pixels[3, 4, :, 2:] - pixels[3, 4, :, :2]) * [2**0.5, 0.5**0.5]
    np.testing.assert_allclose(sides, [[12, 20], [24, 40]], rtol=1e-5)
    # As today, cell 0's are at the frame's corner.
    today = default(GridAnchorGenerator, [1.0], [1.0])((10, 12), (160, 192), positions).numpy()
    np.testing.assert_allclose(today[0, :2] + today[0, 2:], 0, atol=1e-6)


def test_places_follow_the_size_of_the_clip_in_a_graph():
    generator = default(GridAnchorGenerator, [1.0], [1.0], placement=LOOK)

    @tf.function(input_signature=[tf.TensorSpec([3], tf.int32)], autograph=False)
    def make(size):
        rows, columns = (-(-size[axis] // 16) for axis in (1, 2))
        positions = cell_positions(I3D_STRIDES, tf.unstack(size))
        return generator((rows, columns), (size[1], size[2]), positions)

    assert make([8, 160, 192]).shape == (120, 4)
    # Nine rows are padded otherwise.
    odd = make([8, 9, 32]).numpy() * [9, 32, 9, 32]
    np.testing.assert_allclose((odd[:, 0] + odd[:, 2]) / 2, _first_by_hand(9) + 0.5, rtol=1e-5)
    with pytest.raises(ValueError, match="WHERE_CELLS_LOOK needs positions"):
        generator((1, 1), (16, 16))


def _first_by_hand(size):
    """Where I3D's first cell looks: each layer's first window begins `before` ahead of input 0."""
    first, step = 0.0, 1
    for kernel in (7, 3, 3, 3):
        outputs = -(-size // 2)
        before = max((outputs - 1) * 2 + kernel - size, 0) // 2
        first += step * ((kernel - 1) / 2 - before)
        step, size = step * 2, outputs
    return first
