"""TrainConfig and EvalConfig -> avatx.training.options."""

from avatx.builders import optimizer_builder
from avatx.protos import eval_pb2, train_pb2
from avatx.training.options import EvalOptions, TrainOptions


def build_train_options(config: train_pb2.TrainConfig) -> TrainOptions:
    """What the training loop is told."""
    optimizer = config.optimizer
    return TrainOptions(
        batch_size=config.batch_size,
        num_steps=config.num_steps,
        optimizer=optimizer_builder.build(optimizer, config.num_steps),
        gradient_clipping_by_norm=config.gradient_clipping_by_norm,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        moving_average_decay=(
            optimizer.moving_average_decay if optimizer.use_moving_average else 0.0
        ),
        weight_decay=config.weight_decay,
        precision=train_pb2.Precision.Name(config.precision).lower(),
        seed=config.seed,
        fine_tune_checkpoint=config.fine_tune_checkpoint,
        fine_tune_flow_checkpoint=config.fine_tune_flow_checkpoint,
        fine_tune_checkpoint_type=config.fine_tune_checkpoint_type,
        checkpoint_interval=config.checkpoint_interval,
        checkpoints_to_keep=config.max_checkpoints_to_keep,
        summary_interval=config.summary_interval,
        max_loss=config.max_loss,
    )


def build_eval_options(
    config: eval_pb2.EvalConfig,
    num_steps: int,
    best_checkpoint_metric: str = EvalOptions.best_checkpoint_metric,
) -> EvalOptions:
    """What the evaluation is told.

    Args:
      config: the message.
      num_steps: the training's.
      best_checkpoint_metric: where `config` names none.
    """
    if config.HasField("best_checkpoint_metric"):
        best_checkpoint_metric = config.best_checkpoint_metric
    return EvalOptions(
        batch_size=config.batch_size,
        interval=config.eval_interval or num_steps,
        protocol=config.protocol,
        iou_threshold=config.iou_threshold,
        groundtruth_path=config.groundtruth_path,
        excluded_timestamps_path=config.excluded_timestamps_path,
        metrics_set=tuple(config.metrics_set) or EvalOptions.metrics_set,
        best_checkpoint_metric=best_checkpoint_metric,
        num_visualizations=config.num_visualizations,
    )
