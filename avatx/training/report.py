"""What a training prints when it starts: the arithmetic, so that a mistake is seen at once."""

import tensorflow as tf
import tf_keras

from avatx.training.options import LearningRateOptions, TrainOptions
from avatx.training.workers import Workers

PART_NAMES = {"proposal_stage": "rpn"}  # by which everybody knows it
MOVING_STATISTICS = ("moving_mean", "moving_variance")


def count_parameters(model: tf_keras.Model) -> dict[str, dict[str, int]]:
    """Counts a built model's parameters by part.

    Returns:
      Part -> {"trainable", "moving_statistics", "other"}, in numbers; "other" are weights that
      training leaves alone. The parts are the model's sub-layers by attribute name, such as
      `trunk`, `rpn` and `box_predictor`, and `total`. A variable that two parts share counts in
      the first.
    """
    trainable = {id(variable) for variable in model.trainable_variables}
    seen = set()
    counts = {}

    def count(variables) -> dict[str, int]:
        numbers = {"trainable": 0, "moving_statistics": 0, "other": 0}
        for variable in variables:
            if id(variable) in seen or not variable.dtype.is_floating:
                continue
            seen.add(id(variable))
            if variable.name.split(":")[0].split("/")[-1] in MOVING_STATISTICS:
                kind = "moving_statistics"
            else:
                kind = "trainable" if id(variable) in trainable else "other"
            numbers[kind] += variable.shape.num_elements()
        return numbers

    for name, child in tf.train.TrackableView.children(model).items():
        if isinstance(child, tf.Module) and getattr(child, "variables", None):
            numbers = count(child.variables)
            if any(numbers.values()):
                counts[PART_NAMES.get(name, name.lstrip("_"))] = numbers
    rest = count(model.variables)
    if any(rest.values()):
        counts["rest"] = rest
    kinds = ("trainable", "moving_statistics", "other")
    counts["total"] = {kind: sum(part[kind] for part in counts.values()) for kind in kinds}
    return counts


def describe_learning_rate(options: LearningRateOptions) -> str:
    """The schedule in words."""
    base = f"{options.learning_rate_base:g}"
    warmup = (
        f"{options.warmup_learning_rate:g} to {base} over {options.warmup_steps:,} steps, then "
        if options.warmup_steps
        else ""
    )
    if options.kind == "cosine_decay":
        return f"{warmup}cosine from {base} to 0 at step {options.total_steps:,}"
    steps = "".join(f", {rate:g} from step {step:,}" for step, rate in options.manual_steps)
    return f"{warmup}{base}{steps}"


def startup_lines(experiment, strategy, model, start_step: int) -> list[str]:
    """The report of one training run.

    Args:
      experiment: the run.
      strategy: its devices.
      model: built.
      start_step: steps trained before.
    """
    options: TrainOptions = experiment.train
    replicas = strategy.num_replicas_in_sync
    parts = options.gradient_accumulation_steps
    replica_batch = options.batch_size // replicas
    lines = [
        f"devices          {replicas} x {_device_kind(strategy)} "
        f"({type(strategy).__name__}{_machines(strategy)}), {options.precision}",
        f"batch            {options.batch_size} clips a step = {replicas} replicas x {parts} "
        f"micro-batches x {replica_batch // parts} clips",
        f"optimizer        {options.optimizer.kind}, learning rate "
        + describe_learning_rate(options.optimizer.learning_rate)
        + "".join(
            f"; {pattern!r} x {factor:g}"
            for pattern, factor in options.optimizer.learning_rate_multipliers
        ),
        f"                 gradient clipped at {options.gradient_clipping_by_norm or 'no'} norm, "
        f"weight decay {options.weight_decay:g}, moving average "
        f"{options.moving_average_decay or 'off'}",
        f"steps            {start_step:,} to {options.num_steps:,}"
        + _epochs(experiment.num_train_keyframes, experiment.meta_architecture.epoch_unit, options),
    ]
    for part, numbers in count_parameters(model).items():
        others = f", {numbers['other']:,} frozen" if numbers["other"] else ""
        lines.append(
            f"parameters       {part:<16} {numbers['trainable']:>12,} trainable, "
            f"{numbers['moving_statistics']:,} moving statistics{others}"
        )
    lines += [f"{name:<16} {value}" for name, value in experiment.data_statistics]
    lines.append(
        f"checkpoints      every {options.checkpoint_interval:,} steps into "
        f"{experiment.model_dir}, {options.checkpoints_to_keep} kept"
    )
    return lines


def _epochs(num_keyframes, unit: str, options: TrainOptions) -> str:
    if not num_keyframes:
        return ""
    epochs = options.num_steps * options.batch_size / num_keyframes
    return f" = {epochs:.1f} epochs of {num_keyframes:,} {unit}"


def _machines(strategy) -> str:
    count = Workers(strategy).count
    return f" of {count} machines" if count > 1 else ""


def _device_kind(strategy) -> str:
    return strategy.extended.worker_devices[0].split("device:")[-1].split(":")[0].upper()
