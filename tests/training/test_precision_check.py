"""A CPU that computes a trunk wrongly in 16 bits is told before the first step."""

import math

import pytest
import tensorflow as tf
import tf_keras
import tiny_classification

from avatx import errors
from avatx.meta_architectures.video_classifier import VideoClassifier
from avatx.training import precision_check, run


@tf.custom_gradient
def scaled_backwards(values, factor):
    """`values`, whose gradient is `factor` times what it should be."""
    return tf.identity(values), lambda upstream: (upstream * tf.cast(factor, upstream.dtype), None)


def faulty_model(forwards=1.0, backwards=1.0, faulty_in="bfloat16"):
    """The tiny classifier; its convolution, kernel and bias, is wrong by a factor."""

    class FaultyTrunk(tiny_classification.TinyTrunk):
        def call(self, clips, training=None):
            features = self.conv(clips)
            if self.compute_dtype == faulty_in:
                features = scaled_backwards(features, backwards) * tf.cast(forwards, features.dtype)
            return self.norm(features, training=training)

    size = tiny_classification.SIZE
    trunk, classes = FaultyTrunk(), tiny_classification.NUM_CLASSES
    model = VideoClassifier((size, size), trunk, classes, dropout=0.0)
    model.create_variables()
    return model


def experiment(directory, **fault):
    return tiny_classification.tiny_classification(
        directory, make_model=lambda: faulty_model(**fault), num_steps=1, precision="bfloat16"
    )


@pytest.mark.parametrize(
    "backwards, said",
    [
        (1e27, "wrong gradient in it: that of trunk/conv/(kernel|bias) has a length of .*e.2"),
        (20.0, "wrong gradient in it: that of trunk/conv"),
        (0.0, "wrong gradient in it: that of trunk/conv/.* has a length of 0, in float32"),
        (math.nan, "has a length of nan"),
    ],
)
def test_a_wrong_gradient_stops_the_training_in_one_line(tmp_path, backwards, said):
    with pytest.raises(errors.UserError, match=said) as raised:
        run.train(experiment(tmp_path, backwards=backwards))
    message = str(raised.value)
    assert message.startswith("train_config.precision BFLOAT16: this CPU ")
    assert "\n" not in message and "TF_ENABLE_ONEDNN_OPTS=0" in message
    assert not list(tmp_path.glob("ckpt*"))


@pytest.mark.parametrize("forwards", [0.3, -1.0, 1e20, math.nan])
def test_wrong_features_stop_the_training_and_an_evaluation(tmp_path, forwards):
    wrong = experiment(tmp_path, forwards=forwards)
    with pytest.raises(errors.UserError, match="the trunk's features wrongly"):
        run.train(wrong)
    run.train(tiny_classification.tiny_classification(tmp_path / "good", num_steps=1))
    with pytest.raises(errors.UserError, match="the trunk's features wrongly"):
        run.evaluate(wrong, str(tmp_path / "good"))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_what_is_right_passes_and_nothing_changes(tmp_path, precision):
    policy = tf_keras.mixed_precision.global_policy()
    made = tiny_classification.tiny_classification(tmp_path, num_steps=1, precision=precision)
    run.train(made)
    assert "top_1" in run.evaluate(made)
    assert tf_keras.mixed_precision.global_policy() is policy

    model = tiny_classification.make_model("TRAINED")
    before = [variable.numpy() for variable in model.variables]
    shape = [tiny_classification.FRAMES, None, None, None]
    precision_check.check_trunk(model, tiny_classification.make_model, "float32", shape)
    for variable, value in zip(model.variables, before, strict=True):
        assert (variable.numpy() == value).all()


def test_float32_is_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(precision_check, "check_trunk", lambda *_: pytest.fail("looked at"))
    run.train(tiny_classification.tiny_classification(tmp_path, num_steps=1))


def test_how_far_a_gradient_may_be_off():
    right = {"a": 1.0, "b": 0.5, "c": 1e-5, "d": 0.0}
    assert precision_check.wrong_gradient(right, right) == ""
    assert precision_check.wrong_gradient({**right, "a": 9.0, "b": 0.06}, right) == ""
    assert precision_check.wrong_gradient({**right, "a": 9.0, "b": 0.04}, right) == "b"
    assert precision_check.wrong_gradient({**right, "a": 11.0}, right) == "a"
    assert precision_check.wrong_gradient({**right, "c": 9e-3, "d": 1e-4}, right) == ""
    assert precision_check.wrong_gradient({**right, "d": 1e27}, right) == "d"
    assert precision_check.wrong_gradient({**right, "d": math.inf}, right) == "d"
