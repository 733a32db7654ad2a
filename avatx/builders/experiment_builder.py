"""PipelineConfig -> avatx.training.options.Experiment: everything a run needs."""

from google.protobuf import text_format

from avatx import registrations
from avatx.builders import (
    frame_settings_builder,
    input_checks,
    input_files,
    input_reader_builder,
    label_map_builder,
    model_builder,
    training_builder,
)
from avatx.config.differences import differences
from avatx.data.records import remote_files
from avatx.data.records.data_statistics import counts_by_manifest
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
    kind = registrations.find(config.model.WhichOneof("model"))
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
    effective = frames.filled(config)
    label_map = label_map_builder.build_scored(config)
    known = label_map_builder.build_names(config, required=False)
    clip = input_reader_builder.build_clip_shape(model)
    count, lines = kind.data.describe(
        train_options, known.names, (clip.num_frames, clip.frame_rate)
    )
    return Experiment(
        meta_architecture=kind,
        make_model=lambda: model_builder.build(config.model),
        make_train_dataset=make_train_dataset,
        make_eval_dataset=make_eval_dataset,
        train=training_builder.build_train_options(config.train_config),
        eval=training_builder.build_eval_options(
            config.eval_config, config.train_config.num_steps, kind.best_checkpoint_metric
        ),
        label_map=label_map,
        class_names=known.names,
        class_groups=known.groups,
        model_dir=model_dir,
        config_text=text_format.MessageToString(effective),
        changed_settings=lambda before: differences(before, effective),
        input_files=lambda: input_files.fingerprints(config),
        check_inputs=lambda training, evaluating: input_checks.check(config, training, evaluating),
        check_frames=frames.check,
        distribution_strategy=distribution_strategy,
        num_train_keyframes=count,
        count_eval_keyframes=lambda: _count(config.eval_input_reader, kind.epoch_unit),
        data_statistics=lines,
    )


def _count(reader, unit: str) -> int | None:
    """How many of `unit` the records hold by their manifest."""
    try:
        files = remote_files.match_files(list(reader.tf_record_input_reader.input_path))
    except UserError:
        return None
    counts = counts_by_manifest(files, unit)
    return None if counts is None else sum(counts)


def _configured(options, field: str):
    if options is None:
        raise UserError(f"{field} is missing from the pipeline.config, and this run reads from it")
    return options
