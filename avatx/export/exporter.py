"""From a pipeline.config and a training checkpoint to what inference runs from."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from avatx import config as pipeline_config
from avatx import file_systems
from avatx.atomic_folder import atomic_folder, refuse_current_folder
from avatx.checkpoints.paths import BEST_DIRECTORY, best_checkpoint, resolve_checkpoint
from avatx.data.annotations.label_map import write_label_map
from avatx.errors import UserError
from avatx.export import onnx_model, saved_model
from avatx.meta_architectures.detection_model import DetectionModel
from avatx.meta_architectures.video_model import VideoModel
from avatx.progress import slow
from avatx.trained.trained_model import TrainedModel

SAVED_MODEL_FOLDER = "saved_model"
ONNX_FILE = "model.onnx"
FORMATS = ("saved_model", "onnx")
CONFIG_FILE = "pipeline.config"
LABEL_MAP_FILE = "label_map.pbtxt"
# Beside a SavedModel's own files, in a folder that TensorFlow passes over.
_EXTRA_FOLDER = "assets.extra"
_SAVED_MODEL_FILE = "saved_model.pb"
# What TensorFlow writes of a SavedModel, of any of its versions.
_OF_VERSION = {
    *(_SAVED_MODEL_FILE, "variables", "assets", _EXTRA_FOLDER),
    *("fingerprint.pb", "keras_metadata.pb", "debug"),
}
_LARGEST_VERSION = 2**63 - 1  # that TensorFlow Serving reads


class ExportSummary(NamedTuple):
    """What was exported."""

    step: int  # of the checkpoint
    num_parameters: int
    serves_jpeg: bool  # whether there is a signature serving_jpeg: not with a flow stream
    checkpoint: str  # which one was taken
    other: str  # the best one and its number where another was taken, for a line; or ""
    replaced: bool  # whether there was an older export, or an older one of this version


def export_pipeline(
    pipeline_config_path: str,
    trained_checkpoint_dir: str,
    output_directory: str,
    overrides: Sequence[str] = (),
    attention: bool = False,
    *,
    best: bool = False,
    file_format: str = FORMATS[0],
    version: int | None = None,
) -> ExportSummary:
    """Writes saved_model/, pipeline.config and label_map.pbtxt to `output_directory`.

    As ONNX model.onnx is in the place of saved_model/. With a version there is a folder of that
    number, as TensorFlow Serving looks for: the SavedModel, with config and label map in its
    assets.extra/.

    The averaged weights are taken where the training kept them. The folder appears whole or not
    at all; an older export there is replaced, anything else is left alone.

    Args:
      pipeline_config_path: what the model was trained with.
      trained_checkpoint_dir: its newest checkpoint is taken; a checkpoint's prefix does too.
      output_directory: new, empty, or an older export.
      overrides: as --override.
      attention: also write the signature `serving_attention`.
      best: take the checkpoint of the best evaluation, which `train_and_eval` keeps in the folder
        best of `trained_checkpoint_dir`.
      file_format: one of FORMATS.
      version: a number, 1 or more, for a server; other versions in `output_directory` stay. An
        older export of this number is replaced, which a server that has loaded it does not see.

    Raises:
      UserError: an argument is wrong, or tf2onnx not installed; config, label map or checkpoint
        are missing or do not fit; the output folder holds something else or cannot be written.
    """
    _check_format(file_format, attention, version)
    if version is None:
        check_output_directory(output_directory)
    else:
        check_versions_directory(output_directory, version)
        output_directory = os.path.join(output_directory, str(version))
    if "://" not in output_directory:
        output_directory = os.path.abspath(output_directory)
    replaced = bool(file_systems.names_in(output_directory))
    kept = best_checkpoint(trained_checkpoint_dir)
    if best and kept is None:
        raise UserError(
            f"best: {os.path.join(trained_checkpoint_dir, BEST_DIRECTORY)} holds no checkpoint; a "
            "training with evaluation in between (mode train_and_eval) keeps its best one there, "
            "in its model directory"
        )
    if best and kept is not None:
        checkpoint = kept.path
    else:
        checkpoint = resolve_checkpoint(trained_checkpoint_dir, "trained_checkpoint_dir")

    def check(model: VideoModel) -> None:
        if not isinstance(model, DetectionModel):
            raise UserError(
                f"{pipeline_config_path}: describes a {type(model).__name__}; only a detector "
                "(action_faster_rcnn) can be exported"
            )
        if model.needs_groundtruth:
            raise UserError(
                f"{pipeline_config_path}: a model with proposal_source: GROUNDTRUTH needs "
                "annotated boxes and cannot be exported; one with RPN or EXTERNAL can"
            )

    with slow("loading the model"):
        trained = TrainedModel.load(pipeline_config_path, checkpoint, overrides, check=check)
    # On storage without renaming of folders: without the last file there is no export.
    model_name, last = SAVED_MODEL_FOLDER, f"{SAVED_MODEL_FOLDER}/{_SAVED_MODEL_FILE}"
    beside = ""
    if file_format == "onnx":
        model_name = last = ONNX_FILE
    elif version is not None:
        model_name, last, beside = "", _SAVED_MODEL_FILE, _EXTRA_FOLDER
    with atomic_folder(output_directory, last=last) as folder:
        arguments = (
            trained.model,
            trained.clip.num_frames,
            trained.clip.frame_rate,
            trained.class_names,
            os.path.join(folder, model_name),
        )
        settings, groups = trained.frame_settings, trained.label_map.groups
        if file_format == "onnx":
            onnx_model.export(*arguments, frame_settings=settings, class_groups=groups)
        else:
            saved_model.export(
                *arguments, attention=attention, frame_settings=settings, class_groups=groups
            )
        beside = os.path.join(folder, beside)
        os.makedirs(beside, exist_ok=True)
        pipeline_config.write(trained.config, os.path.join(beside, CONFIG_FILE))
        write_label_map(os.path.join(beside, LABEL_MAP_FILE), trained.label_map)
    num_parameters = sum(int(np.prod(v.shape)) for v in trained.model.variables)
    serves_jpeg = file_format != "onnx" and saved_model.serves_jpeg(trained.model)
    return ExportSummary(
        trained.step,
        num_parameters,
        serves_jpeg,
        checkpoint,
        kept.described if kept is not None and kept.step != trained.step else "",
        replaced,
    )


def _check_format(file_format: str, attention: bool, version: int | None) -> None:
    if file_format not in FORMATS:
        raise UserError(f"file_format {file_format!r}: expected {' or '.join(FORMATS)}")
    if version is not None and not 1 <= version <= _LARGEST_VERSION:
        raise UserError(f"version {version}: expected a number, 1 or more, and less than 2 ** 63")
    if file_format == "onnx":
        if attention:
            raise UserError("attention: an ONNX file has serving_default alone; leave it out")
        if version is not None:
            raise UserError("version: is for TensorFlow Serving, which takes no ONNX; leave it out")
        onnx_model.check_installed()


def check_versions_directory(path: str, version: int) -> None:
    """Raises UserError where a version must not be written: no folder, or other things in it."""
    file_systems.load(path)
    if not tf.io.gfile.exists(path):
        return
    if not tf.io.gfile.isdir(path):
        raise UserError(f"output_directory {path}: is a file; give a folder")
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(path)]
    foreign = sorted(name for name in names if not name.isdecimal() and name[:1] != ".")
    if foreign:
        raise UserError(
            f"output_directory {path}: holds {foreign[0]}, which is no version's number; give a "
            "new or empty folder, or one of versions"
        )
    older = os.path.join(path, str(version))
    if tf.io.gfile.exists(older) and not tf.io.gfile.isdir(older):
        raise UserError(f"output_directory {older}: is a file; give another folder or `version`")
    held = file_systems.names_in(older)
    foreign = [name for name in held if name not in _OF_VERSION or _SAVED_MODEL_FILE not in held]
    if foreign:
        raise UserError(
            f"output_directory {older}: holds {foreign[0]}, which is no export's; give another "
            "folder or `version`"
        )
    refuse_current_folder(older)


def check_output_directory(path: str) -> None:
    """Raises UserError where an export must not be written: no folder, or foreign files in it."""
    file_systems.load(path)
    if not tf.io.gfile.exists(path):
        return
    if not tf.io.gfile.isdir(path):
        raise UserError(f"output_directory {path}: is a file; give a folder")
    names = {name.rstrip("/") for name in tf.io.gfile.listdir(path)}
    foreign = sorted(names - {SAVED_MODEL_FOLDER, ONNX_FILE, CONFIG_FILE, LABEL_MAP_FILE})
    if names and not names & {SAVED_MODEL_FOLDER, ONNX_FILE}:
        foreign = sorted(names)
    if foreign:
        raise UserError(
            f"output_directory {path}: holds {foreign[0]}, which is no export's; give a new or "
            "empty folder, or an older export to replace"
        )
    refuse_current_folder(path)
