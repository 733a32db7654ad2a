"""Attention of 3 layers of 2 heads over 5 x 3 x 4 cells, no two numbers alike, is exported in that
order; and so are classes that were given in another order than their ids'."""

import numpy as np
import tensorflow as tf
from fake_detection_model import (
    NUM_BOXES,
    FakeBoxPredictions,
    FakeDetectionModel,
)

from avatx.export import saved_model

LAYERS, HEADS, CELLS = 3, 2, (5, 3, 4)


def maps(clips):
    """[layer][clip, proposal, head, t, y, x]: its own place as a decimal number."""
    sizes = (clips, NUM_BOXES, HEADS, *CELLS)
    place = np.indices((LAYERS, *sizes)).astype(np.float64)
    digits = sum(index * 10.0**-power for power, index in enumerate(place))
    return tuple(tf.constant(layer, tf.float32) for layer in digits)


class Ordered(FakeDetectionModel):
    def predict(self, clips, groundtruth=None, training=False, attention=False):
        predictions = super().predict(clips, groundtruth, training, attention)
        layers = maps(2) if attention else ()
        return predictions._replace(box_predictions=FakeBoxPredictions(layers))


def test_attention_of_every_detection_layer_and_head():
    function = saved_model.attention_serving_function(Ordered())
    outputs = function(tf.zeros([2, 5, 8, 8, 3], tf.uint8))
    found = outputs["detection_attention"].numpy()
    assert found.shape == (2, NUM_BOXES, LAYERS, HEADS, *CELLS)
    expected = maps(2)
    for clip in range(2):
        for detection, proposal in enumerate([2, 0, 1]):
            for layer in range(LAYERS):
                np.testing.assert_array_equal(
                    found[clip, detection, layer], expected[layer][clip, proposal]
                )


def test_every_output_is_in_its_place():
    model = Ordered()
    clips = np.stack([np.full([4, 8, 8, 3], value, np.uint8) for value in (0, 255)])
    outputs = saved_model.serving_function(model)(tf.constant(clips))
    means = np.array([-1.0, 1.0])
    scores = 1 / (1 + np.exp(-(2 * means[:, None] + [2.0, 1.0, -1.0])))
    np.testing.assert_allclose(outputs["detection_scores"], scores, rtol=1e-5)
    np.testing.assert_allclose(outputs["detection_multiclass_scores"][..., 3], scores, rtol=1e-5)
    assert outputs["detection_classes"].numpy().tolist() == [[1, 2, 4]] * 2
    assert outputs["num_detections"].numpy().tolist() == [3, 3]
    np.testing.assert_allclose(outputs["detection_boxes"][1, 0], [0.2, 0.6, 0.8, 0.9])


def test_no_clip_no_detection():
    for make in (saved_model.serving_function, saved_model.attention_serving_function):
        outputs = make(FakeDetectionModel())(tf.zeros([0, 4, 8, 8, 3], tf.uint8))
        assert {len(output) for output in outputs.values()} == {0}


def test_metadata_by_id_and_a_rate_that_is_not_whole():
    names = {7: "sit", 2: "stand", 11: "bend"}
    metadata = saved_model.metadata_function(25, 29.97, names, {}, {})()
    assert metadata["class_ids"].numpy().tolist() == [2, 7, 11]
    assert metadata["class_names"].numpy().tolist() == [b"stand", b"sit", b"bend"]
    assert int(metadata["num_frames"]) == 25
    assert float(metadata["frame_rate"]) == np.float32(29.97)


def test_jpeg_frames_carry_no_flow():
    assert saved_model.serves_jpeg(FakeDetectionModel())
    assert not saved_model.serves_jpeg(FakeDetectionModel(input_channels=5))
