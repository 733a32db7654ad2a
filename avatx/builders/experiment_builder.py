"""PipelineConfig -> avatx.training.options.Experiment: everything a run needs."""

import os
from typing import NamedTuple

from google.protobuf import text_format

from avatx.builders import (
    data_builder,
    frame_settings_builder,
    input_reader_builder,
    model_builder,
    training_builder,
)
from avatx.data.annotations.label_map import LabelMap, read_label_map
from avatx.errors import UserError
from avatx.protos import pipeline_pb2
from avatx.training.options import Experiment


class _Kind(NamedTuple):
    """What sets the experiments of one meta-architecture apart."""

    task: str  # a key of avatx.training.tasks.TASKS
    train_unit: str  # what an epoch is counted in
    best_checkpoint_metric: str  # where eval_config names none
    data: data_builder.DataBuilder


_KINDS = {
    "action_faster_rcnn": _Kind("action_detection", "keyframes", "mAP", data_builder.KEYFRAMES),
    "video_classifier": _Kind("classification", "videos", "top_1", data_builder.LABELLED_CLIPS),
}


def build(
    config: pipeline_pb2.PipelineConfig,
    model_dir: str,
    distribution_strategy: str = "mirrored",
) -> Experiment:
    """The experiment that `config` describes.

    Raises:
      UserError: a label map is missing or holds ids beyond num_classes, or an input reader that
        the run needs is not configured.
    """
    model = input_reader_builder.model_of(config)
    kind = _KINDS[config.model.WhichOneof("model")]
    train_options = (
        input_reader_builder.build_options(config.train_input_reader, model, config.train_config)
        if config.HasField("train_input_reader")
        else None
    )
    eval_options = (
        input_reader_builder.build_options(config.eval_input_reader, model, config.train_config)
        if config.HasField("eval_input_reader")
        else None
    )

    def make_train_dataset(batch_size, input_context, start_step):
        options = _configured(train_options, "train_input_reader")
        return kind.data.make_train_dataset(config, options, batch_size, input_context, start_step)

    def make_eval_dataset(batch_size, input_context):
        options = _configured(eval_options, "eval_input_reader")
        return kind.data.make_eval_dataset(config, options, batch_size, input_context)

    frames = frame_settings_builder.RecordFrames.read(config)
    label_map = build_label_map(config)
    count, lines = kind.data.describe(train_options, label_map.names)
    return Experiment(
        make_model=lambda: model_builder.build(config.model),
        make_train_dataset=make_train_dataset,
        make_eval_dataset=make_eval_dataset,
        train=training_builder.build_train_options(config.train_config),
        eval=training_builder.build_eval_options(
            config.eval_config, config.train_config.num_steps, kind.best_checkpoint_metric
        ),
        label_map=label_map,
        model_dir=model_dir,
        config_text=text_format.MessageToString(frames.filled(config)),
        check_frames=frames.check,
        distribution_strategy=distribution_strategy,
        task=kind.task,
        num_train_keyframes=count,
        train_unit=kind.train_unit,
        data_statistics=lines,
    )


def build_label_map(config: pipeline_pb2.PipelineConfig) -> LabelMap:
    """The classes that are scored and named.

    Raises:
      UserError: the file is missing or wrong, or names an id beyond num_classes, or the readers'
        label maps name a class differently.
    """
    _check_alike(config)
    path = (
        config.eval_config.label_map_path
        or config.eval_input_reader.label_map_path
        or config.train_input_reader.label_map_path
    )
    label_map = read_label_map(path)
    num_classes = input_reader_builder.model_of(config).num_classes
    if label_map.max_id > num_classes:
        raise UserError(
            f"{path}: the largest class id is {label_map.max_id} and model num_classes is "
            f"{num_classes}: set num_classes to at least {label_map.max_id}"
        )
    return label_map


def _check_alike(config: pipeline_pb2.PipelineConfig) -> None:
    """Raises UserError where training and evaluation name a class differently.

    Records are compared with their own reader's label map, which says nothing of the other's.
    """
    ours, theirs = config.train_input_reader.label_map_path, config.eval_input_reader.label_map_path
    if ours == theirs or not (os.path.isfile(ours) and os.path.isfile(theirs)):
        return  # one map for both, or a run that reads from one of them only
    names = read_label_map(theirs).names
    for class_id, name in read_label_map(ours).names.items():
        if names.get(class_id, name) != name:
            raise UserError(
                f"train_input_reader.label_map_path {ours} calls class {class_id} {name!r} and "
                f"eval_input_reader.label_map_path {theirs} {names[class_id]!r}: expected one "
                "numbering; write both sets of records with the same --label_map"
            )


def _configured(options, field: str):
    if options is None:
        raise UserError(f"{field} is missing from the pipeline.config, and this run reads from it")
    return options
