"""PipelineConfig -> its data sets. A meta-architecture says which `DataBuilder` is its own."""

import dataclasses
from collections.abc import Callable

from avatx.builders import input_reader_builder
from avatx.data.input.input_options import InputOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.input.labelled_clip_source import LabelledClipSource, TestViews
from avatx.data.input.source import ExampleSource
from avatx.data.records import data_statistics
from avatx.errors import UserError
from avatx.protos import pipeline_pb2


@dataclasses.dataclass(frozen=True)
class DataBuilder:
    """Data sets of examples of one kind.

    Attributes:
      make_source: opens the records that the options name.
      unit: what is counted: "keyframes" or "videos".
    """

    make_source: Callable[[pipeline_pb2.PipelineConfig, InputOptions], ExampleSource]
    unit: str

    def make_train_dataset(
        self,
        config: pipeline_pb2.PipelineConfig,
        options: InputOptions,
        batch_size: int,
        context,
        start: int,
    ):
        """See `avatx.training.options.Experiment.make_train_dataset`."""
        return build_dataset(
            self.make_source(config, options),
            batch_size,
            training=True,
            augmentations=input_reader_builder.build_augmentations(config.train_config),
            input_context=context,
            start_step=start,
        )

    def make_eval_dataset(
        self, config: pipeline_pb2.PipelineConfig, options: InputOptions, batch_size: int, context
    ):
        """See `avatx.training.options.Experiment.make_eval_dataset`."""
        return build_dataset(
            self.make_source(config, options), batch_size, training=False, input_context=context
        )

    def describe(
        self,
        options: InputOptions | None,
        class_names: dict[int, str],
        clip: tuple[int, float] | None = None,
    ) -> tuple[int | None, tuple]:
        """How much there is in a data set, and lines about it; None and none where unknown.

        Args:
          options: where the data set is; None for none.
          class_names: class id -> name, for the lines.
          clip: (frames, frames a second) of a clip.
        """
        try:
            found = options and data_statistics.describe(options.input_paths, self.unit, clip=clip)
        except UserError:  # which is for training to say
            found = None
        if not found:
            return None, ()
        return found.num_examples, found.lines("data", class_names)


def _keyframes(config: pipeline_pb2.PipelineConfig, options: InputOptions) -> KeyframeSource:
    model = input_reader_builder.model_of(config)
    return KeyframeSource(options, input_reader_builder.build_clip_shape(model))


def _labelled_clips(
    config: pipeline_pb2.PipelineConfig, options: InputOptions
) -> LabelledClipSource:
    model = input_reader_builder.model_of(config)
    views = TestViews(config.eval_config.num_test_clips, config.eval_config.num_test_crops)
    return LabelledClipSource(options, input_reader_builder.build_clip_shape(model), views)


KEYFRAMES = DataBuilder(_keyframes, "keyframes")
LABELLED_CLIPS = DataBuilder(_labelled_clips, "videos")
