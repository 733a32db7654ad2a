"""Which checkpoints a directory holds, and which one is meant."""

import json
import os
import re
from typing import NamedTuple

import tensorflow as tf

from avatx import file_systems
from avatx.checkpoints.reader import CheckpointReader
from avatx.errors import UserError, relative_to

_FILE = re.compile(r"\.(index|data-\d{5}-of-\d{5})$")

BEST_DIRECTORY = "best"  # in a model directory: the checkpoint of the best evaluation,
BEST_INFORMATION = "info.json"  # and its numbers,
BEST_STEP = "best_ckpt_global_step"  # with its step
_RECORDED = re.compile(r'^all_model_checkpoint_paths: "(.*)"$', re.MULTILINE)


def checkpoint_paths(directory: str) -> list[str]:
    """Prefixes of all whole checkpoints in a directory, newest first.

    What is there is what its files are: the `checkpoint` file, which may be missing, empty or of
    before a move, is not asked. A checkpoint whose writing was cut off has no index file and is
    left out.
    """
    try:
        names = tf.io.gfile.listdir(directory)
    except (tf.errors.NotFoundError, tf.errors.FailedPreconditionError):  # not there; no directory
        return []
    found = [
        os.path.join(directory, name.removesuffix(".index"))
        for name in names
        if name.endswith(".index") and "-" in name
    ]
    return sorted(found, key=_number_of, reverse=True)


def recorded_checkpoints(directory: str) -> list[str] | None:
    """Names of the checkpoints whose writing came to its end, as the `checkpoint` file has them.

    None where it is not there or says nothing, as after a power loss.
    """
    try:
        with tf.io.gfile.GFile(os.path.join(directory, "checkpoint"), "r") as file:
            return [os.path.basename(name) for name in _RECORDED.findall(file.read())] or None
    except (tf.errors.OpError, UnicodeDecodeError):
        return None


def is_checkpoint(path: str) -> bool:
    """Whether a path is the prefix of a whole checkpoint, or one of its files.

    Raises:
      UserError: it lies where nothing can be read on this machine, as see `file_systems.load`.
    """
    file_systems.load(path)
    return any(tf.io.gfile.exists(prefix + ".index") for prefix in (path, _FILE.sub("", path)))


def resolve_checkpoint(path: str, field: str = "checkpoint") -> str:
    """A checkpoint prefix, or the newest one of a directory.

    Raises:
      UserError: there is none; names `field`.
    """
    if is_checkpoint(path):
        return path if tf.io.gfile.exists(path + ".index") else _FILE.sub("", path)
    if not tf.io.gfile.isdir(path):
        raise UserError(
            f"{field} = {path!r}{relative_to(path)}: no such checkpoint; expected a "
            "prefix (without .index) or a directory of checkpoints"
        )
    checkpoints = checkpoint_paths(path)
    if not checkpoints:
        raise UserError(f"{field} = {path!r}: the directory holds no whole checkpoint (*.index)")
    return checkpoints[0]


class KeptCheckpoint(NamedTuple):
    """What an evaluation in between found best."""

    path: str  # prefix
    step: int
    described: str  # for a line: its step and its numbers


def best_checkpoint(model_dir: str) -> KeptCheckpoint | None:
    """The checkpoint that a training kept as its best; None if there is none."""
    directory = os.path.join(model_dir, BEST_DIRECTORY)
    if is_checkpoint(model_dir) or not (found := checkpoint_paths(directory)):
        return None
    try:
        with tf.io.gfile.GFile(os.path.join(directory, BEST_INFORMATION), "r") as file:
            known = json.loads(file.read())
        numbers = {name: float(one) for name, one in known.items() if not isinstance(one, dict)}
        step = int(numbers.pop(BEST_STEP))
    except (tf.errors.OpError, ValueError, TypeError, KeyError, AttributeError):
        return KeptCheckpoint(found[0], checkpoint_step(found[0]), os.path.basename(found[0]))
    told = ", ".join(f"{name} {value:.4f}" for name, value in numbers.items())
    return KeptCheckpoint(found[0], step, f"step {step} ({told})")


def checkpoint_step(path: str) -> int:
    """The step at which a training checkpoint was written; 0 if it does not say.

    Raises:
      UserError: it cannot be read.
    """
    return CheckpointReader(path).step


def _number_of(path: str) -> int:
    number = path.rsplit("-", 1)[-1]
    return int(number) if number.isdigit() else -1
