import pytest
import tensorflow as tf
from small_detector import NUM_CLASSES, small_model

from avatx.core.structures import Groundtruth


@pytest.fixture(scope="module", name="model")
def fixture_model():
    return small_model()


@pytest.fixture(scope="module", name="predict")
def fixture_predict(model):
    """(clips, groundtruth, training) -> predictions and losses, traced once for each mode."""
    signature = (
        tf.TensorSpec([None, None, None, None, 3], tf.uint8),
        Groundtruth(
            boxes=tf.TensorSpec([None, None, 4]),
            labels=tf.TensorSpec([None, None, NUM_CLASSES]),
            num_boxes=tf.TensorSpec([None], tf.int32),
            sampling_seed=tf.TensorSpec([None, 2], tf.int32),
        ),
    )

    def make(training):
        @tf.function(input_signature=signature, autograph=False)
        def run(clips, groundtruth):
            clips = model.preprocess(clips)
            predictions = model.predict(clips, groundtruth, training, attention=True)
            return predictions, model.loss(predictions, groundtruth)

        return run

    functions = {False: make(False), True: make(True)}
    return lambda clips, groundtruth, training: functions[training](clips, groundtruth)
