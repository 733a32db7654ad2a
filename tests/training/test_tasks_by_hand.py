"""What a task asks of its model in training and in evaluation; and what a run says of itself."""

import dataclasses

import linear_model
import numpy as np
import tensorflow as tf
import tf_keras

from avatx.core import structures
from avatx.training import action_detection_task, classification_task, report


class Recorder(linear_model.LinearModel):
    """Notes how it was called."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def predict(self, clips, training=False):
        self.calls.append(training)
        return super().predict(clips)


def test_classification():
    task = classification_task.ClassificationTask(linear_model.experiment().train)
    model, batch = Recorder(), linear_model.make_batch(first=3)
    losses = task.compute_losses(batch, model)
    np.testing.assert_allclose(losses["Loss/squared"], linear_model.LOSS, rtol=1e-5)
    np.testing.assert_allclose(task.inference_step(batch, model), [[0.1], [1.85]], rtol=1e-5)
    assert model.calls == [True, False]
    identity = [part.numpy() for part in task.clip_identity(batch)]
    assert task.clip_names(identity) == ["video 3 of the records", "video 4 of the records"]


class FakeDetector:
    """Notes how it was called; passes on what it was given."""

    def __init__(self):
        self.calls = []

    def preprocess(self, clips):
        return clips + 1

    def predict(self, clips, groundtruth=None, training=False, attention=False):
        self.calls.append((float(clips), groundtruth, training, attention))
        return "predictions"

    def loss(self, predictions, groundtruth):
        assert (predictions, groundtruth) == ("predictions", "groundtruth")
        return {"Loss/a": 1.0}

    def postprocess(self, predictions):
        return structures.Detections("boxes", "classes", "scores", "large", "index", "count")


def video_id(name):
    return np.frombuffer(name.encode().ljust(structures.VIDEO_ID_BYTES, b"\0"), np.uint8)


def test_detection():
    task = action_detection_task.ActionDetectionTask(linear_model.experiment().train)
    model = FakeDetector()
    keyframes = structures.Keyframes(
        np.stack([video_id("né"), video_id("b")]), np.array([902.5, 3])
    )
    batch = structures.Batch(tf.constant(4.0), "groundtruth", keyframes, None)
    assert task.compute_losses(batch, model) == {"Loss/a": 1.0}
    detections = task.inference_step(batch, model)
    assert detections == structures.Detections("boxes", "classes", "scores", (), "index", "count")
    assert model.calls == [
        (5.0, "groundtruth", True, False),
        (5.0, "groundtruth", False, False),
    ]
    assert task.clip_names(task.clip_identity(batch)) == ["né@902.5", "b@3"]


class Parts(tf_keras.Model):
    """A layer that is trained, one that is not, and one with moving statistics."""

    def __init__(self):
        super().__init__()
        self.trunk = tf_keras.layers.BatchNormalization()
        self.trunk.build([None, 5])  # 10 trained, 10 moving
        self.proposal_stage = tf_keras.layers.Dense(2)
        self.proposal_stage.build([None, 3])  # 8
        self.frozen = tf_keras.layers.Dense(4, trainable=False)
        self.frozen.build([None, 1])  # 8


def counted(trainable, moving_statistics=0, other=0):
    return {"trainable": trainable, "moving_statistics": moving_statistics, "other": other}


def test_parameters_are_counted_by_part():
    assert report.count_parameters(Parts()) == {
        "trunk": counted(10, 10),
        "rpn": counted(8),
        "frozen": counted(0, 0, 8),
        "total": counted(18, 10, 8),
    }


def test_the_report_does_the_arithmetic():
    experiment = linear_model.experiment(
        "runs/a",
        batch_size=12,
        num_steps=5000,
        gradient_accumulation_steps=3,
        weight_decay=1e-3,
        gradient_clipping_by_norm=2.0,
        moving_average_decay=0.75,
        checkpoint_interval=1500,
        checkpoints_to_keep=4,
    )
    experiment = dataclasses.replace(
        experiment,
        num_train_keyframes=24000,
        data_statistics=(("people", "3 a keyframe"),),
    )
    strategy = tf.distribute.OneDeviceStrategy("cpu:0")
    lines = report.startup_lines(experiment, strategy, Parts(), 1200)
    text = "\n".join(lines)
    for said in (
        "12 clips a step = 1 replicas x 3 micro-batches x 4 clips",
        "optimizer        momentum, learning rate 0.1",
        "gradient clipped at 2.0 norm, weight decay 0.001, moving average 0.75",
        "steps            1,200 to 5,000 = 2.5 epochs of 24,000 videos",
        "people           3 a keyframe",
        "checkpoints      every 1,500 steps into runs/a, 4 kept",
        "1 x CPU (OneDeviceStrategy), float32",
    ):
        assert said in text, said
    (frozen,) = [line for line in lines if " frozen " in line and line.startswith("parameters")]
    assert frozen.endswith("0 trainable, 0 moving statistics, 8 frozen")
