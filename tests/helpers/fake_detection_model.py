"""A detector of two variables with DetectionModel's verbs: fast, and easy to reason about."""

from typing import NamedTuple

import tensorflow as tf

from avatx.core.structures import CellPositions, Detections

NUM_CLASSES = 4
NUM_BOXES = 3


class FakeBoxPredictions(NamedTuple):
    attention: tuple


class FakeFeatures(NamedTuple):
    positions: CellPositions
    means: tf.Tensor  # [B]


class FakePredictions(NamedTuple):
    means: tf.Tensor
    box_predictions: FakeBoxPredictions
    features: FakeFeatures


class FakeDetectionModel(tf.Module):
    """Scores are a sigmoid of the clip's mean brightness; boxes are fixed.

    Proposal 2 becomes detection 0, so that attention has to be gathered to be right: the
    attention of proposal r is r everywhere.
    """

    needs_person_boxes = False

    def __init__(self, with_attention=True, input_channels=3):
        super().__init__()
        self.input_channels = input_channels
        self.weight = tf.Variable(2.0)
        self.boxes = tf.Variable([[0.1, 0.1, 0.9, 0.4], [0.1, 0.1, 0.9, 0.4], [0.2, 0.6, 0.8, 0.9]])
        self.with_attention = with_attention

    def preprocess(self, clips):
        shape = tf.shape(clips)
        frames = tf.reshape(clips, [-1, shape[2], shape[3], self.input_channels])
        frames = tf.image.resize(frames, [8, 8]) / 127.5 - 1
        return tf.reshape(frames, [shape[0], shape[1], 8, 8, self.input_channels])

    def predict(self, clips, groundtruth=None, training=False, attention=False):
        assert groundtruth is None and not training
        maps = ()
        if attention and self.with_attention:
            proposal = tf.reshape(tf.range(NUM_BOXES, dtype=tf.float32), [1, -1, 1, 1, 1, 1])
            layer = tf.ones([tf.shape(clips)[0], NUM_BOXES, 2, 4, 3, 3]) * proposal
            maps = (layer, layer)
        size = tf.cast(tf.shape(clips)[1:4], tf.float32)
        positions = CellPositions(tf.constant([3.0, 2.0, 1.0]), tf.constant([4.0, 3.0, 2.0]), size)
        means = tf.reduce_mean(clips, [1, 2, 3, 4])
        return FakePredictions(means, FakeBoxPredictions(maps), FakeFeatures(positions, means))

    def keys(self, features):
        layer = tf.tile(
            features.means[:, tf.newaxis, tf.newaxis, tf.newaxis, tf.newaxis, tf.newaxis],
            [1, 2, 4, 3, 3, 5],
        )
        return (layer, layer + 1)

    def postprocess(self, predictions):
        batch = tf.size(predictions.means)
        scores = tf.sigmoid(
            self.weight * predictions.means[:, tf.newaxis] + tf.constant([[2.0, 1.0, -1.0]])
        )
        return Detections(
            boxes=tf.tile(tf.gather(self.boxes, [2, 0, 1])[tf.newaxis], [batch, 1, 1]),
            classes=tf.tile([[1, 2, 4]], [batch, 1]),
            scores=scores,
            multiclass_scores=tf.tile(scores[:, :, tf.newaxis], [1, 1, NUM_CLASSES]),
            proposal_index=tf.tile([[2, 0, 1]], [batch, 1]),
            num_detections=tf.fill([batch], 3),
        )
