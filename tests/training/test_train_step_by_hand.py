"""One step of a linear model: loss, gradient norm and weights, by hand."""

import dataclasses

import linear_model
import numpy as np
import pytest
import tensorflow as tf
from linear_model import BIAS_GRADIENT, KERNEL_GRADIENT, LOSS, NORM

from avatx.training import classification_task
from avatx.training import optimizer as optimizer_lib

KERNEL, BIAS = [0.5, -0.25], 0.1


def take_steps(steps=1, batch=None, make_model=linear_model.LinearModel, optimizer=None, **train):
    """Returns the model, its optimiser and what each step said."""
    experiment = linear_model.experiment(**train)
    if optimizer:
        changed = linear_model.optimizer_options(experiment.train, **optimizer)
        experiment = dataclasses.replace(
            experiment, train=dataclasses.replace(experiment.train, optimizer=changed)
        )
    task = classification_task.ClassificationTask(experiment.train)
    batch = batch or linear_model.make_batch()
    strategy = tf.distribute.OneDeviceStrategy("cpu:0")
    with strategy.scope():
        model = make_model()
        built = optimizer_lib.build_optimizer(experiment.train, model)

    @tf.function(autograph=False)
    def step():
        return strategy.run(lambda: task.train_step(batch, model, built))

    return model, built, [{k: float(v) for k, v in step().items()} for _ in range(steps)]


def check_weights(model, kernel, bias, gamma=3.0, beta=2.0):
    np.testing.assert_allclose(model.kernel.numpy()[:, 0], kernel, rtol=1e-5)
    np.testing.assert_allclose(model.bias.numpy(), [bias], rtol=1e-5)
    np.testing.assert_allclose(model.gamma.numpy(), [gamma] * 2, rtol=1e-6)
    np.testing.assert_allclose(model.beta.numpy(), [beta] * 2, rtol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("parts", [1, 2])
def test_plain_step(precision, parts):
    """A loss scale and micro-batches leave no trace in weights, loss and norm."""
    model, _, (said,) = take_steps(precision=precision, gradient_accumulation_steps=parts)
    expected = {"Loss/squared": LOSS, "total_loss": LOSS, "gradient_norm": NORM}
    assert said == pytest.approx(expected, rel=1e-5)
    check_weights(model, [0.5 - 0.265, -0.25 + 0.065], 0.1 - 0.095)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("limit, factor", [(1.0, 1 / NORM), (2.0, 2 / NORM), (5.0, 1.0)])
def test_clipping(precision, parts, limit, factor):
    model, _, (said,) = take_steps(
        gradient_clipping_by_norm=limit, precision=precision, gradient_accumulation_steps=parts
    )
    assert said["gradient_norm"] == pytest.approx(NORM, rel=1e-5)  # that before clipping
    check_weights(model, [0.5 - 0.265 * factor, -0.25 + 0.065 * factor], 0.1 - 0.095 * factor)


def test_each_micro_batch_has_its_own_clips():
    """Four clips in two parts: of a loss that is linear in no clip, the mean of both."""
    xs = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-2.0, 4.0]]
    batch = linear_model.make_batch(xs, [0, 1, 1, 0])
    model, _, (said,) = take_steps(batch=batch, batch_size=4, gradient_accumulation_steps=2)
    errors = np.array(xs) @ KERNEL + BIAS - [0, 1, 1, 0]
    assert said["total_loss"] == pytest.approx((errors**2).mean(), rel=1e-5)
    gradient = 2 * (errors[:, None] * xs).mean(axis=0)
    check_weights(model, np.array(KERNEL) - 0.1 * gradient, 0.1 - 0.2 * errors.mean())


class Flat(linear_model.LinearModel):
    """No weight has an effect."""

    def loss(self, outputs, labels):
        return {"Loss/a": tf.constant(2.0), "Loss/b": tf.constant(0.5)}


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_decay_shrinks_kernels_alone(precision, parts):
    """0.2 x (0.25 + 0.0625), whose gradient is 0.4 w: 0.2 and -0.1."""
    model, _, (said,) = take_steps(
        make_model=Flat, weight_decay=0.2, precision=precision, gradient_accumulation_steps=parts
    )
    expected = {
        "Loss/a": 2.0,
        "Loss/b": 0.5,
        "regularization_loss": 0.0625,
        "total_loss": 2.5625,
        "gradient_norm": 0.05**0.5,
    }
    assert said == pytest.approx(expected, rel=1e-5)
    check_weights(model, [0.5 - 0.02, -0.25 + 0.01], 0.1)


def test_decay_is_clipped_with_the_rest():
    model, _, (said,) = take_steps(
        make_model=Flat, weight_decay=0.2, gradient_clipping_by_norm=0.05**0.5 / 2
    )
    assert said["gradient_norm"] == pytest.approx(0.05**0.5, rel=1e-5)
    check_weights(model, [0.5 - 0.01, -0.25 + 0.005], 0.1)


def test_no_decay_no_loss_of_it():
    _, _, (said,) = take_steps(make_model=Flat)
    assert "regularization_loss" not in said and said["gradient_norm"] == 0


def test_adamw_shrinks_kernels_alone_and_by_itself():
    """Decoupled: w (1 - rate x decay), and nothing is added to the loss or the gradient."""
    model, _, (said,) = take_steps(make_model=Flat, weight_decay=0.2, optimizer={"kind": "adamw"})
    assert said["total_loss"] == 2.5 and said["gradient_norm"] == 0
    check_weights(model, [0.5 * 0.98, -0.25 * 0.98], 0.1)


def test_float16_skips_a_step_that_overflows_and_halves_its_scale():
    batch = linear_model.make_batch([[1e36, 0.0], [1.0, 1.0]])
    model, built, (said,) = take_steps(
        batch=batch, precision="float16", gradient_clipping_by_norm=1.0
    )
    assert not np.isfinite(said["gradient_norm"])
    check_weights(model, KERNEL, BIAS)
    assert float(built.loss_scale.loss_scale) == 2.0**14


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_average_follows_the_weights(precision):
    """The decay is the least of 0.15 and (1 + n) / (10 + n) at step n, from 1: here 2 / 11, then
    3 / 12, both above it, so 0.15."""
    model, built, _ = take_steps(2, moving_average_decay=0.15, precision=precision)
    one, _, _ = take_steps(1)
    two, _, _ = take_steps(2)
    first, second = one.kernel.numpy()[:, 0], two.kernel.numpy()[:, 0]
    np.testing.assert_allclose(model.kernel.numpy()[:, 0], second, rtol=1e-5)
    average = 0.15 * np.array(KERNEL) + 0.85 * first
    average = 0.15 * average + 0.85 * second
    with optimizer_lib.averaged_weights(built, model):
        np.testing.assert_allclose(model.kernel.numpy()[:, 0], average, rtol=1e-4)
    np.testing.assert_allclose(model.kernel.numpy()[:, 0], second, rtol=1e-5)


def test_gradient_of_the_kernel_is_what_the_others_assume():
    model, _, _ = take_steps(optimizer={"learning_rate_base": 1.0})
    np.testing.assert_allclose(
        model.kernel.numpy()[:, 0], np.array(KERNEL) - KERNEL_GRADIENT, rtol=1e-5
    )
    np.testing.assert_allclose(model.bias.numpy(), [BIAS - BIAS_GRADIENT], rtol=1e-5)
