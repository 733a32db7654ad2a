import numpy as np
import tensorflow as tf
from default_options import default

from avatx.layers.roi_pool import RoiPool
from avatx.layers.st_roi_pool import StRoiPool


def plain_sample(frame, y, x):
    """Bilinear interpolation between the centres of cells."""
    value = 0.0
    for row in range(frame.shape[0]):
        for column in range(frame.shape[1]):
            weight = max(0.0, 1 - abs(row - y)) * max(0.0, 1 - abs(column - x))
            value = value + weight * frame[row, column]
    return value


def plain_st_roi_pool(clip, box):
    """[T', H', W', C] and one box -> [T', 7, 7, C]: in every frame, 14 x 14, max of 2 x 2."""
    frames, height, width, depth = clip.shape
    tube = [box] * frames
    pooled = np.full([frames, 7, 7, depth], -np.inf)
    for t, (top, left, bottom, right) in enumerate(tube):
        for i in range(14):
            for j in range(14):
                y = (top + (bottom - top) * i / 13) * (height - 1)
                x = (left + (right - left) * j / 13) * (width - 1)
                cell = pooled[t, i // 2, j // 2]
                pooled[t, i // 2, j // 2] = np.maximum(cell, plain_sample(clip[t], y, x))
    return pooled


def random_tubes(clips=2, frames=3, count=4):
    generator = np.random.default_rng(0)
    features = generator.normal(size=[clips, frames, 4, 5, 3]).astype(np.float32)
    upper_left = generator.random([count, 2]) * 0.5
    boxes = np.concatenate([upper_left, upper_left + 0.4], axis=-1).astype(np.float32)
    boxes[0] = [0, 0, 1, 1]
    return features, boxes, np.arange(count, dtype=np.int32) % clips


def test_equal_to_a_plain_loop():
    features, boxes, clip_index = random_tubes()
    cells = default(StRoiPool)(tf.constant(features), tf.constant(boxes), tf.constant(clip_index))
    assert cells.shape == (4, 3, 7, 7, 3)
    for cell, box, clip in zip(cells, boxes, clip_index, strict=True):
        np.testing.assert_allclose(cell, plain_st_roi_pool(features[clip], box), atol=1e-4)


def test_each_frame_is_pooled_as_a_still():
    features, boxes, _ = random_tubes(clips=1)
    tubes = default(StRoiPool)(tf.constant(features), tf.constant(boxes), tf.zeros([4], tf.int32))
    for frame in range(3):
        still = default(RoiPool)(tf.constant(features[:, frame]), tf.constant(boxes[np.newaxis]))
        np.testing.assert_array_equal(tubes[:, frame], still[0])


def test_sizes_may_be_unknown_while_the_graph_is_built():
    pool = StRoiPool(6, 3, 3)
    run = tf.function(
        pool,
        input_signature=[
            tf.TensorSpec([None, None, None, None, 3]),
            tf.TensorSpec([None, 4]),
            tf.TensorSpec([None], tf.int32),
        ],
        autograph=False,
    )
    assert run.get_concrete_function().output_shapes[2:] == (2, 2, 3)
    for count in (0, 2):
        cells = run(tf.ones([1, 5, 4, 4, 3]), tf.zeros([count, 4]), tf.zeros([count], tf.int32))
        assert cells.shape == (count, 5, 2, 2, 3)
