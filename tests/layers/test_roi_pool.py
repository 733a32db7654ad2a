import numpy as np
import pytest
import tensorflow as tf
from default_options import default

from avatx.core.structures import CellPositions
from avatx.layers.roi_pool import RoiAlignment, RoiPool


def plain_bilinear(image, y, x):
    top, left = int(np.floor(y)), int(np.floor(x))
    bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
    dy, dx = y - top, x - left
    upper = image[top, left] * (1 - dx) + image[top, right] * dx
    lower = image[bottom, left] * (1 - dx) + image[bottom, right] * dx
    return upper * (1 - dy) + lower * dy


def largest_of_four(image, ys, xs):
    """Of samples at these rows and columns the largest of each 2 x 2."""
    samples = np.array([[plain_bilinear(image, y, x) for x in xs] for y in ys])
    return samples.reshape(len(ys) // 2, 2, len(xs) // 2, 2, -1).max(axis=(1, 3))


def plain_pool(image, box, crop_size):
    """14 x 14 samples from corner to corner of the box, then the largest of each 2 x 2."""
    ys = np.linspace(box[0], box[2], crop_size) * (image.shape[0] - 1)
    xs = np.linspace(box[1], box[3], crop_size) * (image.shape[1] - 1)
    return largest_of_four(image, ys, xs)


def test_equal_to_a_plain_loop():
    generator = np.random.default_rng(0)
    features = generator.normal(size=[2, 6, 9, 3]).astype(np.float32)
    upper_left = generator.random([2, 4, 2]) * 0.5
    boxes = np.concatenate([upper_left, upper_left + 0.4], axis=-1).astype(np.float32)
    boxes[0, 0] = [0, 0, 1, 1]
    cells = default(RoiPool)(tf.constant(features), tf.constant(boxes))
    assert cells.shape == (2, 4, 7, 7, 3)
    for clip in range(2):
        for box in range(4):
            expected = plain_pool(features[clip], boxes[clip, box], 14)
            np.testing.assert_allclose(cells[clip, box], expected, atol=1e-4)


def aligned_positions(rows, columns):
    """Cells of a trunk whose strides are 8 by 4 and whose cell 0 looks at row 5, column 1."""
    return CellPositions(
        tf.constant([0.0, 5.0, 1.0]),
        tf.constant([1.0, 8.0, 4.0]),
        tf.constant([1.0, rows * 8.0, columns * 4.0]),
    )


def plain_aligned_pool(image, box, crop_size):
    """As `plain_pool`, of the pixels that the cells look at; beyond the last cells, these."""
    rows, columns = image.shape[:2]
    ys = np.linspace(box[0], box[2], crop_size) * rows * 8 - 0.5  # pixels, counted from 0
    xs = np.linspace(box[1], box[3], crop_size) * columns * 4 - 0.5
    ys, xs = np.clip((ys - 5) / 8, 0, rows - 1), np.clip((xs - 1) / 4, 0, columns - 1)
    return largest_of_four(image, ys, xs)


def test_aligned_equal_to_a_plain_loop():
    generator = np.random.default_rng(0)
    features = generator.normal(size=[2, 6, 9, 3]).astype(np.float32)
    upper_left = generator.random([2, 4, 2]) * 0.5
    boxes = np.concatenate([upper_left, upper_left + 0.4], axis=-1).astype(np.float32)
    boxes[0, 0], boxes[1, 0] = [0, 0, 1, 1], [0.9, 0, 1, 0.05]
    pool = default(RoiPool, alignment=RoiAlignment.ALIGNED)
    cells = pool(tf.constant(features), tf.constant(boxes), aligned_positions(6, 9))
    for clip in range(2):
        for box in range(4):
            expected = plain_aligned_pool(features[clip], boxes[clip, box], 14)
            np.testing.assert_allclose(cells[clip, box], expected, atol=1e-4)
    with pytest.raises(ValueError, match="where the cells look"):
        pool(tf.constant(features), tf.constant(boxes))


def test_aligned_of_one_cell_is_that_cell_everywhere():
    pool = default(RoiPool, alignment=RoiAlignment.ALIGNED)
    boxes = tf.constant([[[0.0, 0.0, 1.0, 1.0], [0.9, 0.9, 1.0, 1.0], [0.2, 0.2, 0.2, 0.2]]])
    cells = pool(tf.fill([1, 1, 1, 2], 3.0), boxes, aligned_positions(1, 1))
    np.testing.assert_allclose(cells, np.full([1, 3, 7, 7, 2], 3), rtol=1e-6)


def test_gradient_reaches_the_features_and_not_the_boxes():
    features, boxes = tf.random.normal([1, 8, 8, 2]), tf.constant([[[0.2, 0.2, 0.5, 0.5]]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([features, boxes])
        total = tf.reduce_sum(default(RoiPool)(features, boxes))
    assert tape.gradient(total, boxes) is None
    gradient = tape.gradient(total, features).numpy()
    assert np.abs(gradient[0, 1:5, 1:5]).sum() > 0
    np.testing.assert_array_equal(gradient[0, 6:], 0)


def test_empty_boxes_and_bfloat16():
    cells = RoiPool(6, 2, 2, dtype="mixed_bfloat16")(tf.ones([1, 4, 4, 2]), tf.zeros([1, 3, 4]))
    assert cells.dtype == tf.bfloat16 and cells.shape == (1, 3, 3, 3, 2)
    assert np.isfinite(tf.cast(cells, tf.float32)).all()


@pytest.mark.parametrize("count", [0, 1, 25, 61])
@pytest.mark.parametrize("alignment", RoiAlignment)
def test_some_boxes_at_a_time_are_pooled_as_all_at_once(count, alignment):
    generator = np.random.default_rng(2)
    features = tf.constant(generator.normal(size=[2, 5, 6, 4]), tf.float32)
    upper_left = generator.random([2, count, 2]) * 0.5
    boxes = tf.constant(np.concatenate([upper_left, upper_left + 0.3], -1), tf.float32)
    positions = CellPositions(
        tf.constant([0.0, 7.5, 7.5]), tf.constant([4.0, 16.0, 16.0]), tf.constant([8.0, 80.0, 96.0])
    )
    pool = default(RoiPool, alignment)
    at_once = pool(features, boxes, positions, training=True)
    np.testing.assert_array_equal(pool(features, boxes, positions), at_once)
    # A graph may round the boxes' arithmetic otherwise: graphs are compared with each other.
    signature = (tf.TensorSpec([None, None, None, 4]), tf.TensorSpec([None, None, 4]))
    parts, whole = (
        tf.function(
            lambda f, b, training=training: pool(f, b, positions, training=training),
            autograph=False,
            input_signature=signature,
        )(features, boxes)
        for training in (False, True)
    )
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("height, width", [(7, 9), (12, 16), (25, 25)])
def test_the_last_sample_of_a_box_at_the_edge_is_a_cell(height, width):
    """`crop_and_resize` puts 0 there where rounding takes the sample past the last cell."""
    generator = np.random.default_rng(3)
    boxes = np.ones([1, 500, 4], np.float32)
    boxes[..., :2] = generator.uniform(0, 0.9, [1, 500, 2])
    cells = RoiPool(14, 1, 1)(tf.ones([1, height, width, 2]), tf.constant(boxes))
    np.testing.assert_allclose(cells, 1, rtol=1e-5)
