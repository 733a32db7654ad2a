"""Geometry of boxes against numbers worked by hand; nothing is read from the code under test."""

import numpy as np
import tensorflow as tf

from avatx.core import box_ops

# Centre (0.25, 0.125), 0.5 high and 0.25 wide.
ANCHOR = [0.0, 0.0, 0.5, 0.25]
# Centre (0.35, 0.1), 0.25 high and 0.75 wide.
BOX = [0.225, -0.275, 0.475, 0.475]
# (0.35 - 0.25) / 0.5 x 10, (0.1 - 0.125) / 0.25 x 10, 5 ln(0.25 / 0.5), 5 ln(0.75 / 0.25).
ENCODING = [2.0, -1.0, -3.4657359, 5.4930614]


def test_encode():
    encoding = box_ops.encode(tf.constant([BOX]), tf.constant([ANCHOR]))
    np.testing.assert_allclose(encoding, [ENCODING], rtol=1e-5)


def test_decode():
    box = box_ops.decode(tf.constant([ENCODING]), tf.constant([ANCHOR]))
    np.testing.assert_allclose(box, [BOX], atol=1e-6)


def test_decode_lets_a_side_grow_to_62_5_times_the_anchor_s_and_no_further():
    anchor = tf.constant([[0.4, 0.4, 0.6, 0.5]])  # 0.2 x 0.1 around (0.5, 0.45)
    # 5 ln 50 = 19.560115: 50 times as high; 100 would be e^20 times as wide.
    box = box_ops.decode(tf.constant([[0.0, 0.0, 19.560115, 100.0]]), anchor).numpy()[0]
    np.testing.assert_allclose(box, [0.5 - 5, 0.45 - 3.125, 0.5 + 5, 0.45 + 3.125], rtol=1e-5)


def test_sides_of_no_length_encode_as_a_millionth():
    flat = box_ops.encode(tf.constant([[0.2, 0.1, 0.2, 0.6]]), tf.constant([ANCHOR]))
    # 5 ln(1e-6 / 0.5) and 5 ln(0.5 / 0.25).
    np.testing.assert_allclose(flat[0, 2:], [-65.611817, 3.4657359], rtol=1e-5)
    # An anchor 0.5 high and of no width: (0.35 - 0) / 1e-6 x 10, 5 ln(0.5 / 1e-6).
    thin = box_ops.encode(tf.constant([[0.2, 0.1, 0.2, 0.6]]), tf.constant([[0.0, 0.0, 0.5, 0.0]]))
    np.testing.assert_allclose(thin[0, 1::2], [3.5e6, 65.611817], rtol=1e-5)


def test_clip_on_every_side():
    boxes = tf.constant([[-0.5, -0.25, 1.5, 1.25], [0.1, 0.2, 0.9, 0.8], [1.5, 1.25, 2.0, 3.0]])
    expected = [[0.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.9, 0.8], [1.0, 1.0, 1.0, 1.0]]
    np.testing.assert_allclose(box_ops.clip(boxes), expected)


def test_area_is_height_times_width():
    boxes = tf.constant([[0.1, 0.2, 0.3, 0.9], [0.3, 0.2, 0.1, 0.9], [0.1, 0.9, 0.3, 0.2]])
    np.testing.assert_allclose(box_ops.area(boxes), [0.2 * 0.7, 0.0, 0.0], rtol=1e-5)


def test_iou():
    boxes = tf.constant([[0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 1.0, 0.5]])
    others = tf.constant([[0.25, 0.0, 0.75, 1.0], [0.0, 0.25, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]])
    # Areas 0.5, 0.5; 0.5, 0.125, 0.25. Intersections 0.25, 0.125, 0; 0.25, 0.125, 0 (touching).
    expected = [[0.25 / 0.75, 0.25, 0.0], [0.25 / 0.75, 0.25, 0.0]]
    np.testing.assert_allclose(box_ops.iou(boxes, others), expected, rtol=1e-6)
