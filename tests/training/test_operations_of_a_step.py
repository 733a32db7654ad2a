"""What of a training step and of inference a GPU cannot compute, and how many operations there are.

Needs no GPU: the kernels are in the wheel. See `graph_operations`.
"""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from graph_operations import count_operations, without_kernel
from small_detector import random_batch, small_model
from tensorflow.python.framework import config as tf_config

from avatx.core.non_max_suppression import NmsImplementation
from avatx.core.structures import VIDEO_ID_BYTES, Batch, Keyframes
from avatx.meta_architectures.post_processing import PostProcessing
from avatx.training.action_detection_task import ActionDetectionTask
from avatx.training.optimizer import build_optimizer
from avatx.training.options import OptimizerOptions, TrainOptions


def detector(implementation):
    model = small_model(
        dropout=0.3, post_processing=default(PostProcessing, implementation=implementation)
    )
    stage = model.proposal_stage
    stage.options = dataclasses.replace(stage.options, nms_implementation=implementation)
    return model


def step_of(implementation, **options):
    """The traced training step of a small detector."""
    train = default(
        TrainOptions,
        batch_size=2,
        gradient_clipping_by_norm=10.0,
        optimizer=default(OptimizerOptions, kind=options.pop("kind", "momentum")),
        **options,
    )
    model, task = detector(implementation), ActionDetectionTask(train)
    optimizer = build_optimizer(train, model)
    clips, groundtruth = random_batch(2)
    keyframes = Keyframes(tf.zeros([2, VIDEO_ID_BYTES], tf.uint8), tf.zeros([2], tf.float64))
    batch = Batch(clips, groundtruth, keyframes, tf.ones([2], tf.bool))
    step = tf.function(lambda b: task.train_step(b, model, optimizer), autograph=False)
    return step.get_concrete_function(batch)


@pytest.mark.parametrize("options", [{}, {"kind": "adamw", "moving_average_decay": 0.9}])
def test_of_a_training_step_a_gpu_computes_all(options):
    concrete = step_of(NmsImplementation.BY_DEVICE, **options)
    assert without_kernel(concrete) == {}
    assert "CombinedNonMaxSuppression" in count_operations(concrete)  # for a CPU it is there
    # And nothing draws clip by clip in a loop: what loops is the suppression.
    assert not {"TensorListReserve", "TensorListStack"} & set(count_operations(concrete))


def test_of_inference_a_gpu_computes_all():
    model = detector(NmsImplementation.BY_DEVICE)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None] * 4 + [3], tf.uint8)])
    def detect(clips):
        predictions = model.predict(model.preprocess(clips), attention=True)
        return model.postprocess(predictions), predictions.box_predictions.attention

    assert without_kernel(detect.get_concrete_function()) == {}


def test_what_has_no_kernel_is_found():
    """Or the tests above would pass whatever the graph."""

    @tf.function(input_signature=[tf.TensorSpec([None, None])])
    def function(x):
        inside = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.linalg.expm(y)), (0, x))
        return tf.argmax(tf.cast(x, tf.int8)), inside, tf.strings.as_string(x)

    concrete = function.get_concrete_function()
    assert set(without_kernel(concrete)) >= {"ArgMax", "AsString"}
    assert count_operations(concrete)["MatMul"] + count_operations(concrete)["BatchMatMulV2"] > 3


def test_where_combined_is_asked_for_it_is_found():
    model = detector(NmsImplementation.COMBINED)
    clips, _ = random_batch(1)
    detect = tf.function(
        lambda c: model.postprocess(model.predict(model.preprocess(c))), autograph=False
    )
    assert without_kernel(detect.get_concrete_function(clips)) == {
        "CombinedNonMaxSuppression": 2,
        "ArgMax": 1,
    }


@pytest.fixture
def deterministic():
    """Else two runs of one step differ by more than XLA changes."""
    tf.config.experimental.enable_op_determinism()
    yield
    tf_config.disable_op_determinism()


def test_a_compiled_update_is_the_same_update(deterministic):
    found = []
    for compiled in (False, True):
        train = default(
            TrainOptions,
            batch_size=2,
            gradient_clipping_by_norm=0.5,
            weight_decay=1e-3,
            optimizer=default(OptimizerOptions, kind="momentum"),
            jit_compile_update=compiled,
        )
        task, strategy = ActionDetectionTask(train), tf.distribute.OneDeviceStrategy("cpu:0")
        with strategy.scope():  # as a training makes them
            model = detector(NmsImplementation.BY_DEVICE)
            optimizer = build_optimizer(train, model)
        clips, groundtruth = random_batch(2)
        batch = Batch(clips, groundtruth, (), ())

        @tf.function(autograph=False)
        def step(strategy=strategy, task=task, model=model, optimizer=optimizer, batch=batch):
            return strategy.run(task.train_step, args=(batch, model, optimizer))

        said = [step() for _ in range(2)]
        found.append((said, [v.read_value() for v in model.trainable_variables]))
    for mine, theirs in zip(*map(tf.nest.flatten, found), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-6)
