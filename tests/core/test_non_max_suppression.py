import numpy as np
import pytest
import tensorflow as tf

from avatx.core.non_max_suppression import NmsImplementation, non_max_suppression


def plain_iou(box, other):
    height = min(box[2], other[2]) - max(box[0], other[0])
    width = min(box[3], other[3]) - max(box[1], other[1])
    intersection = max(height, 0) * max(width, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return intersection / (sum(areas) - intersection)


def plain_suppression(boxes, scores, usable, iou_threshold, max_outputs):
    kept = []
    for index in np.argsort(-scores, kind="stable"):
        if (
            usable[index]
            and len(kept) < max_outputs
            and all(plain_iou(boxes[index], boxes[k]) <= iou_threshold for k in kept)
        ):
            kept.append(index)
    return kept


def random_boxes(generator, *shape):
    upper_left = generator.random([*shape, 2]) * 0.5
    lower_right = upper_left + 0.2 + 0.2 * generator.random([*shape, 2])
    return np.concatenate([upper_left, lower_right], -1).astype(np.float32)


@pytest.mark.parametrize("implementation", NmsImplementation)
@pytest.mark.parametrize("boxes_per_candidate", [1, 3])
@pytest.mark.parametrize("iou_threshold, max_outputs", [(0.3, 100), (0.7, 10), (1.0, 200)])
def test_equal_to_a_plain_loop(implementation, boxes_per_candidate, iou_threshold, max_outputs):
    generator = np.random.default_rng(0)
    boxes = random_boxes(generator, 4, 80, boxes_per_candidate)
    scores = generator.random([4, 80, 3]).astype(np.float32)
    usable = generator.random([4, 80, 3]) < 0.8
    usable[3] = False

    @tf.function
    def run():
        return non_max_suppression(
            boxes, scores, usable, iou_threshold, max_outputs, 150, implementation, with_index=True
        )

    kept = run()
    assert kept.boxes.shape == (4, 150, 4)
    for i in range(4):
        expected = []
        for label in range(3):
            taken = plain_suppression(
                boxes[i, :, label % boxes_per_candidate],
                scores[i, :, label],
                usable[i, :, label],
                iou_threshold,
                max_outputs,
            )
            expected += [(scores[i, index, label], label, index) for index in taken]
        expected = sorted(expected, reverse=True)[:150]
        count = int(kept.count[i])
        found = zip(
            kept.scores[i, :count], kept.class_index[i, :count], kept.index[i, :count], strict=True
        )
        assert [(float(s), int(c), int(n)) for s, c, n in found] == expected
        for box, (_, label, index) in zip(kept.boxes[i, :count].numpy(), expected, strict=True):
            np.testing.assert_array_equal(box, boxes[i, index, label % boxes_per_candidate])
    assert kept.count[3] == 0 and kept.count[0] > 10


def test_a_score_of_zero_is_a_score():
    boxes = tf.constant([[[[0.0, 0.0, 1.0, 1.0]]]])
    kept = non_max_suppression(boxes, tf.zeros([1, 1, 1]), tf.constant([[[True]]]), 0.5, 5, 5)
    assert kept.count.numpy().tolist() == [1]
