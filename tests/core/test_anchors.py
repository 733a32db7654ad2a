import numpy as np
import tensorflow as tf
from default_options import default

from avatx.core.anchors import GridAnchorGenerator


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
