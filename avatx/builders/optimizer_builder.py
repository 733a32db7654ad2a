"""Optimizer -> avatx.training.options."""

from avatx.protos import optimizer_pb2
from avatx.training.options import LearningRateOptions, OptimizerOptions


def build_learning_rate(config: optimizer_pb2.LearningRate, num_steps: int) -> LearningRateOptions:
    """The schedule over `num_steps` steps. Raises ValueError for an unknown one."""
    kind = config.WhichOneof("learning_rate")
    if kind == "constant_learning_rate":
        return LearningRateOptions(
            kind="constant", learning_rate_base=config.constant_learning_rate.learning_rate
        )
    if kind == "cosine_decay_learning_rate":
        cosine = config.cosine_decay_learning_rate
        return LearningRateOptions(
            kind="cosine_decay",
            learning_rate_base=cosine.learning_rate_base,
            total_steps=cosine.total_steps or num_steps,
            warmup_learning_rate=cosine.warmup_learning_rate,
            warmup_steps=cosine.warmup_steps,
        )
    if kind == "manual_step_learning_rate":
        manual = config.manual_step_learning_rate
        return LearningRateOptions(
            kind="manual_step",
            learning_rate_base=manual.initial_learning_rate,
            manual_steps=tuple((entry.step, entry.learning_rate) for entry in manual.schedule),
        )
    raise ValueError(f"unknown learning_rate: {kind}")


def build(config: optimizer_pb2.Optimizer, num_steps: int) -> OptimizerOptions:
    """The optimiser for `num_steps` steps. Raises ValueError for an unknown one."""
    kind = config.WhichOneof("optimizer")
    if kind == "momentum_optimizer":
        momentum = config.momentum_optimizer
        return OptimizerOptions(
            kind="momentum",
            momentum=momentum.momentum_optimizer_value,
            learning_rate=build_learning_rate(momentum.learning_rate, num_steps),
        )
    if kind == "adam_optimizer":
        adam = config.adam_optimizer
        return OptimizerOptions(
            kind="adam",
            epsilon=adam.epsilon,
            learning_rate=build_learning_rate(adam.learning_rate, num_steps),
        )
    raise ValueError(f"unknown optimizer: {kind}")
