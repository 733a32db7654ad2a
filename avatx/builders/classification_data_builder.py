"""PipelineConfig of a video_classifier -> its data sets."""

from avatx.builders import input_reader_builder
from avatx.data.input import classification_pipeline
from avatx.data.records.data_statistics import counts_by_manifest
from avatx.data.records.remote_files import match_files
from avatx.errors import UserError
from avatx.protos import pipeline_pb2


def make_train_dataset(config: pipeline_pb2.PipelineConfig, options, batch_size, context, start):
    """See `avatx.training.options.Experiment.make_train_dataset`; `options` are InputOptions."""
    return classification_pipeline.build_dataset(
        options,
        input_reader_builder.build_clip_shape(config.model.video_classifier),
        batch_size,
        training=True,
        augmentations=input_reader_builder.build_augmentations(config.train_config),
        input_context=context,
        start_step=start,
    )


def make_eval_dataset(config: pipeline_pb2.PipelineConfig, options, batch_size, context):
    """See `avatx.training.options.Experiment.make_eval_dataset`; `options` are InputOptions."""
    return classification_pipeline.build_dataset(
        options,
        input_reader_builder.build_clip_shape(config.model.video_classifier),
        batch_size,
        training=False,
        views=classification_pipeline.TestViews(
            config.eval_config.num_test_clips, config.eval_config.num_test_crops
        ),
        input_context=context,
    )


def describe(options, class_names: dict[int, str]) -> tuple[int | None, tuple]:
    """Videos of a data set and lines about it; None and none where no manifest tells."""
    del class_names  # no manifest counts by class
    try:
        counts = options and counts_by_manifest(match_files(options.input_paths), "records")
    except UserError:  # which is for training to say
        counts = None
    if counts is None:
        return None, ()
    return sum(counts), (("data", f"{sum(counts):,} videos"),)
