"""PipelineConfig of a video_classifier -> its data sets."""

from typing import Optional

from avatx.builders import input_reader_builder
from avatx.data import classification_pipeline
from avatx.data.data_statistics import counts_by_manifest
from avatx.data.remote_files import match_files
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


def count_videos(options) -> Optional[int]:
    """Videos of a data set, where manifests tell; None where finding out would mean reading it."""
    try:
        counts = options and counts_by_manifest(match_files(options.input_paths), "records")
    except UserError:  # which is for training to say
        return None
    return sum(counts) if counts is not None else None
