import math

import made_tensors
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from default_options import default

from avatx.errors import UserError
from avatx.training.optimizer import (
    averaged_weights,
    build_learning_rate,
    build_optimizer,
    update_average,
)
from avatx.training.options import LearningRateOptions, OptimizerOptions, TrainOptions


def test_the_paper_s_schedule():
    rate = build_learning_rate(
        default(LearningRateOptions, "cosine_decay", 0.1, 500000, 0.01, 1000)
    )
    assert float(rate(0)) == pytest.approx(0.01)
    assert float(rate(500)) == pytest.approx(0.055)
    for step in (1000, 2000, 250500, 400000, 500000):
        expected = 0.05 * (1 + math.cos(math.pi * (step - 1000) / 499000))
        assert float(rate(tf.constant(step, tf.int64))) == pytest.approx(expected, abs=1e-6)
    assert float(rate(600000)) == pytest.approx(0.0, abs=1e-9)


def test_constant_and_manual_steps():
    constant = build_learning_rate(default(LearningRateOptions, "constant", 0.1, warmup_steps=0))
    assert [float(constant(step)) for step in (0, 9999)] == pytest.approx([0.1, 0.1])
    manual = build_learning_rate(
        default(LearningRateOptions, "manual_step", 0.1, manual_steps=((10, 0.01), (20, 0.001)))
    )
    rates = [float(manual(tf.constant(step, tf.int64))) for step in (0, 9, 10, 19, 20, 99)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize(
    "options, named",
    [
        (
            default(LearningRateOptions, "cosine_decay", total_steps=10, warmup_steps=10),
            "warmup_steps",
        ),
        (default(LearningRateOptions, "staircase"), "staircase"),
    ],
)
def test_wrong_schedules(options, named):
    with pytest.raises(UserError, match=named):
        build_learning_rate(options)


def make_model():
    model = tf_keras.Sequential([tf_keras.layers.Dense(2, name="dense")])
    model.build([None, 3])
    return model


def one_step(optimizer, model):
    gradients = [tf.ones_like(variable) for variable in model.trainable_variables]
    optimizer.apply.apply_gradients(
        zip(gradients, model.trainable_variables, strict=True),
        experimental_aggregate_gradients=False,
    )
    if optimizer.average is not None:
        update_average(optimizer.average)


@pytest.mark.parametrize("kind", ["momentum", "adam", "adamw"])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_every_optimizer_steps_and_averages(kind, precision):
    model = make_model()
    rate = default(LearningRateOptions, "constant", 0.1)
    options = default(
        TrainOptions,
        optimizer=default(OptimizerOptions, kind, learning_rate=rate),
        moving_average_decay=0.99,
        precision=precision,
    )
    optimizer = build_optimizer(options, model)
    assert (optimizer.loss_scale is not None) == (precision == "float16")
    start = [variable.numpy() for variable in model.trainable_variables]
    one_step(optimizer, model)
    trained = [variable.numpy() for variable in model.trainable_variables]
    with averaged_weights(optimizer, model):
        averaged = [variable.numpy() for variable in model.trainable_variables]
    for before, after, average in zip(start, trained, averaged, strict=True):
        assert (after < before).all()
        # Between the two; after one step the decay is (1 + 1) / (10 + 1).
        np.testing.assert_allclose(average, after + 2 / 11 * (before - after), rtol=1e-5)


def test_evaluating_leaves_the_trained_weights_bit_for_bit():
    model = make_model()
    optimizer = build_optimizer(default(TrainOptions, moving_average_decay=0.5), model)
    one_step(optimizer, model)
    model.layers[0].kernel.assign(np.float32([[1e-8, 3e7], [0.1, 1 / 3], [1e20, -7.0]]))
    before = model.layers[0].kernel.numpy()
    with pytest.raises(RuntimeError), averaged_weights(optimizer, model):
        assert not np.array_equal(model.layers[0].kernel.numpy(), before)
        raise RuntimeError("evaluation failed")
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), before)


def test_evaluating_takes_no_weights_through_numpy():
    """Each array that becomes a tensor keeps memory: at every evaluation, of each variable."""
    model = make_model()
    optimizer = build_optimizer(default(TrainOptions, moving_average_decay=0.5), model)
    one_step(optimizer, model)
    with made_tensors.counted() as made, averaged_weights(optimizer, model):
        pass
    assert not made


def test_unknown_optimizer():
    with pytest.raises(UserError, match="lion"):
        build_optimizer(
            default(TrainOptions, optimizer=default(OptimizerOptions, "lion")), make_model()
        )
