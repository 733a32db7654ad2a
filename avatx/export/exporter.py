"""From a pipeline.config and a training checkpoint to a folder that inference runs from."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from avatx import config as pipeline_config
from avatx import file_systems
from avatx.atomic_folder import atomic_folder
from avatx.checkpoints.paths import BEST_DIRECTORY, best_checkpoint, resolve_checkpoint
from avatx.data.annotations.label_map import write_label_map
from avatx.errors import UserError
from avatx.export import saved_model
from avatx.meta_architectures.detection_model import DetectionModel
from avatx.meta_architectures.video_model import VideoModel
from avatx.trained.trained_model import TrainedModel

SAVED_MODEL_FOLDER = "saved_model"
CONFIG_FILE = "pipeline.config"
LABEL_MAP_FILE = "label_map.pbtxt"
# On storage without renaming of folders: without this file there is no SavedModel.
_LAST = f"{SAVED_MODEL_FOLDER}/saved_model.pb"


class ExportSummary(NamedTuple):
    """What was exported."""

    step: int  # of the checkpoint
    num_parameters: int
    serves_jpeg: bool  # whether there is a signature serving_jpeg: not with a flow stream
    checkpoint: str  # which one was taken
    other: str  # the best one and its number where another was taken, for a line; or ""


def export_pipeline(
    pipeline_config_path: str,
    trained_checkpoint_dir: str,
    output_directory: str,
    overrides: Sequence[str] = (),
    attention: bool = False,
    best: bool = False,
) -> ExportSummary:
    """Writes saved_model/, pipeline.config and label_map.pbtxt to `output_directory`.

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

    Raises:
      UserError: config, label map or checkpoint are missing or do not fit, the output folder
        holds something else or cannot be written.
    """
    if "://" not in output_directory:
        output_directory = os.path.abspath(output_directory)
    check_output_directory(output_directory)
    kept = best_checkpoint(trained_checkpoint_dir)
    if best and kept is None:
        raise UserError(
            f"best: {os.path.join(trained_checkpoint_dir, BEST_DIRECTORY)} holds no checkpoint; a "
            "training with evaluation in between (mode train_and_eval) keeps its best one there"
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

    trained = TrainedModel.load(pipeline_config_path, checkpoint, overrides, check=check)
    with atomic_folder(output_directory, last=_LAST) as folder:
        saved_model.export(
            trained.model,
            trained.clip.num_frames,
            trained.clip.frame_rate,
            trained.class_names,
            os.path.join(folder, SAVED_MODEL_FOLDER),
            attention=attention,
            frame_settings=trained.frame_settings,
        )
        pipeline_config.write(trained.config, os.path.join(folder, CONFIG_FILE))
        write_label_map(os.path.join(folder, LABEL_MAP_FILE), trained.label_map)
    num_parameters = sum(int(np.prod(v.shape)) for v in trained.model.variables)
    return ExportSummary(
        trained.step,
        num_parameters,
        saved_model.serves_jpeg(trained.model),
        checkpoint,
        kept.described if kept is not None and kept.step != trained.step else "",
    )


def check_output_directory(path: str) -> None:
    """Raises UserError where an export must not be written: no folder, or foreign files in it."""
    file_systems.load(path)
    if not tf.io.gfile.exists(path):
        return
    if not tf.io.gfile.isdir(path):
        raise UserError(f"output_directory {path}: is a file; give a folder")
    names = {name.rstrip("/") for name in tf.io.gfile.listdir(path)}
    foreign = sorted(names - {SAVED_MODEL_FOLDER, CONFIG_FILE, LABEL_MAP_FILE})
    if names and SAVED_MODEL_FOLDER not in names:
        foreign = sorted(names)
    if foreign:
        raise UserError(
            f"output_directory {path}: holds {foreign[0]}, which is no export's; give a new or "
            "empty folder, or an older export to replace"
        )
