"""Which checkpoints a directory holds, and which one is meant."""

import os

import tensorflow as tf

from avatx.checkpoints.reader import CheckpointReader
from avatx.errors import UserError


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


def checkpoint_step(path: str) -> int:
    """The step at which a training checkpoint was written; 0 if it does not say.

    Raises:
      UserError: it cannot be read.
    """
    return CheckpointReader(path).step


def _number_of(path: str) -> int:
    number = path.rsplit("-", 1)[-1]
    return int(number) if number.isdigit() else -1
