"""Weights from checkpoints: resuming, fine-tuning, and restoring for inference.

A training checkpoint holds `model`, `optimizer` (slots, iterations and, where there is one, the
moving average of the weights) and `global_step`. Resuming restores all of it through
`tf.train.Checkpoint`. The other ways read variables by their key in the checkpoint, so that
each one can say which variables it filled and which it did not.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras

from avatx.errors import UserError

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_AVERAGE = "/.OPTIMIZER_SLOT/optimizer/average" + _VALUE
_STEP = "global_step" + _VALUE
_MODEL = "model/"  # where a training checkpoint holds the model
# What TensorFlow raises, depending on where a file was cut off or overwritten.
_DAMAGE = (tf.errors.OpError, IndexError, RuntimeError)


class RestoreReport(NamedTuple):
    """Which variables a checkpoint filled, by their path in the model."""

    loaded: list[str]
    new: list[str]  # of the model, not in the checkpoint: they keep their initial values
    unused: list[str]  # of the checkpoint, not in the model

    def lines(self, source: str) -> list[str]:
        """The report as lines of text."""
        lines = [
            f"{source}: {len(self.loaded)} variables loaded, {len(self.new)} new, "
            f"{len(self.unused)} of the checkpoint unused"
        ]
        for title, names in (("new", self.new), ("unused", self.unused)):
            shown = names[:20] + ([f"... and {len(names) - 20} more"] if len(names) > 20 else [])
            lines += [f"  {title}: {name}" for name in shown]
        return lines


def checkpoint_paths(directory: str) -> list[str]:
    """Prefixes of all whole checkpoints in a directory, newest first.

    A checkpoint whose writing was cut off has no index file and is left out. Works without the
    `checkpoint` state file, too.
    """
    state = tf.train.get_checkpoint_state(directory)
    listed = list(state.all_model_checkpoint_paths) if state else []
    found = [path[: -len(".index")] for path in tf.io.gfile.glob(f"{directory}/*-*.index")]
    known = [path for path in listed if tf.io.gfile.exists(path + ".index")]
    known_names = {os.path.basename(path) for path in known}
    others = [path for path in found if os.path.basename(path) not in known_names]
    return sorted(known + others, key=_number_of, reverse=True)


def resolve_checkpoint(path: str, field: str = "checkpoint") -> str:
    """A checkpoint prefix, or the newest one of a directory.

    Raises:
      UserError: there is none; names `field`.
    """
    if tf.io.gfile.exists(path + ".index"):
        return path
    if path.endswith(".index") and tf.io.gfile.exists(path):
        return path[: -len(".index")]
    if not tf.io.gfile.isdir(path):
        raise UserError(
            f"{field} = {path!r}: no such checkpoint; expected a prefix (without .index) or a "
            "directory of checkpoints"
        )
    checkpoints = checkpoint_paths(path)
    if not checkpoints:
        raise UserError(f"{field} = {path!r}: the directory holds no whole checkpoint (*.index)")
    return checkpoints[0]


def resume(checkpoint: tf.train.Checkpoint, directory: str) -> str | None:
    """Restores the whole training state from the newest checkpoint that can be read.

    A newest checkpoint that is damaged (a full disk, a copy cut off) is skipped with a line
    that says so.

    Returns:
      The checkpoint's prefix; None if the directory holds none.

    Raises:
      UserError: a checkpoint belongs to another model or optimiser, or all are damaged.
    """
    paths = checkpoint_paths(directory)
    for path in paths:
        try:
            checkpoint.restore(path).assert_consumed()
            return path
        except _DAMAGE as error:
            print(f"checkpoint {path} is damaged ({_first_line(error)}): trying the one before it")
        except (AssertionError, ValueError) as error:
            raise UserError(
                f"{path} does not fit this pipeline.config ({_first_line(error)}); use the one "
                "that it was trained with, or another --model_dir"
            ) from error
    if paths:
        raise UserError(f"{directory}: none of its {len(paths)} checkpoints can be read")
    return None


def restore_for_inference(model: tf_keras.Model, checkpoint: str) -> int:
    """Fills the model from a checkpoint, with averaged weights where it has them.

    Args:
      model: a built model.
      checkpoint: a prefix, or a directory whose newest checkpoint is taken: a training's, or one
        that holds the model at its root (as `tools/import_i3d_weights.py` writes).

    Returns:
      The step of the checkpoint; 0 if it does not say.

    Raises:
      UserError: there is no checkpoint, or it does not hold every variable of the model; then
        nothing was assigned.
    """
    path = resolve_checkpoint(checkpoint)
    reader = open_checkpoint(path)
    root = _MODEL if _held(reader, _MODEL) else ""
    report = _compare(model, reader, root)
    if report.new:
        raise UserError(
            f"{path}: {len(report.new)} of the model's {len(report.new + report.loaded)} variables "
            f"are missing or have another shape, first {report.new[0]}; use the pipeline.config "
            "that it was trained with"
        )
    variables = variables_by_path(model)
    _assign({name: variables[name] for name in report.loaded}, path, reader, root)
    return checkpoint_step(path)


def restore_detector(model: tf_keras.Model, checkpoint: str) -> RestoreReport:
    """Starts from another detector: every variable of equal path and shape is loaded.

    Raises:
      UserError: the checkpoint does not hold the whole trunk; then nothing was assigned.
    """
    path = resolve_checkpoint(checkpoint, "train_config.fine_tune_checkpoint")
    reader = open_checkpoint(path)
    report = _compare(model, reader)
    missing = [name for name in report.new if name.split("/")[0] == "trunk"]
    if missing or not report.loaded:
        text = (
            f"train_config.fine_tune_checkpoint = {path!r} lacks {len(missing)} variables of the "
            f"trunk, first {(missing or report.new)[0]}; expected a checkpoint of a detector with "
            "this trunk"
        )
        if not _held(reader, _MODEL):  # no training's
            text += (
                "; for weights by tools/import_i3d_weights.py set fine_tune_checkpoint_type: "
                '"classification"'
            )
        raise UserError(text)
    variables = variables_by_path(model)
    _assign({name: variables[name] for name in report.loaded}, path, reader)
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
    reader = open_checkpoint(checkpoint)
    for root in (_MODEL, ""):
        held = _held(reader, root)
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
            raise UserError(_misfit(checkpoint, ours, held))
    loaded = [name for name in ours if name in held]
    _assign({name: ours[name] for name in loaded}, checkpoint, reader, root)
    return RestoreReport(
        loaded=loaded,
        new=[name for name in ours if name not in held],
        unused=sorted(set(held) - set(loaded)),
    )


def _misfit(checkpoint: str, ours: dict[str, tf.Variable], held: dict[str, list]) -> str:
    """What to say of a checkpoint whose variables have other shapes than a model's."""
    wrong = [n for n in ours if n in held and held[n] != list(ours[n].shape)]
    # The widest layer tells the ratio of the widths best: narrow ones are rounded.
    name = max(wrong, key=lambda n: (ours[n].shape.num_elements(), n))
    text = (
        f"{checkpoint}: {len(wrong)} variables have another shape, {name} is {held[name]} there "
        f"and {list(ours[name].shape)} here"
    )
    if all(n.startswith("logits/") for n in wrong):
        return f"{text}: set the model's num_classes to {held[name][-1]}, the checkpoint's"
    if ours[name].shape.rank and held[name] and ours[name].shape.rank == len(held[name]):
        ratio = held[name][-1] / ours[name].shape[-1]
        if ratio != 1:
            text += (
                f": the checkpoint's layers are {ratio:.4g} times as wide; set the trunk's "
                "depth_multiplier to that of the checkpoint"
            )
    return text


def checkpoint_step(path: str) -> int:
    """The step at which a training checkpoint was written; 0 if it does not say."""
    reader = open_checkpoint(path)
    return int(_read(path, reader, _STEP)) if reader.has_tensor(_STEP) else 0


def holds_averages(path: str) -> bool:
    """Whether a checkpoint holds averaged weights beside those that were trained."""
    names = open_checkpoint(path).get_variable_to_shape_map()
    return any(name.endswith(_AVERAGE) for name in names)


def variables_by_path(model: tf_keras.Model) -> dict[str, tf.Variable]:
    """Every variable under the path of attributes by which a checkpoint knows it."""
    found, seen, queue = {}, {id(model)}, [("", model)]
    while queue:  # breadth first, as tf.train.Checkpoint names its keys
        path, node = queue.pop(0)
        if isinstance(node, tf.Variable):
            found[path] = node
            continue
        for name, child in tf.train.TrackableView.children(node).items():
            if id(child) not in seen:
                seen.add(id(child))
                escaped = name.replace(".", "..").replace("/", ".S")
                queue.append((f"{path}/{escaped}" if path else escaped, child))
    return found


def _compare(model: tf_keras.Model, reader, root: str = _MODEL) -> RestoreReport:
    """Which variables of the model a checkpoint holds in the same shape."""
    held = _held(reader, root)
    loaded, new = [], []
    for path, variable in variables_by_path(model).items():
        (loaded if held.get(path) == list(variable.shape) else new).append(path)
    return RestoreReport(loaded, new, sorted(set(held) - set(loaded)))


def _held(reader, root: str) -> dict[str, list[int]]:
    """Path below `root` -> shape, of every variable there; not the optimiser's slots."""
    return {
        key[len(root) : -len(_VALUE)]: shape
        for key, shape in reader.get_variable_to_shape_map().items()
        if key.startswith(root) and key.endswith(_VALUE) and ".OPTIMIZER_SLOT" not in key
    }


def _assign(variables: dict[str, tf.Variable], path: str, reader, root: str = _MODEL) -> None:
    """Assigns the averages of the variables, or what was trained where there is no average.

    All are read before the first is assigned.
    """
    values = {}
    for name in variables:
        average = f"{root}{name}{_AVERAGE}"
        key = average if reader.has_tensor(average) else f"{root}{name}{_VALUE}"
        values[name] = _read(path, reader, key)
    for name, value in values.items():
        variables[name].assign(value)


def open_checkpoint(path: str):
    """TensorFlow's reader of the checkpoint. Raises UserError if it cannot be read."""
    try:
        return tf.train.load_checkpoint(path)
    except (*_DAMAGE, ValueError) as error:
        raise UserError(f"checkpoint {path} cannot be read: {_first_line(error)}") from error


def _read(path: str, reader, key: str) -> np.ndarray:
    try:
        return reader.get_tensor(key)
    except _DAMAGE as error:
        raise UserError(f"checkpoint {path} is damaged: {_first_line(error)}") from error


def _number_of(path: str) -> int:
    number = path.rsplit("-", 1)[-1]
    return int(number) if number.isdigit() else -1


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
