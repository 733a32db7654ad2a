"""What the classifier does in which order, on a trunk of plain arithmetic."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from avatx.meta_architectures import video_classifier


class Times(tf_keras.layers.Layer):
    """Multiplies; adds 100 in training."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, inputs, training=False):
        return inputs * self.factor + (100.0 if training else 0.0)


class PlainTrunk(tf_keras.Model):
    """x -> 2 x; before the tail + 1; the tail x 3; the average is a sum over all cells."""

    input_channels = 2

    def __init__(self):
        super().__init__()
        self.double = Times(2.0)

    def call(self, clips, training=False):
        return self.double(clips, training=training)

    def build_tail(self):
        return Times(3.0)

    def before_tail(self, features):
        return features + 1.0

    def average(self, features):
        return tf.reduce_sum(features, [1, 2, 3])


def make(dropout=0.0):
    model = video_classifier.VideoClassifier((1, 2), PlainTrunk(), num_classes=3, dropout=dropout)
    model.create_variables()
    model.logits.kernel.assign([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    model.logits.bias.assign([0.5, 0.0, 0.0])
    return model


# Two cells of two channels: (2 x + 1) x 3 is (9, 15) and (21, 27), in all (30, 42).
CLIP = tf.constant([[[[[1.0, 2.0], [3.0, 4.0]]]]])


def test_predict():
    assert make().predict(CLIP).numpy().tolist() == [[30.5, 42.0, 18.0]]


def test_trunk_and_tail_know_that_they_train():
    """((2 x + 100) + 1) x 3 + 100: (409, 415) and (421, 427), in all (830, 842)."""
    assert make().predict(CLIP, training=True).numpy().tolist() == [[830.5, 842.0, 818.0]]


def test_pooled_features_are_dropped_in_training_alone():
    model = make(dropout=0.5)
    assert model.predict(CLIP).numpy().tolist() == [[30.5, 42.0, 18.0]]
    found = {tuple(model.predict(CLIP, training=True).numpy()[0]) for _ in range(40)}
    # Each of the two stays, doubled, or is dropped.
    expected = {(a + 0.5, b, 2 * a - b) for a in (0.0, 1660.0) for b in (0.0, 1684.0)}
    assert len(found) > 1 and found <= expected


def test_loss_and_scores():
    """Odds of 3 to 1 to 1 and of 1 to 1 to 2, the first clip of the first class, the second too."""
    logits = tf.constant([[math.log(3), 0.0, 0.0], [0.0, 0.0, math.log(2)]])
    model = make()
    (loss,) = model.loss(logits, tf.constant([0, 0])).values()
    assert float(loss) == pytest.approx((math.log(5 / 3) + math.log(4)) / 2, rel=1e-5)
    expected = [[0.6, 0.2, 0.2], [0.25, 0.25, 0.5]]
    np.testing.assert_allclose(model.postprocess(logits), expected, rtol=1e-5)


def test_call_preprocesses():
    model = make()
    clips = tf.constant([[[[[255, 0], [0, 255]]]]], tf.uint8)  # 1, -1 and -1, 1
    # (2 x + 1) x 3: 9 and -3; in all 6 and 6.
    assert model(clips).numpy().tolist() == [[6.5, 6.0, 6.0]]
