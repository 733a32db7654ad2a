"""What a pipeline.config amounts to: parameters, shapes, batches, learning rate."""

from typing import Any

import tensorflow as tf

from avatx import registrations
from avatx.builders import input_reader_builder, model_builder, training_builder
from avatx.config import memory
from avatx.protos import pipeline_pb2
from avatx.training import fine_tuning, learning_rate_multipliers, optimizer, report


def summarize(config: pipeline_pb2.PipelineConfig) -> dict[str, Any]:
    """Builds the model and describes the run.

    Returns:
      JSON-like: `parameters` (trainable ones by part, and `moving_statistics` by part),
      `shapes`, and where there is a train_config `host_memory` (bytes), `batch`, `schedule` and
      `notes`, lines to be told.

    Raises:
      UserError: the config cannot be built.
    """
    found = memory.estimate(config)  # before any is taken
    model = model_builder.build(config.model)
    counts = report.count_parameters(model)
    summary = {
        "model": config.model.WhichOneof("model"),
        "parameters": {
            **{part: count["trainable"] for part, count in counts.items()},
            "moving_statistics": {
                part: count["moving_statistics"] for part, count in counts.items()
            },
        },
        "shapes": _shapes(config, model),
    }
    if found is not None:
        summary["host_memory"] = {**found._asdict(), "total": found.total}
    if config.HasField("train_config"):
        options = training_builder.build_train_options(config.train_config)
        schedule = options.optimizer.learning_rate
        rate = optimizer.build_learning_rate(schedule)
        steps = sorted({0, schedule.warmup_steps, options.num_steps // 2, options.num_steps - 1})
        summary["batch"] = {
            "global": options.batch_size,
            "gradient_accumulation_steps": options.gradient_accumulation_steps,
        }
        summary["schedule"] = {
            "num_steps": options.num_steps,
            "optimizer": options.optimizer.kind,
            "learning_rate": report.describe_learning_rate(schedule),
            "learning_rate_at_step": {str(step): float(rate(step)) for step in steps},
        }
        multipliers = options.optimizer.learning_rate_multipliers
        # Only for what it refuses: a pattern that finds nothing.
        learning_rate_multipliers.factors_of(multipliers, model.trainable_variables)
        if multipliers:  # else an empty line
            summary["schedule"]["learning_rate_multipliers"] = dict(multipliers)
        summary["notes"] = fine_tuning.from_nothing(model, options)
    return summary


def _shapes(config: pipeline_pb2.PipelineConfig, model) -> dict[str, Any]:
    """Static shapes of one clip's way through the model; nothing is computed."""
    message = input_reader_builder.model_of(config)
    clip = input_reader_builder.build_clip_shape(message)

    @tf.function(
        input_signature=[
            tf.TensorSpec([1, clip.num_frames, clip.height, clip.width, clip.channels], tf.float32)
        ],
        autograph=False,
    )
    def features(clips):
        return model.trunk(clips, training=False)

    shape = features.get_concrete_function().output_shapes.as_list()
    return {
        "clip": [clip.num_frames, clip.height, clip.width, clip.channels],
        "features": shape[1:],
        **registrations.find(config.model.WhichOneof("model")).describe_shapes(message, model),
    }


def print_table(summary: dict[str, Any]) -> None:
    """Prints a summary for people."""
    import rich.console
    import rich.table

    table = rich.table.Table(title=summary["model"], show_header=False, title_justify="left")
    parameters = summary["parameters"]
    for part in parameters["moving_statistics"]:
        moving = parameters["moving_statistics"][part]
        table.add_row(
            f"parameters, {part}",
            f"{parameters[part]:,}" + (f" + {moving:,} moving statistics" if moving else ""),
        )
    for name, shape in summary["shapes"].items():
        text = " x ".join(map(str, shape)) if isinstance(shape, list) else f"{shape:,}"
        table.add_row(f"shape, {name.replace('_', ' ')}", text)
    for name, number in summary.get("host_memory", {}).items():
        table.add_row(f"host memory, {name.replace('_', ' ')}", f"about {memory.in_words(number)}")
    for group in ("batch", "schedule"):
        for name, value in summary.get(group, {}).items():
            if isinstance(value, dict):
                value = ", ".join(f"{key}: {number:g}" for key, number in value.items())
            table.add_row(f"{group}, {name.replace('_', ' ')}", f"{value}")
    rich.console.Console().print(table)
