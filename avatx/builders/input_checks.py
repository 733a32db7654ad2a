"""Whether the files that a run reads are there, and its csv files in order, before it begins."""

from avatx import registrations
from avatx.builders.data_builder import KEYFRAMES
from avatx.builders.missing_files import missing_files
from avatx.data.annotations import ava_csv
from avatx.data.records import repeated_keyframes
from avatx.data.records.remote_files import match_files
from avatx.errors import UserError, relative_to
from avatx.protos import action_faster_rcnn_pb2, pipeline_pb2


def check(config: pipeline_pb2.PipelineConfig, training: bool, evaluating: bool) -> None:
    """Raises a UserError that names the field, the file and what to do, where one is missing.

    The csv files of an evaluation, which is made hours later, are read once, for their mistakes;
    so are its records where it comes after a training, for keyframes that are there twice.

    Args:
      config: names the files.
      training: whether the run reads the training data.
      evaluating: whether it evaluates.
    """
    read = {
        "train_input_reader": training,
        "eval_input_reader": evaluating,
        "eval_config": evaluating,
    }
    model = config.model.action_faster_rcnn
    if model.proposal_source == action_faster_rcnn_pb2.EXTERNAL:
        for reader in ("train_input_reader", "eval_input_reader"):
            if read[reader] and not getattr(config, reader).external_boxes.input_path:
                raise UserError(
                    f"{reader}.external_boxes: names no file, and proposal_source is EXTERNAL; "
                    "give external_boxes { input_path: ... }, as tools/detect_people.py writes"
                )
    for file in missing_files(config):
        if read.get(file.field.partition(".")[0]):
            if file.kind == "RECORDS" and "://" in file.path:
                match_files([file.path])  # which says why it cannot be looked for
            raise UserError(
                f"{file.field} = {file.path!r}{relative_to(file.path)}: no such file; {file.remedy}"
            )
    if evaluating:
        _check_csv_files(config.eval_config)
    kind = registrations.find(config.model.WhichOneof("model"))
    if training and evaluating and kind.data is KEYFRAMES:
        repeated_keyframes.check(config.eval_input_reader.tf_record_input_reader.input_path)


def _check_csv_files(config) -> None:
    """Raises a UserError that names the field where a csv file of `eval_config` has a mistake."""
    for field, read in (
        ("groundtruth_path", ava_csv.read_annotations),
        ("excluded_timestamps_path", ava_csv.read_excluded_timestamps),
    ):
        if path := getattr(config, field):
            try:
                read(path)
            except UserError as error:
                raise UserError(f"eval_config.{field}: {error}") from error
