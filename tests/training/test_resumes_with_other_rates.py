"""`optimizer.learning_rate_multiplier` added and taken away between two starts of one training."""

import dataclasses

import linear_model
import numpy as np
import tensorflow as tf

from avatx.training import run


def train(folder, num_steps, multipliers=()):
    experiment = linear_model.experiment(folder, num_steps=num_steps)
    optimizer = dataclasses.replace(
        experiment.train.optimizer, momentum=0.5, learning_rate_multipliers=multipliers
    )
    train_options = dataclasses.replace(experiment.train, optimizer=optimizer)
    run.train(dataclasses.replace(experiment, train=train_options))


def weights(folder, step):
    """Kernel [2] and bias [] of a checkpoint."""
    reader = tf.train.load_checkpoint(str(folder / f"ckpt-{step}"))
    kernel, bias = (
        reader.get_tensor(f"model/{name}/.ATTRIBUTES/VARIABLE_VALUE") for name in ("kernel", "bias")
    )
    return kernel[:, 0], bias[0]


def test_the_training_goes_on_with_the_optimisers_state(tmp_path):
    """The kernel stands still in the second step alone; its velocity goes on through it."""
    train(tmp_path, 1)
    train(tmp_path, 2, (("kernel", 0.0),))
    train(tmp_path, 3)
    xs, labels = np.array(linear_model.XS), np.array(linear_model.LABELS)
    kernel, bias = np.array([0.5, -0.25]), 0.1
    kernel_velocity, bias_velocity = np.zeros(2), 0.0
    for step, factor in ((1, 1.0), (2, 0.0), (3, 1.0)):
        error = xs @ kernel + bias - labels
        kernel_velocity = 0.5 * kernel_velocity - 0.1 * 2 * (error[:, np.newaxis] * xs).mean(axis=0)
        bias_velocity = 0.5 * bias_velocity - 0.1 * 2 * error.mean()
        kernel, bias = kernel + factor * kernel_velocity, bias + bias_velocity
        found_kernel, found_bias = weights(tmp_path, step)
        np.testing.assert_allclose(found_kernel, kernel, rtol=1e-4, err_msg=str(step))
        np.testing.assert_allclose(found_bias, bias, rtol=1e-4, err_msg=str(step))
