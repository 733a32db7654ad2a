"""TrainConfig and EvalConfig -> avatx.training.options."""

from avatx.builders import optimizer_builder
from avatx.builders.options import options_from
from avatx.config.schema import choices_of
from avatx.protos import eval_pb2, train_pb2
from avatx.training.options import EvalOptions, TrainOptions


def build_train_options(config: train_pb2.TrainConfig) -> TrainOptions:
    """What the training loop is told."""
    optimizer = config.optimizer
    return options_from(
        config,
        TrainOptions,
        optimizer=optimizer_builder.build(optimizer, config.num_steps),
        moving_average_decay=(
            optimizer.moving_average_decay if optimizer.use_moving_average else 0.0
        ),
        precision=train_pb2.Precision.Name(config.precision).lower(),
        checkpoints_to_keep=config.max_checkpoints_to_keep,
    )


def build_eval_options(
    config: eval_pb2.EvalConfig, num_steps: int, best_checkpoint_metric: str | None = None
) -> EvalOptions:
    """What the evaluation is told.

    Args:
      config: the message.
      num_steps: the training's.
      best_checkpoint_metric: where `config` names none; None: the schema's default.
    """
    if best_checkpoint_metric is None or config.HasField("best_checkpoint_metric"):
        best_checkpoint_metric = config.best_checkpoint_metric
    all_metrics = choices_of(config.DESCRIPTOR.fields_by_name["metrics_set"])
    return options_from(
        config,
        EvalOptions,
        interval=config.eval_interval or num_steps,
        metrics_set=tuple(config.metrics_set) or all_metrics,
        best_checkpoint_metric=best_checkpoint_metric,
    )
