"""An experiment that trains in seconds: a small real detector on made-up clips.

A clip's content depends on its number alone, and step s of a run takes clips s * batch_size and
following, so that any number of replicas, micro-batches and restarts sees the same clips.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from default_options import default

from avatx.core.anchors import GridAnchorGenerator
from avatx.core.structures import VIDEO_ID_BYTES, Batch, Groundtruth, Keyframes
from avatx.data.annotations.label_map import LabelMap
from avatx.layers.roi_pool import RoiPool
from avatx.layers.st_roi_pool import StRoiPool
from avatx.meta_architectures.action_faster_rcnn import ActionFasterRCNN
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.meta_architectures.proposal_stage import FirstStageOptions, ProposalStage
from avatx.meta_architectures.second_stage import SecondStage, SecondStageOptions
from avatx.predictors.i3d import I3DBoxPredictor
from avatx.predictors.tx import TxBoxPredictor, TxOptions
from avatx.registrations import find
from avatx.training.options import (
    EvalOptions,
    Experiment,
    LearningRateOptions,
    OptimizerOptions,
    TrainOptions,
)
from avatx.trunks.i3d import I3D

NUM_CLASSES = 3
FRAMES, SIZE = 8, 48
NUM_EVAL_CLIPS = 6


def make_model(
    final_endpoint="MaxPool3d_3a_3x3",
    batch_norm="FROZEN",
    num_classes=NUM_CLASSES,
    batch_norm_momentum=0.99,
    head="tx",
):
    """The detector with a trunk of a few thousand parameters, dropout off; its variables made.

    With `head` "i3d" the whole of a narrow I3D: the trunk ends at Mixed_4f.
    """
    trunk_options = {"batch_norm": batch_norm, "batch_norm_momentum": batch_norm_momentum}
    if head == "i3d":
        trunk = I3D("Mixed_4f", **trunk_options, depth_multiplier=0.05)
        box_predictor = I3DBoxPredictor(
            num_classes, trunk.build_tail(), 0.0, default(StRoiPool), name="box_predictor"
        )
    else:
        trunk = I3D(final_endpoint, **trunk_options, depth_multiplier=0.125)
        box_predictor = _tx_box_predictor(num_classes)
    model = ActionFasterRCNN(
        image_size=(SIZE, SIZE),
        trunk=trunk,
        proposal_stage=ProposalStage(
            default(
                GridAnchorGenerator, scales=(0.5, 1.0), aspect_ratios=(0.5, 1.0), base_size=(32, 32)
            ),
            default(FirstStageOptions, box_predictor_depth=8, minibatch_size=16, max_proposals=8),
        ),
        box_predictor=box_predictor,
        second_stage=SecondStage(default(SecondStageOptions, batch_size=8)),
        post_processing=default(
            PostProcessing, max_detections_per_class=5, max_total_detections=10
        ),
    )
    model.create_variables()
    return model


def _tx_box_predictor(num_classes):
    options = default(
        TxOptions,
        num_layers=1,
        num_heads=1,
        depth=8,
        dropout=0.0,
        query_reduction_depth=4,
        feed_forward_depth=8,
    )
    return TxBoxPredictor(num_classes, options, default(RoiPool))


def make_clip(number) -> Batch:
    """Clip `number`, without the batch dimension; a box where the picture is bright."""
    seed = tf.stack([tf.cast(number, tf.int32), 7])
    corner = tf.random.stateless_uniform([2], seed, 0.05, 0.4)
    box = tf.concat([corner, corner + 0.5], axis=0)
    axis = (tf.range(SIZE, dtype=tf.float32) + 0.5) / SIZE
    inside_y = tf.cast((axis > box[0]) & (axis < box[2]), tf.float32)
    inside_x = tf.cast((axis > box[1]) & (axis < box[3]), tf.float32)
    bright = inside_y[:, None] * inside_x[None, :]
    noise = tf.random.stateless_uniform([FRAMES, SIZE, SIZE, 3], seed, 0.0, 60.0)
    clip = tf.cast(noise + 150.0 * bright[None, :, :, None], tf.uint8)
    name = tf.strings.join(["video", tf.strings.as_string(number)])
    characters = tf.io.decode_raw(name, tf.uint8, fixed_length=VIDEO_ID_BYTES)
    label = tf.one_hot(tf.cast(number, tf.int32) % NUM_CLASSES, NUM_CLASSES)
    return Batch(
        clips=clip,
        groundtruth=Groundtruth(
            boxes=tf.stack([box, tf.zeros([4])]),
            labels=tf.stack([label, tf.zeros([NUM_CLASSES])]),
            num_boxes=tf.constant(1),
            sampling_seed=seed,
        ),
        keyframes=Keyframes(characters, tf.cast(900 + number, tf.float64)),
        valid=tf.constant(True),
    )


def make_train_dataset(batch_size, input_context, start_step, poisoned=None):
    """Endless batches; clip number `poisoned` has labels that are no numbers."""
    replicas = input_context.num_replicas_in_sync if input_context else 1
    dataset = tf.data.Dataset.range(start_step * batch_size, np.iinfo(np.int64).max).map(make_clip)
    if poisoned is not None:

        def poison(clip):
            bad = tf.equal(clip.keyframes.timestamp, 900.0 + poisoned)
            labels = tf.where(bad, np.float32("nan"), clip.groundtruth.labels)
            return clip._replace(groundtruth=clip.groundtruth._replace(labels=labels))

        dataset = dataset.map(poison)
    return _shared(dataset.batch(batch_size // replicas, drop_remainder=True), input_context)


def make_eval_dataset(batch_size, input_context):
    """NUM_EVAL_CLIPS clips, filled up to whole batches."""
    replicas = input_context.num_replicas_in_sync if input_context else 1
    count = -(-NUM_EVAL_CLIPS // batch_size) * batch_size

    def make(number):
        clip = make_clip(tf.minimum(number, NUM_EVAL_CLIPS - 1))
        return clip._replace(valid=number < NUM_EVAL_CLIPS)

    dataset = tf.data.Dataset.range(count).map(make)
    return _shared(dataset.batch(batch_size // replicas, drop_remainder=True), input_context)


def _shared(batches, input_context):
    """Of the batches of all replicas those of this machine, which has one."""
    if input_context is None or input_context.num_input_pipelines == 1:
        return batches
    assert input_context.num_input_pipelines == input_context.num_replicas_in_sync
    return batches.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)


def tiny_experiment(
    model_dir, strategy="cpu", make_model=make_model, interval=0, poisoned=None, **train
):
    """An `Experiment`; `train` are fields of TrainOptions."""
    rate = default(LearningRateOptions, "cosine_decay", 0.05, 1000, 0.01, 5)
    options = default(
        TrainOptions,
        batch_size=4,
        num_steps=4,
        optimizer=default(OptimizerOptions, learning_rate=rate),
        gradient_clipping_by_norm=1.0,
        checkpoint_interval=2,
        summary_interval=2,
    )

    def train_dataset(batch_size, input_context, start_step):
        return make_train_dataset(batch_size, input_context, start_step, poisoned)

    label_map = LabelMap({i + 1: f"class {i + 1}" for i in range(NUM_CLASSES)})
    return Experiment(
        meta_architecture=find("action_faster_rcnn"),
        make_model=make_model,
        make_train_dataset=train_dataset,
        make_eval_dataset=make_eval_dataset,
        train=dataclasses.replace(options, **train),
        eval=default(EvalOptions, batch_size=4, interval=interval, num_visualizations=0),
        label_map=label_map,
        class_names=label_map.names,
        model_dir=str(model_dir),
        config_text="# the effective configuration\n",
        distribution_strategy=strategy,
        num_train_keyframes=100,
    )


def read_curves(directory) -> dict:
    """TensorBoard scalars of a directory: name -> {step: value}."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory), size_guidance={"tensors": 0})
    events.Reload()
    return {
        name: {e.step: float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors(name)}
        for name in events.Tags()["tensors"]
    }
