import numpy as np
import tensorflow as tf
from default_options import default

from avatx.core.non_max_suppression import NmsImplementation
from avatx.meta_architectures.post_processing import PostProcessing

# Two boxes that overlap by more than half, and one apart.
BOXES = np.array([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.4], [0.6, 0.6, 0.9, 0.9]], np.float32)
SCORES = np.array([[0.9, 0.2, 0.0], [0.8, 0.7, 0.0], [0.1, 0.3, 0.6]], np.float32)
ALL = tf.constant([[True, True, True]])


def run(post_processing, boxes=BOXES[np.newaxis, :, np.newaxis], usable=ALL):
    detections = tf.function(post_processing)(
        tf.constant(boxes), tf.constant(SCORES[np.newaxis]), usable
    )
    count = int(detections.num_detections[0])
    found = [
        (int(c), round(float(s), 3), int(p))
        for c, s, p in zip(
            detections.classes[0, :count],
            detections.scores[0, :count],
            detections.proposal_index[0, :count],
            strict=True,
        )
    ]
    return found, detections


def test_each_class_is_suppressed_by_itself_and_all_are_sorted_together():
    found, detections = run(default(PostProcessing, score_threshold=0.05, iou_threshold=0.5))
    assert found == [(1, 0.9, 0), (2, 0.7, 1), (3, 0.6, 2), (2, 0.3, 2), (1, 0.1, 2)]
    np.testing.assert_array_equal(detections.boxes[0, :2], BOXES[:2])
    np.testing.assert_array_equal(detections.multiclass_scores[0, 0], SCORES[0])
    assert detections.boxes.shape == (1, 100, 4)
    for tensor in detections[:-1]:
        np.testing.assert_array_equal(tensor[0, 5:], 0)


def test_caps_thresholds_and_padding():
    assert run(PostProcessing(0.05, 0.5, 1, 100))[0] == [
        (1, 0.9, 0),
        (2, 0.7, 1),
        (3, 0.6, 2),
    ]
    found, detections = run(PostProcessing(0.05, 0.5, 100, 2))
    assert found == [(1, 0.9, 0), (2, 0.7, 1)] and detections.boxes.shape == (1, 2, 4)
    assert run(default(PostProcessing, 0.6, 0.5))[0] == [(1, 0.9, 0), (2, 0.7, 1), (3, 0.6, 2)]
    assert len(run(default(PostProcessing, 0.0, 1.0))[0]) == 9
    only_last = tf.constant([[False, False, True]])
    found, _ = run(default(PostProcessing, 0.05, 0.5), usable=only_last)
    assert found == [(3, 0.6, 2), (2, 0.3, 2), (1, 0.1, 2)]
    assert run(default(PostProcessing), usable=tf.zeros([1, 3], bool))[0] == []


def test_a_box_of_no_area_is_no_detection():
    """As of the Object Detection API; a box beyond the frame is one after clipping."""
    boxes = BOXES.copy()
    boxes[0], boxes[1] = [1.0, 0.2, 1.0, 0.5], [0.1, 0.1, 0.1, 0.9]
    for implementation in NmsImplementation:
        post = default(PostProcessing, 0.05, 0.5, implementation=implementation)
        found, _ = run(post, boxes[np.newaxis, :, np.newaxis])
        assert found == [(3, 0.6, 2), (2, 0.3, 2), (1, 0.1, 2)]


def test_class_specific_boxes():
    boxes = np.tile(BOXES[:, np.newaxis], [1, 3, 1])
    boxes[1, 0] = [0.5, 0.0, 1.0, 0.5]  # class 1 sees the second box elsewhere
    found, detections = run(default(PostProcessing, 0.05, 0.5), boxes[np.newaxis])
    assert found[:2] == [(1, 0.9, 0), (1, 0.8, 1)]
    np.testing.assert_array_equal(detections.boxes[0, 1], [0.5, 0.0, 1.0, 0.5])
