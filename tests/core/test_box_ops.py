import numpy as np
import pytest
import tensorflow as tf

from avatx.core import box_ops


def random_boxes(generator, *shape):
    corners = np.sort(generator.random((*shape, 2, 2)), axis=-2)
    return corners.reshape(*shape, 4).astype(np.float32)


def plain_iou(box, other):
    height = min(box[2], other[2]) - max(box[0], other[0])
    width = min(box[3], other[3]) - max(box[1], other[1])
    intersection = max(height, 0) * max(width, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return intersection / (sum(areas) - intersection)


def test_iou_equals_a_plain_loop():
    generator = np.random.default_rng(0)
    boxes, others = random_boxes(generator, 2, 7), random_boxes(generator, 2, 5)
    expected = [[[plain_iou(b, o) for o in others[i]] for b in boxes[i]] for i in range(2)]
    np.testing.assert_allclose(box_ops.iou(boxes, others), expected, rtol=1e-4, atol=1e-6)


def test_empty_and_inverted_boxes_overlap_nothing():
    boxes = tf.constant([[0.5, 0.5, 0.5, 0.5], [0.8, 0.8, 0.2, 0.2], [0.0, 0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(box_ops.area(boxes), 0)
    np.testing.assert_array_equal(box_ops.iou(boxes, boxes), 0)
    np.testing.assert_array_equal(box_ops.iou(boxes, tf.constant([[0.0, 0.0, 1.0, 1.0]])), 0)


def test_decode_inverts_encode():
    generator = np.random.default_rng(1)
    boxes, anchors = random_boxes(generator, 3, 50), random_boxes(generator, 3, 50)
    # Within what decode allows: a side at most 62.5 times the anchor's.
    anchors[..., 2:] = np.maximum(anchors[..., 2:], anchors[..., :2] + 0.05)
    decoded = box_ops.decode(box_ops.encode(boxes, anchors), anchors)
    np.testing.assert_allclose(decoded, boxes, atol=1e-5)


def test_zero_encodings_are_the_anchors():
    anchors = random_boxes(np.random.default_rng(2), 9)
    np.testing.assert_allclose(box_ops.decode(tf.zeros([9, 4]), anchors), anchors, atol=1e-6)


def test_degenerate_boxes_encode_and_decode_to_finite_numbers():
    boxes = tf.constant(
        [[0.0] * 4, [0.5, 0.5, 0.5, 0.9], [0.9, 0.9, 0.1, 0.1], [0.0, 0.0, 1.0, 1.0]]
    )
    encoded = box_ops.encode(boxes[:, tf.newaxis], boxes[tf.newaxis])
    assert np.isfinite(encoded).all()
    assert np.isfinite(box_ops.decode(tf.fill([4, 4], 1e4), boxes)).all()


def test_equal_to_model_garden():
    official = pytest.importorskip("official.vision.ops.box_ops")
    generator = np.random.default_rng(3)
    boxes, anchors = random_boxes(generator, 2, 30), random_boxes(generator, 2, 30)
    weights = list(box_ops.SCALE_FACTORS)
    encoded = box_ops.encode(boxes, anchors)
    np.testing.assert_allclose(
        encoded, official.encode_boxes(tf.constant(boxes), anchors, weights), rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(
        box_ops.decode(encoded, anchors),
        official.decode_boxes(encoded, tf.constant(anchors), weights),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        box_ops.iou(boxes, anchors), official.bbox_overlap(boxes, tf.constant(anchors)), atol=1e-5
    )
