"""The optimiser, its learning-rate schedule and the moving average of the weights.

All three come from `official.modeling.optimization`. Clipping is not given to the optimiser: the
task clips after the gradients of all replicas and micro-batches are summed, so that the step is
that of the whole batch.
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tf_keras
from official.modeling import optimization, performance
from official.modeling.optimization import ema_optimizer

from avatx.errors import UserError
from avatx.training import learning_rate_multipliers
from avatx.training.options import LearningRateOptions, TrainOptions

NOT_DECAYED = ["layer_norm", "LayerNorm", "layer_normalization", "bias", "beta", "gamma"]


class Optimizer(NamedTuple):
    """What one training run updates its weights with."""

    apply: tf_keras.optimizers.legacy.Optimizer  # takes the summed, clipped gradients
    average: optimization.ExponentialMovingAverage | None  # wraps `apply`; None: no average
    learning_rate: Callable  # step -> scalar float32

    @property
    def checkpointed(self) -> tf_keras.optimizers.legacy.Optimizer:
        """The object that holds all optimiser state: slots, iterations, averages."""
        return self.average or self.apply

    @property
    def loss_scale(self) -> tf_keras.mixed_precision.LossScaleOptimizer | None:
        """`apply` where it scales the loss (float16), else None."""
        scaled = isinstance(self.apply, tf_keras.mixed_precision.LossScaleOptimizer)
        return self.apply if scaled else None


def build_learning_rate(options: LearningRateOptions):
    """Returns a function step -> learning rate (scalar float32).

    Cosine and warm-up are those of the Object Detection API's `cosine_decay_learning_rate`:
    the cosine begins where the warm-up ends.

    Raises:
      UserError: the warm-up is as long as the whole schedule, or the kind is unknown.
    """
    factory = optimization.OptimizerFactory(_optimization_config(options, {"type": "sgd"}))
    schedule = factory.build_learning_rate()
    if callable(schedule):
        return schedule
    return tf_keras.optimizers.schedules.PolynomialDecay(schedule, 1, schedule)  # constant


def build_optimizer(options: TrainOptions, model: tf_keras.Model) -> Optimizer:
    """Builds the optimiser and creates all its variables, under the current strategy's scope.

    Args:
      options: the training options.
      model: a built model; its trainable variables get slots.
    """
    config = _optimization_config(options.optimizer.learning_rate, _optimizer_config(options))
    factory = optimization.OptimizerFactory(config)
    learning_rate = build_learning_rate(options.optimizer.learning_rate)
    optimizer = factory.build_optimizer(learning_rate)
    learning_rate_multipliers.apply(
        optimizer, options.optimizer.learning_rate_multipliers, model.trainable_variables
    )
    optimizer = performance.configure_optimizer(
        optimizer, use_float16=options.precision == "float16"
    )
    average = None
    if options.moving_average_decay:
        average = optimization.ExponentialMovingAverage(
            optimizer, average_decay=options.moving_average_decay
        )
        average.shadow_copy(model)
        reset_average(average, model)
    # Slots exist before the first step, so that a checkpoint can be checked against them.
    optimizer._create_all_weights(model.trainable_variables)
    return Optimizer(optimizer, average, learning_rate)


def reset_average(average: optimization.ExponentialMovingAverage, model: tf_keras.Model) -> None:
    """Starts the average at the model's weights; Model Garden starts it at zero."""
    for variable in model.trainable_variables:
        average.get_slot(variable, "average").assign(variable)


def update_average(average: optimization.ExponentialMovingAverage) -> None:
    """Moves the average one step towards the weights. Called in replica context."""
    ema_optimizer.maybe_merge_call(average.update_average, tf.distribute.get_strategy())


@contextlib.contextmanager
def averaged_weights(optimizer: Optimizer, model: tf_keras.Model):
    """Inside, the model computes with the averaged weights, if there are any.

    Model Garden's `swap_weights` exchanges by sums and differences, which loses low bits of the
    trained weights at every evaluation; this keeps a copy instead, where the variables are.
    """
    if optimizer.average is None:
        yield
        return
    trained = [variable.read_value() for variable in model.trainable_variables]
    for variable in model.trainable_variables:
        variable.assign(optimizer.average.get_slot(variable, "average"))
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, trained, strict=True):
            variable.assign(value)


def _optimizer_config(options: TrainOptions) -> dict:
    optimizer = options.optimizer
    adam = {
        "beta_1": optimizer.beta_1,
        "beta_2": optimizer.beta_2,
        "epsilon": optimizer.epsilon,
    }
    if optimizer.kind == "momentum":
        sgd = {"momentum": optimizer.momentum, "nesterov": optimizer.nesterov}
        return {"type": "sgd", "sgd": sgd}
    if optimizer.kind == "adam":
        return {"type": "adam", "adam": adam}
    if optimizer.kind == "adamw":
        adamw = {
            **adam,
            "weight_decay_rate": options.weight_decay,
            "exclude_from_weight_decay": NOT_DECAYED,
            "gradient_clip_norm": 0.0,  # the task clips
        }
        return {"type": "adamw", "adamw": adamw}
    raise UserError(
        f"train_config.optimizer: kind {optimizer.kind!r} is unknown; expected momentum, adam or "
        "adamw"
    )


def _optimization_config(options: LearningRateOptions, optimizer: dict):
    params = {"optimizer": optimizer}
    if options.kind == "cosine_decay":
        decay_steps = options.total_steps - options.warmup_steps
        if decay_steps <= 0:
            raise UserError(
                f"cosine_decay_learning_rate: warmup_steps = {options.warmup_steps} must be less "
                f"than total_steps = {options.total_steps}"
            )
        params["learning_rate"] = {
            "type": "cosine",
            "cosine": {
                "initial_learning_rate": options.learning_rate_base,
                "decay_steps": decay_steps,
                "offset": options.warmup_steps,
            },
        }
    elif options.kind == "constant" or (options.kind == "manual_step" and not options.manual_steps):
        constant = {"learning_rate": options.learning_rate_base}
        params["learning_rate"] = {"type": "constant", "constant": constant}
    elif options.kind == "manual_step":
        params["learning_rate"] = {
            "type": "stepwise",
            "stepwise": {
                # Keras holds a value up to and including its boundary.
                "boundaries": [step - 1 for step, _ in options.manual_steps],
                "values": [options.learning_rate_base] + [rate for _, rate in options.manual_steps],
            },
        }
    else:
        raise UserError(
            f"train_config.optimizer: learning rate {options.kind!r} is unknown; expected "
            "cosine_decay, constant or manual_step"
        )
    if options.warmup_steps:
        params["warmup"] = {
            "type": "linear",
            "linear": {
                "warmup_steps": options.warmup_steps,
                "warmup_learning_rate": options.warmup_learning_rate,
            },
        }
    return optimization.OptimizationConfig(params)
