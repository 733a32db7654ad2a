"""PipelineConfig of an action_faster_rcnn -> its data sets."""

from avatx.builders import input_reader_builder
from avatx.data.input import input_pipeline
from avatx.data.records import data_statistics
from avatx.errors import UserError
from avatx.protos import pipeline_pb2


def make_train_dataset(config: pipeline_pb2.PipelineConfig, options, batch_size, context, start):
    """See `avatx.training.options.Experiment.make_train_dataset`; `options` are InputOptions."""
    return input_pipeline.build_dataset(
        options,
        input_reader_builder.build_clip_shape(config.model.action_faster_rcnn),
        batch_size,
        training=True,
        augmentations=input_reader_builder.build_augmentations(config.train_config),
        input_context=context,
        start_step=start,
    )


def make_eval_dataset(config: pipeline_pb2.PipelineConfig, options, batch_size, context):
    """See `avatx.training.options.Experiment.make_eval_dataset`; `options` are InputOptions."""
    return input_pipeline.build_dataset(
        options,
        input_reader_builder.build_clip_shape(config.model.action_faster_rcnn),
        batch_size,
        training=False,
        input_context=context,
    )


def describe(options, class_names: dict[int, str]) -> tuple[int | None, tuple]:
    """Keyframes of a data set and lines about it; None and none where they cannot be counted."""
    try:
        statistics = data_statistics.describe(options.input_paths) if options else None
    except UserError:  # which is for training to say
        statistics = None
    if statistics is None:
        return None, ()
    return statistics.num_keyframes, statistics.lines("data", class_names)
