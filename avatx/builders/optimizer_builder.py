"""Optimizer -> avatx.training.options."""

from avatx.builders.options import fields_of, options_from
from avatx.protos import optimizer_pb2
from avatx.training.options import LearningRateOptions, OptimizerOptions

# Name in the config -> `OptimizerOptions.kind`.
OPTIMIZERS = {
    "momentum_optimizer": "momentum",
    "adam_optimizer": "adam",
    "adamw_optimizer": "adamw",
}


def build_learning_rate(config: optimizer_pb2.LearningRate, num_steps: int) -> LearningRateOptions:
    """The schedule over `num_steps` steps. Raises ValueError for an unknown one."""
    kind = config.WhichOneof("learning_rate")
    if kind == "cosine_decay_learning_rate":
        cosine = config.cosine_decay_learning_rate
        return options_from(
            cosine,
            LearningRateOptions,
            kind="cosine_decay",
            total_steps=cosine.total_steps or num_steps,
            manual_steps=(),
        )
    steps: tuple[tuple[int, float], ...] = ()
    if kind == "constant_learning_rate":
        name, rate = "constant", config.constant_learning_rate.learning_rate
    elif kind == "manual_step_learning_rate":
        manual = config.manual_step_learning_rate
        name, rate = "manual_step", manual.initial_learning_rate
        steps = tuple((entry.step, entry.learning_rate) for entry in manual.schedule)
    else:
        raise ValueError(f"unknown learning_rate: {kind}")
    return LearningRateOptions(
        kind=name,
        learning_rate_base=rate,
        total_steps=num_steps,
        warmup_learning_rate=0.0,
        warmup_steps=0,
        manual_steps=steps,
    )


def build(config: optimizer_pb2.Optimizer, num_steps: int) -> OptimizerOptions:
    """The optimiser for `num_steps` steps. Raises ValueError for an unknown one."""
    kind = config.WhichOneof("optimizer")
    if kind not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer: {kind}")
    # Fields of the other optimisers are not read: they are as if those were chosen.
    fields = {**fields_of(config.momentum_optimizer), **fields_of(config.adam_optimizer)}
    fields.update(fields_of(getattr(config, kind)))
    return OptimizerOptions(
        kind=OPTIMIZERS[kind],
        learning_rate=build_learning_rate(getattr(config, kind).learning_rate, num_steps),
        learning_rate_multipliers=tuple(
            (one.pattern, one.multiplier) for one in config.learning_rate_multiplier
        ),
        momentum=fields.pop("momentum_optimizer_value"),
        **fields,
    )
