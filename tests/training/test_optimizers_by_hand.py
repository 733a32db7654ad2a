"""Three steps of every optimiser and every schedule, by the textbook's formulas."""

import dataclasses
import math

import linear_model
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from default_options import default

from avatx.errors import UserError
from avatx.training import optimizer as optimizer_lib
from avatx.training import options, report

GRADIENTS = [2.0, -1.0, 0.5]
START = 3.0


def steps(decay=0.0, **changed):
    """A kernel of one weight after each of three steps; its bias goes along without decay."""
    train = linear_model.experiment(weight_decay=decay).train
    train = dataclasses.replace(train, optimizer=linear_model.optimizer_options(train, **changed))
    model = tf_keras.Sequential([tf_keras.layers.Dense(1, name="dense")])
    model.build([None, 1])
    for variable in model.trainable_variables:
        variable.assign(tf.fill(variable.shape, START))
    built = optimizer_lib.build_optimizer(train, model)
    kernels, biases = [], []
    for gradient in GRADIENTS:
        pairs = [(tf.fill(v.shape, gradient), v) for v in model.trainable_variables]
        built.apply.apply_gradients(pairs, experimental_aggregate_gradients=False)
        kernels.append(float(model.layers[0].kernel[0, 0]))
        biases.append(float(model.layers[0].bias[0]))
    return kernels, biases


def sgd(momentum, nesterov, rate=0.1):
    weight, velocity, found = START, 0.0, []
    for gradient in GRADIENTS:
        velocity = momentum * velocity - rate * gradient
        weight += momentum * velocity - rate * gradient if nesterov else velocity
        found.append(weight)
    return found


def adam(beta_1, beta_2, epsilon, decay=0.0, rate=0.1):
    weight, m, v, found = START, 0.0, 0.0, []
    for t, gradient in enumerate(GRADIENTS, 1):
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient**2
        weight -= rate * decay * weight
        scaled_rate = rate * math.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        weight -= scaled_rate * m / (math.sqrt(v) + epsilon)
        found.append(weight)
    return found


@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.5])
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd(momentum, nesterov):
    kernels, biases = steps(kind="momentum", momentum=momentum, nesterov=nesterov)
    assert kernels == biases == pytest.approx(sgd(momentum, nesterov), rel=1e-5)


@pytest.mark.parametrize(
    "numbers", [(0.9, 0.999, 1e-7), (0.5, 0.999, 1e-7), (0.9, 0.75, 1e-7), (0.9, 0.999, 0.5)]
)
@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_adam(kind, numbers):
    beta_1, beta_2, epsilon = numbers
    kernels, biases = steps(0.25, kind=kind, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
    decay = 0.25 if kind == "adamw" else 0.0  # adam's is the task's
    assert kernels == pytest.approx(adam(*numbers, decay=decay), rel=1e-4)
    assert biases == pytest.approx(adam(*numbers), rel=1e-4)


@pytest.mark.parametrize("kind", ["momentum", "adam", "adamw"])
def test_a_part_of_the_model_at_a_part_of_the_rate(kind):
    plain, biases = steps(kind=kind, momentum=0.5)
    slow, same = steps(kind=kind, momentum=0.5, learning_rate_multipliers=(("/kernel$", 0.25),))
    assert same == biases
    moved = [START + 0.25 * (weight - START) for weight in plain]
    assert slow == pytest.approx(moved, rel=1e-5)


def test_of_the_decay_too():
    slow, _ = steps(0.25, kind="adamw", learning_rate_multipliers=(("kernel", 0.5),))
    whole = adam(0.9, 0.999, 1e-8, rate=0.05, decay=0.25)
    assert slow == pytest.approx(whole, rel=1e-4)


def test_the_first_pattern_that_fits_counts():
    patterns = (("kernel", 0.5), ("dense", 0.0))
    kernels, biases = steps(kind="momentum", momentum=0.0, learning_rate_multipliers=patterns)
    assert kernels == pytest.approx([3 - 0.1, 2.9 + 0.05, 2.95 - 0.025])
    assert biases == [START] * 3


@pytest.mark.parametrize(
    "patterns, told",
    [
        ((("box_predictor/i3d", 2.0),), "'box_predictor/i3d': found in no trained variable's name"),
        ((("dense", 2.0), ("kernel", 3.0)), "'kernel': found in no trained variable's name"),
    ],
)
def test_a_pattern_without_a_use_is_named(patterns, told):
    with pytest.raises(UserError, match=told):
        steps(kind="adam", learning_rate_multipliers=patterns)


def test_the_optimiser_follows_its_schedule():
    kernels, _ = steps(
        kind="momentum",
        schedule="manual_step",
        learning_rate_base=1.0,
        manual_steps=((1, 0.5), (2, 0.25)),
    )
    assert kernels == pytest.approx([3 - 2.0, 1 + 0.5, 1.5 - 0.125])


def rates(at, **changed):
    base = default(
        options.LearningRateOptions,
        kind="cosine_decay",
        learning_rate_base=0.4,
        total_steps=100,
        warmup_learning_rate=0.1,
        warmup_steps=20,
        manual_steps=(),
    )
    rate = optimizer_lib.build_learning_rate(dataclasses.replace(base, **changed))
    return [float(rate(tf.constant(step, tf.int64))) for step in at]


@pytest.mark.parametrize(
    "changed, expected",
    [
        # Half way up, at the top, a quarter, half and all of the cosine down, and after it.
        ({}, [0.1, 0.25, 0.4, 0.2 * (1 + 0.5**0.5), 0.2, 0.0, 0.0]),
        ({"learning_rate_base": 0.8}, [0.1, 0.45, 0.8, 0.4 * (1 + 0.5**0.5), 0.4, 0.0, 0.0]),
        ({"warmup_learning_rate": 0.2}, [0.2, 0.3, 0.4, 0.2 * (1 + 0.5**0.5), 0.2, 0.0, 0.0]),
        (
            {"total_steps": 180},
            [0.1, 0.25, 0.4] + [0.2 * (1 + math.cos(math.pi * s / 160)) for s in (20, 40, 80, 100)],
        ),
        (
            {"warmup_steps": 0},
            [0.2 * (1 + math.cos(math.pi * s / 100)) for s in (0, 10, 20, 40, 60, 100, 100)],
        ),
        ({"kind": "constant"}, [0.1, 0.25, 0.4, 0.4, 0.4, 0.4, 0.4]),
        (
            {"kind": "manual_step", "warmup_steps": 0, "manual_steps": ((20, 0.3), (60, 0.05))},
            [0.4, 0.4, 0.3, 0.3, 0.05, 0.05, 0.05],
        ),
        ({"kind": "manual_step", "warmup_steps": 0}, [0.4] * 7),
    ],
)
def test_schedules(changed, expected):
    assert rates([0, 10, 20, 40, 60, 100, 120], **changed) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "options_, words",
    [
        (
            default(options.LearningRateOptions, "cosine_decay", 0.4, 5000, 0.1, 1200),
            "0.1 to 0.4 over 1,200 steps, then cosine from 0.4 to 0 at step 5,000",
        ),
        (default(options.LearningRateOptions, "constant", 0.4, 5000, 0.1, 0), "0.4"),
        (
            default(
                options.LearningRateOptions,
                "manual_step",
                0.4,
                5000,
                0.1,
                0,
                manual_steps=((2000, 0.3), (6000, 0.05)),
            ),
            "0.4, 0.3 from step 2,000, 0.05 from step 6,000",
        ),
    ],
)
def test_schedules_in_words(options_, words):
    assert report.describe_learning_rate(options_) == words


def test_the_average_starts_at_the_weights_again_when_told():
    model = linear_model.LinearModel()
    train = linear_model.experiment(moving_average_decay=0.9).train
    built = optimizer_lib.build_optimizer(train, model)
    model.kernel.assign([[7.0], [8.0]])
    optimizer_lib.reset_average(built.average, model)
    with optimizer_lib.averaged_weights(built, model):
        np.testing.assert_array_equal(model.kernel.numpy(), [[7.0], [8.0]])
