"""Whether two runtimes found the same in a batch of clips."""

import numpy as np


def same_detections(outputs, expected):
    """To 1e-4, where TensorFlow and ONNX Runtime order sums in ways of their own."""
    assert outputs.keys() == expected.keys()
    np.testing.assert_array_equal(outputs["num_detections"], expected["num_detections"])
    assert outputs["num_detections"].min() > 3
    for clip, count in enumerate(expected["num_detections"]):
        rows = [_rows(found, clip, count) for found in (outputs, expected)]
        np.testing.assert_allclose(rows[0][:, 1], rows[1][:, 1], atol=1e-4)  # scores, descending
        left = list(rows[0])
        for row in rows[1]:
            # Nearly equal scores may change places, so each is looked for among all.
            nearest = min(range(len(left)), key=lambda i: np.abs(left[i] - row).max())
            np.testing.assert_allclose(left.pop(nearest), row, atol=1e-4)


def _rows(outputs, clip, count):
    """A detection a row: class, score, box, scores of all classes."""
    return np.concatenate(
        [
            outputs["detection_classes"][clip, :count, np.newaxis],
            outputs["detection_scores"][clip, :count, np.newaxis],
            outputs["detection_boxes"][clip, :count],
            outputs["detection_multiclass_scores"][clip, :count],
        ],
        axis=-1,
    )
