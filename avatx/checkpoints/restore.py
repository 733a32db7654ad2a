"""A model's variables from a checkpoint: to resume, to fine-tune, to infer.

All ways read variables by their path (`reader.py`), so that each one can say which it filled and
which it did not (`report.py`); the whole state of a training is in `training_state.py`.
"""

import contextlib
import os
from collections.abc import Callable, Sequence

import tensorflow as tf
import tf_keras

from avatx.checkpoints import training_state
from avatx.checkpoints.paths import checkpoint_paths, recorded_checkpoints, resolve_checkpoint
from avatx.checkpoints.reader import (
    MODEL,
    CheckpointReader,
    DamagedCheckpoint,
    variables_by_path,
)
from avatx.checkpoints.report import RestoreReport, misfit
from avatx.errors import UserError, first_line

_PARTS = ("trunk", "tail", "logits")  # of a classifier: what sets their shapes is known


def resume(
    checkpoint: tf.train.Checkpoint,
    directory: str,
    changes: Callable[[], training_state.Changes] = lambda: (),
) -> str | None:
    """Restores the whole training state from the newest checkpoint that can be read.

    A newest checkpoint that is damaged (a full disk, a copy cut off) is skipped with a line
    that says so.

    Args:
      checkpoint: of `model`, `optimizer` and `global_step`, their variables made.
      directory: of checkpoints.
      changes: () -> the settings that changed since they were written, as far as is known.

    Returns:
      The checkpoint's prefix; None if the directory holds none, or only the first one of a
      training that was killed while it was written, which a line says.

    Raises:
      UserError: a checkpoint belongs to another model or optimiser, holds what is not finite, or
        all are damaged that once were whole.
    """
    paths = checkpoint_paths(directory)
    state = training_state.TrainingState(checkpoint)
    for path in paths:
        try:
            lines = state.restore(CheckpointReader(path), changes)
        except DamagedCheckpoint as error:
            reason = first_line(error.__cause__ or error)
            print(f"checkpoint {path} is damaged ({reason}): trying the one before it")
            continue
        for line in lines:
            print(f"note: {line}")
        return path
    if not paths:
        return None
    recorded = recorded_checkpoints(directory)
    if recorded is None:  # nothing is known of what was whole; the first one has no other beside it
        never_whole = len(paths) == 1
    else:
        never_whole = all(os.path.basename(path) not in recorded for path in paths)
    if never_whole:
        print(f"{paths[0]} was cut off while it was written: training begins from the beginning")
        return None
    raise UserError(
        f"{directory}: none of its {len(paths)} checkpoints can be read; put back a copy, or "
        "remove them to begin from the beginning"
    )


def restore_for_inference(
    model: tf_keras.Model,
    checkpoint: str,
    changes: Callable[[str], training_state.Changes] = lambda text: (),
) -> int:
    """Fills the model from a checkpoint, with averaged weights where it has them.

    Args:
      model: a built model.
      checkpoint: a prefix, or a directory whose newest checkpoint is taken: a training's, or one
        that holds the model at its root (as `tools/import_i3d_weights.py` writes).
      changes: text of the pipeline.config beside the checkpoint -> the settings that differ.

    Returns:
      The step of the checkpoint; 0 if it does not say.

    Raises:
      DamagedCheckpoint: it cannot be read; names the newest beside it that can.
      UserError: there is no checkpoint, or it does not hold every variable of the model; then
        nothing was assigned.
    """
    path = resolve_checkpoint(checkpoint)
    try:
        return _restore_for_inference(model, path, changes)
    except DamagedCheckpoint as error:
        raise DamagedCheckpoint(f"{error}{_other_one(path)}") from (error.__cause__ or error)


def _other_one(path: str) -> str:
    """Words on which other checkpoint beside a damaged one is whole."""
    for other in checkpoint_paths(os.path.dirname(path)):
        if other != path:
            with contextlib.suppress(DamagedCheckpoint):
                CheckpointReader(other).values()
                return f"; {other} is whole"
    return "; no other checkpoint there is whole"


def _restore_for_inference(
    model: tf_keras.Model, path: str, changes: Callable[[str], training_state.Changes]
) -> int:
    reader = CheckpointReader(path)
    root = MODEL if reader.held() else ""
    variables, held = variables_by_path(model), reader.held(root)
    report = _compare(variables, held)
    if report.new:
        beside = os.path.join(os.path.dirname(reader.path), "pipeline.config")
        known = changes(_text_of(beside))
        settings = [change for change in known if change[0].startswith("model.")]
        if settings:
            raise UserError(
                f"{reader.path} does not fit this pipeline.config: "
                f"{training_state.of_settings(settings)}; use the one that it was trained with, "
                f"{beside}"
            )
        if all(name in held and name.split("/")[0] in _PARTS for name in report.new):
            raise UserError(misfit(reader.path, variables, held))
        raise UserError(
            f"{reader.path}: {len(report.new)} of the model's {len(variables)} variables "
            f"are missing or have another shape, first {report.new[0]}; use the pipeline.config "
            "that it was trained with"
        )
    reader.assign(variables, root)
    return reader.step


def restore_detector(model: tf_keras.Model, checkpoint: str) -> RestoreReport:
    """Starts from another detector: every variable of equal path and shape is loaded.

    Raises:
      UserError: the checkpoint does not hold the whole trunk; then nothing was assigned.
    """
    path = resolve_checkpoint(checkpoint, "train_config.fine_tune_checkpoint")
    reader = CheckpointReader(path)
    variables, held = variables_by_path(model), reader.held()
    report = _compare(variables, held)
    missing = [name for name in report.new if name.split("/")[0] == "trunk"]
    if missing or not report.loaded:
        text = (
            f"train_config.fine_tune_checkpoint = {path!r} lacks {len(missing)} variables of the "
            f"trunk, first {(missing or report.new)[0]}; expected a checkpoint of a detector with "
            "this trunk"
        )
        if not held:  # no training's
            text += (
                "; for weights by tools/import_i3d_weights.py set fine_tune_checkpoint_type: "
                '"classification"'
            )
        raise UserError(text)
    reader.assign({name: variables[name] for name in report.loaded})
    return report


def restore_parts(
    parts: dict[str, tf_keras.layers.Layer], checkpoint: str, required: Sequence[str] = ("trunk",)
) -> RestoreReport | None:
    """Fills parts of a model from those of the same names in another model's checkpoint.

    Args:
      parts: name -> built layer, as {"trunk": ..., "tail": ...}. The checkpoint may be a training's
        (`model/trunk/...`; of its averaged weights where it has them) or hold the parts at its root
        (`trunk/...`, as `tools/import_i3d_weights.py` writes).
      checkpoint: a prefix.
      required: parts that must be covered whole. Another part that the checkpoint has no variable
        of stays as it is, but what it has must fit.

    Returns:
      What was loaded; None, and nothing is, if the checkpoint holds no part of these names.

    Raises:
      UserError: a variable is missing or has another shape; then nothing was assigned.
    """
    reader = CheckpointReader(checkpoint)
    for root in (MODEL, ""):
        held = reader.held(root)
        if any(name.split("/")[0] in parts for name in held):
            break
    else:
        return None
    ours = variables_by_path(tf.train.Checkpoint(**parts))
    ours = {name: variable for name, variable in ours.items() if name.split("/")[0] in parts}
    for name, variable in ours.items():
        part = name.split("/")[0]
        if name not in held and part in required:
            missing = [n for n in ours if n not in held and n.split("/")[0] == part]
            raise UserError(
                f"{checkpoint}: {len(missing)} variables of the {part} are missing, first "
                f"{missing[0]}; expected the checkpoint of a network with the same {part}"
            )
        if name in held and held[name] != list(variable.shape):
            raise UserError(misfit(checkpoint, ours, held))
    loaded = [name for name in ours if name in held]
    reader.assign({name: ours[name] for name in loaded}, root)
    return RestoreReport(
        loaded=loaded,
        new=[name for name in ours if name not in held],
        unused=sorted(set(held) - set(loaded)),
    )


def _text_of(path: str) -> str:
    """Of a file; "" if it cannot be read."""
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            return file.read()
    except (tf.errors.OpError, UnicodeDecodeError):
        return ""


def _compare(variables: dict[str, tf.Variable], held: dict[str, list[int]]) -> RestoreReport:
    """Which variables of a model a checkpoint holds in the same shape."""
    loaded: list[str] = []
    new: list[str] = []
    for path, variable in variables.items():
        (loaded if held.get(path) == list(variable.shape) else new).append(path)
    return RestoreReport(loaded, new, sorted(set(held) - set(loaded)))
