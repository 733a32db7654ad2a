"""PipelineConfig -> avatx.training.options.Experiment: everything a run needs."""

from google.protobuf import text_format

from avatx.builders import (
    classification_data_builder,
    input_reader_builder,
    model_builder,
    training_builder,
)
from avatx.data import data_statistics, input_pipeline
from avatx.data.label_map import LabelMap, read_label_map
from avatx.errors import UserError
from avatx.protos import pipeline_pb2
from avatx.training.options import Experiment


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
    classification = config.model.WhichOneof("model") == "video_classifier"
    clip_shape = input_reader_builder.build_clip_shape(model)
    train_options = input_reader_builder.build_options(
        config.train_input_reader, model, config.train_config
    ) if config.HasField("train_input_reader") else None
    eval_options = input_reader_builder.build_options(
        config.eval_input_reader, model, config.train_config
    ) if config.HasField("eval_input_reader") else None

    def make_train_dataset(batch_size, input_context, start_step):
        if classification:
            options = _configured(train_options, "train_input_reader")
            return classification_data_builder.make_train_dataset(
                config, options, batch_size, input_context, start_step
            )
        return input_pipeline.build_dataset(
            _configured(train_options, "train_input_reader"),
            clip_shape,
            batch_size,
            training=True,
            augmentations=input_reader_builder.build_augmentations(config.train_config),
            input_context=input_context,
            start_step=start_step,
        )

    def make_eval_dataset(batch_size, input_context):
        if classification:
            options = _configured(eval_options, "eval_input_reader")
            return classification_data_builder.make_eval_dataset(
                config, options, batch_size, input_context
            )
        return input_pipeline.build_dataset(
            _configured(eval_options, "eval_input_reader"),
            clip_shape,
            batch_size,
            training=False,
            input_context=input_context,
        )

    label_map = build_label_map(config)
    if classification:
        unit, count = "videos", classification_data_builder.count_videos(train_options)
        lines = (("data", f"{count:,} videos"),) if count is not None else ()
    else:
        unit, statistics = "keyframes", _describe(train_options)
        count = statistics.num_keyframes if statistics else None
        lines = statistics.lines("data", label_map.names) if statistics else ()
    return Experiment(
        make_model=lambda: model_builder.build(config.model),
        make_train_dataset=make_train_dataset,
        make_eval_dataset=make_eval_dataset,
        train=training_builder.build_train_options(config.train_config),
        eval=training_builder.build_eval_options(
            config.eval_config, config.train_config.num_steps, classification
        ),
        label_map=label_map,
        model_dir=model_dir,
        config_text=text_format.MessageToString(config),
        distribution_strategy=distribution_strategy,
        task="classification" if classification else "action_detection",
        num_train_keyframes=count,
        train_unit=unit,
        data_statistics=lines,
    )


def build_label_map(config: pipeline_pb2.PipelineConfig) -> LabelMap:
    """The classes that are scored and named.

    Raises:
      UserError: the file is missing or wrong, or names an id beyond num_classes.
    """
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


def _describe(options):
    """What there is to train on; None where it cannot be read, which is for training to say."""
    try:
        return data_statistics.describe(options.input_paths) if options else None
    except UserError:
        return None


def _configured(options, field: str):
    if options is None:
        raise UserError(f"{field} is missing from the pipeline.config, and this run reads from it")
    return options
