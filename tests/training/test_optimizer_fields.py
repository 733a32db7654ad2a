"""Fields of the optimisers' messages: changing one changes what is learned, or how it is run."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from google.protobuf import text_format

from avatx.builders import training_builder
from avatx.protos import train_pb2
from avatx.training.controller import TrainingController
from avatx.training.interruption import StopRequest
from avatx.training.optimizer import build_optimizer

RATE = "learning_rate { constant_learning_rate { learning_rate: 0.125 } }"


def options_of(optimizer, more=""):
    text = f"batch_size: 1 num_steps: 10 optimizer {{ {optimizer} }} {more}"
    return training_builder.build_train_options(text_format.Parse(text, train_pb2.TrainConfig()))


def weights_after(gradients, optimizer, more=""):
    """The kernel [1, 1] and bias [1] after steps of these gradients, from 1 and 1."""
    model = tf_keras.Sequential([tf_keras.layers.Dense(1, bias_initializer="ones", name="dense")])
    model.build([None, 1])
    model.layers[0].kernel.assign([[1.0]])
    built = build_optimizer(options_of(optimizer, more), model)
    for gradient in gradients:
        pairs = [(tf.fill(v.shape, gradient), v) for v in model.trainable_variables]
        built.apply.apply_gradients(pairs, experimental_aggregate_gradients=False)
    return [float(v.numpy().squeeze()) for v in model.trainable_variables]


def test_nesterov_looks_ahead():
    plain = f"momentum_optimizer {{ {RATE} momentum_optimizer_value: 0.5 }}"
    nesterov = f"momentum_optimizer {{ {RATE} momentum_optimizer_value: 0.5 nesterov: true }}"
    # v = 0.5 v - 0.125 g: -0.125, -0.0625; w += v, or with Nesterov w += 0.5 v - 0.125 g.
    assert weights_after([1.0, 0.0], plain)[0] == 1 - 0.125 - 0.0625
    assert weights_after([1.0, 0.0], nesterov)[0] == 1 - 0.1875 - 0.03125


@pytest.mark.parametrize("name", ["adam_optimizer", "adamw_optimizer"])
@pytest.mark.parametrize(
    "beta_1, beta_2, epsilon",
    [(0.9, 0.999, 1e-8), (0.5, 0.999, 1e-8), (0.9, 0.25, 1e-8), (0, 0, 3)],
)
def test_betas_and_epsilon_of_adam(name, beta_1, beta_2, epsilon):
    fields = f"beta_1: {beta_1} beta_2: {beta_2} epsilon: {epsilon}"
    found = weights_after([2.0, -1.0], f"{name} {{ {RATE} {fields} }}")[0]
    weight, mean, square = 1.0, 0.0, 0.0
    for step, gradient in enumerate([2.0, -1.0], 1):
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        # Keras' "epsilon hat": the correction is in the rate.
        rate = 0.125 * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        weight -= rate * mean / (np.sqrt(square) + epsilon)
    assert found == pytest.approx(weight, rel=1e-5)


def test_adamw_shrinks_kernels_by_rate_times_decay_and_adam_does_not():
    decayed = weights_after([0.0], f"adamw_optimizer {{ {RATE} }}", "weight_decay: 0.5")
    assert decayed == [pytest.approx(1 - 0.125 * 0.5), 1.0]  # kernel, bias
    # Adam's decay is a term of the loss, which the task adds.
    assert weights_after([0.0], f"adam_optimizer {{ {RATE} }}", "weight_decay: 0.5") == [1.0, 1.0]


def test_steps_per_loop_bounds_the_steps_between_looks():
    loops = []

    class Controller(TrainingController):
        def __init__(self, options):
            self._options, self._started, self._stop = options, False, StopRequest()
            self.global_step = tf.Variable(0)
            self.trainer = self

        def train(self, steps, *arguments, **kwargs):
            if isinstance(steps, tf.Tensor):
                loops.append(int(steps))
                self.global_step.assign_add(steps)
            else:
                super().train(steps, *arguments, **kwargs)

        def _report(self, step):
            pass

        def mean_loss(self):
            return 0.0

    more = "summary_interval: 8 checkpoint_interval: 100"
    optimizer = f"adam_optimizer {{ {RATE} }}"
    Controller(options_of(optimizer, f"{more} steps_per_loop: 3")).train(
        10, checkpoint_at_completion=False
    )
    assert loops == [1, 3, 3, 1, 2]
    loops.clear()
    Controller(options_of(optimizer, more)).train(10, checkpoint_at_completion=False)
    assert loops == [1, 7, 2]
