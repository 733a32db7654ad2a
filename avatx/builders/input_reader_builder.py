"""InputReader -> how its records are read, and what one clip is."""

from typing import TypeAlias

from avatx.builders import preprocessor_builder, trunk_builder
from avatx.builders.options import options_from
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import ExternalBoxesOptions, InputOptions
from avatx.protos import (
    action_faster_rcnn_pb2,
    input_reader_pb2,
    pipeline_pb2,
    train_pb2,
    video_classifier_pb2,
)

Model: TypeAlias = action_faster_rcnn_pb2.ActionFasterRcnn | video_classifier_pb2.VideoClassifier


def model_of(config: pipeline_pb2.PipelineConfig) -> Model:
    """The meta-architecture's message; each has clip, image_resizer, trunk and num_classes."""
    return getattr(config.model, config.model.WhichOneof("model") or "action_faster_rcnn")


def build_clip_shape(model: Model) -> ClipShape:
    """The clips that `model` takes."""
    size = model.image_resizer.fixed_shape_resizer
    return ClipShape(
        num_frames=model.clip.num_frames,
        frame_rate=model.clip.frame_rate,
        height=size.height,
        width=size.width,
        channels=trunk_builder.input_channels(model.trunk),
    )


def build_options(
    reader: input_reader_pb2.InputReader,
    model: Model,
    train: train_pb2.TrainConfig,
) -> InputOptions:
    """How `reader` reads. Raises ValueError for an unknown kind of reader."""
    if reader.WhichOneof("input_reader") != "tf_record_input_reader":
        raise ValueError(f"unknown input_reader: {reader.WhichOneof('input_reader')}")
    return options_from(
        reader,
        InputOptions,
        input_paths=tuple(reader.tf_record_input_reader.input_path),
        num_classes=model.num_classes,
        max_boxes=train.max_number_of_boxes,
        seed=train.seed,
        external_boxes=_external_boxes(reader, model),
    )


def _external_boxes(
    reader: input_reader_pb2.InputReader, model: Model
) -> ExternalBoxesOptions | None:
    """None for a model whose proposals come from elsewhere: then nothing is read."""
    source = getattr(model, "proposal_source", action_faster_rcnn_pb2.RPN)
    if source != action_faster_rcnn_pb2.EXTERNAL:
        return None
    return options_from(reader.external_boxes, ExternalBoxesOptions)


def build_augmentations(train: train_pb2.TrainConfig) -> tuple:
    """`data_augmentation_options`, in order."""
    return tuple(preprocessor_builder.build(step) for step in train.data_augmentation_options)
