"""Geometry of boxes [ymin, xmin, ymax, xmax], normalised to [0, 1] of the frame.

`official.vision.ops.box_ops` has the like, and a test holds these equal to it. It is not imported
because `official.vision` imports every vision task with it (600 modules, cv2, pycocotools and
matplotlib among them), and its IoU marks padding by sentinel values.
"""

import tensorflow as tf

# Faster R-CNN's box coder in the Object Detection API: weights of (ty, tx, th, tw).
SCALE_FACTORS = (10.0, 10.0, 5.0, 5.0)

# A side is never taken as shorter, nor encoded as more than e^4.1 (1000 / 16) times longer.
_SMALLEST_SIDE = 1e-6
_LARGEST_LOG_RATIO = 4.135166556742356


def area(boxes: tf.Tensor) -> tf.Tensor:
    """Areas [...] of boxes [..., 4]; 0 for an empty or inverted box."""
    ymin, xmin, ymax, xmax = tf.unstack(boxes, 4, axis=-1)
    return tf.maximum(ymax - ymin, 0.0) * tf.maximum(xmax - xmin, 0.0)


def iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Intersection over union [..., N, M] of boxes [..., N, 4] and others [..., M, 4].

    0 where the union is empty. Leading dimensions broadcast.
    """
    boxes, others = boxes[..., :, tf.newaxis, :], others[..., tf.newaxis, :, :]
    corners, other_corners = tf.split(boxes, 2, axis=-1), tf.split(others, 2, axis=-1)
    upper_left = tf.maximum(corners[0], other_corners[0])  # [..., N, M, 2]
    lower_right = tf.minimum(corners[1], other_corners[1])
    intersection = area(tf.concat([upper_left, lower_right], axis=-1))
    union = area(boxes) + area(others) - intersection
    return tf.math.divide_no_nan(intersection, union)


def clip(boxes: tf.Tensor) -> tf.Tensor:
    """The part of boxes [..., 4] inside the frame."""
    return tf.clip_by_value(boxes, 0.0, 1.0)


def encode(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Offsets [..., 4] (ty, tx, th, tw) that turn anchors [..., 4] into boxes [..., 4].

    Faster R-CNN's parameterisation times `SCALE_FACTORS`. Finite for any finite input.
    """
    center, size = _center_and_size(boxes)
    anchor_center, anchor_size = _center_and_size(anchors)
    size = tf.maximum(size, _SMALLEST_SIDE)
    anchor_size = tf.maximum(anchor_size, _SMALLEST_SIDE)
    offsets = [(center - anchor_center) / anchor_size, tf.math.log(size / anchor_size)]
    return tf.concat(offsets, axis=-1) * tf.constant(SCALE_FACTORS)


def decode(encodings: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Boxes [..., 4], not clipped: the inverse of `encode` for proper boxes."""
    shift, log_ratio = tf.split(encodings / tf.constant(SCALE_FACTORS), 2, axis=-1)
    anchor_center, anchor_size = _center_and_size(anchors)
    center = shift * anchor_size + anchor_center
    size = tf.exp(tf.minimum(log_ratio, _LARGEST_LOG_RATIO)) * anchor_size
    return tf.concat([center - size / 2, center + size / 2], axis=-1)


def _center_and_size(boxes):
    upper_left, lower_right = tf.split(boxes, 2, axis=-1)
    size = lower_right - upper_left
    return upper_left + size / 2, size
