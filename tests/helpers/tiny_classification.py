"""A classification experiment that trains in seconds: which colour is the square that moves?

As in tiny_experiment, a clip depends on its number alone, so any number of replicas, micro-batches
and restarts sees the same clips.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras
from default_options import default

from avatx.core.cell_positions import Window
from avatx.core.structures import LabelledClips
from avatx.data.annotations.label_map import LabelMap
from avatx.layers.batch_norm import BatchNorm
from avatx.meta_architectures.video_classifier import VideoClassifier
from avatx.registrations import find
from avatx.training.options import (
    EvalOptions,
    Experiment,
    LearningRateOptions,
    OptimizerOptions,
    TrainOptions,
)
from avatx.trunks.i3d import I3D
from avatx.trunks.trunk import Trunk

NUM_CLASSES = 3
FRAMES, SIZE = 8, 32
NUM_VIDEOS, NUM_VIEWS = 5, 3  # of the evaluation


class TinyTrunk(Trunk):
    """One convolution; its tail is another."""

    strided_windows, output_depth = (Window((3, 3, 3), (2, 4, 4)),), 8

    def __init__(self, batch_norm="FROZEN"):
        super().__init__(name="trunk")
        self.conv = tf_keras.layers.Conv3D(8, 3, (2, 4, 4), "same", activation="relu")
        self.norm = BatchNorm(batch_norm, 0.9, name="norm")

    def call(self, clips, training=None):
        return self.norm(self.conv(clips), training=training)

    def build_tail(self):
        return tf_keras.layers.Conv3D(8, 1, activation="relu", name="tail")


def make_model(batch_norm="FROZEN"):
    """A classifier that is built in no time."""
    model = VideoClassifier((SIZE, SIZE), TinyTrunk(batch_norm), NUM_CLASSES, dropout=0.0)
    model.create_variables()
    return model


def make_i3d(depth_multiplier=0.0625, num_classes=NUM_CLASSES, final_endpoint="Mixed_4f"):
    """A narrow I3D as a classifier."""
    trunk = I3D(final_endpoint, depth_multiplier=depth_multiplier, name="trunk")
    model = VideoClassifier((SIZE, SIZE), trunk, num_classes, dropout=0.0)
    model.create_variables()
    return model


def make_clip(number, view=0) -> LabelledClips:
    """Clip `number`, without the batch dimension."""
    seed = tf.stack([tf.cast(number, tf.int32), tf.cast(view, tf.int32)])
    label = tf.cast(number, tf.int32) % NUM_CLASSES
    corner = tf.random.stateless_uniform([2], seed, 0, SIZE // 2, tf.int32)
    axis = tf.range(SIZE)
    inside = [(axis >= corner[i]) & (axis < corner[i] + SIZE // 2) for i in (0, 1)]
    square = tf.cast(inside[0][:, None] & inside[1][None, :], tf.float32)
    noise = tf.random.stateless_uniform([FRAMES, SIZE, SIZE, 3], seed, 0.0, 60.0)
    color = 190.0 * tf.one_hot(label, 3)
    return LabelledClips(
        clips=tf.cast(noise + square[None, :, :, None] * color, tf.uint8),
        labels=label,
        video_index=tf.cast(number, tf.int64),
        view=tf.cast(view, tf.int32),
        valid=tf.constant(True),
    )


def make_train_dataset(batch_size, input_context, start_step):
    """Endless batches."""
    replicas = input_context.num_replicas_in_sync if input_context else 1
    dataset = tf.data.Dataset.range(start_step * batch_size, np.iinfo(np.int64).max).map(make_clip)
    return dataset.batch(batch_size // replicas, drop_remainder=True)


def make_eval_dataset(batch_size, input_context):
    """NUM_VIEWS views of NUM_VIDEOS videos, filled up to whole batches."""
    replicas = input_context.num_replicas_in_sync if input_context else 1
    total = NUM_VIDEOS * NUM_VIEWS
    count = -(-total // batch_size) * batch_size

    def make(number):
        place = tf.minimum(number, total - 1)
        return make_clip(place // NUM_VIEWS, place % NUM_VIEWS)._replace(valid=number < total)

    return tf.data.Dataset.range(count).map(make).batch(batch_size // replicas, drop_remainder=True)


def tiny_classification(
    model_dir, strategy="cpu", make_model=make_model, interval=0, eval_batch_size=4, **train
):
    """An `Experiment`; `train` are fields of TrainOptions."""
    rate = default(LearningRateOptions, "constant", 0.01)
    options = default(
        TrainOptions,
        batch_size=4,
        num_steps=4,
        optimizer=default(OptimizerOptions, "adam", learning_rate=rate),
        gradient_clipping_by_norm=1.0,
        checkpoint_interval=2,
        summary_interval=2,
    )
    label_map = LabelMap({i + 1: f"class {i + 1}" for i in range(NUM_CLASSES)})
    return Experiment(
        meta_architecture=find("video_classifier"),
        make_model=make_model,
        make_train_dataset=make_train_dataset,
        make_eval_dataset=make_eval_dataset,
        train=dataclasses.replace(options, **train),
        eval=default(
            EvalOptions,
            batch_size=eval_batch_size,
            interval=interval,
            best_checkpoint_metric="top_1",
        ),
        label_map=label_map,
        class_names=label_map.names,
        model_dir=str(model_dir),
        config_text="# the effective configuration\n",
        distribution_strategy=strategy,
        num_train_keyframes=100,
    )
