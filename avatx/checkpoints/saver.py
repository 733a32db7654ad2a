"""Writes the checkpoints of a directory: each whole or not at all, only so many.

A checkpoint is made in a hidden folder, flushed to the disk and moved into place, its index last:
what has an index is whole, whenever the program is killed and whether or not the disk is full. The
file `checkpoint` is written for other programs; `paths.checkpoint_paths` does without it.
"""

import contextlib
import json
import os
import re
import tempfile

import tensorflow as tf

from avatx import atomic_file, atomic_folder
from avatx.checkpoints.paths import checkpoint_paths, recorded_checkpoints
from avatx.errors import UserError, first_line
from avatx.peer_errors import is_of_peers
from avatx.refusals import refusal

STATE_FILE = "checkpoint"
_HIDDEN = ".unfinished-checkpoint-"
_UNKEPT = ".avatx-unkept-checkpoint-"
_STEP = re.compile(r"-(\d+)$")


class CheckpointSaver:
    """Saves a `tf.train.Checkpoint` under the number of its step."""

    def __init__(self, checkpoint: tf.train.Checkpoint, directory: str, name: str, keep: int):
        """Writes nothing yet.

        Args:
          checkpoint: what is saved.
          directory: made where it is missing.
          name: the checkpoints are called `name`-STEP.
          keep: how many; older ones are removed.
        """
        self.checkpoint = checkpoint
        self.directory = directory
        self._name = name
        self._keep = keep

    def save(self, step: int) -> str:
        """Saves a checkpoint and removes those that are too many.

        Returns:
          Its prefix.

        Raises:
          UserError: it cannot be written, as on a full disk. Nothing of it is left, and those that
            were there still are; names the newest of them.
        """
        prefix = os.path.join(self.directory, f"{self._name}-{step}")
        self.checkpoint.save_counter.assign_add(1)
        try:
            if "://" in prefix:
                _remove_index(prefix)  # as `_write` does
                self.checkpoint.write(prefix)
            else:
                self._write(prefix)
            self._note(prefix)
        except (tf.errors.OpError, UserError) as error:
            if isinstance(error, tf.errors.OpError) and is_of_peers(error):
                raise
            raise self._refusal(prefix, error) from error
        self._remove_superseded(step)
        return prefix

    def _write(self, prefix: str) -> None:
        with atomic_folder.work_folder(self.directory, _HIDDEN, named=prefix) as work:
            base = os.path.basename(prefix)
            self.checkpoint.write(os.path.join(work, base))
            names = sorted(os.listdir(work))  # as NAME.data-00000-of-00001 and NAME.index
            # One of this step that is there is damaged, else training would have gone on from it.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{prefix}.index")
            atomic_folder.move_files(work, self.directory, names)

    def _note(self, newest: str) -> None:
        """Writes the file by which TensorFlow's own functions find checkpoints."""
        others = [path for path in checkpoint_paths(self.directory) if path != newest]
        kept = [newest, *(path for path in others if _step_of(path) < _step_of(newest))]
        _write_state(self.directory, kept[: self._keep])

    def _remove_superseded(self, step: int) -> None:
        # Those of later steps could not be read, or were those of a training that was taken back.
        for path in checkpoint_paths(self.directory):
            if _step_of(path) > step:
                remove(path)
        remove_older(self.directory, self._keep)

    def _refusal(self, prefix: str, error: Exception) -> UserError:
        last = [path for path in checkpoint_paths(self.directory) if path != prefix]
        return UserError(
            f"{prefix} cannot be saved: {_reason(error)}; "
            + (f"the last one, {last[0]}, is whole" if last else "there is no other one")
            + ": make room, and the same command goes on from there"
        )


class UnkeptCheckpointSaver(CheckpointSaver):
    """Takes part in saving and keeps nothing: for machines other than the one that writes.

    Variables that each replica has of its own, as batch norm's statistics, are averaged when they
    are saved, and that takes all machines. TensorFlow offers it only together with a file.
    """

    def save(self, step: int) -> str:
        """Saves a checkpoint to this machine's temporary folder, and removes it.

        Returns:
          The prefix of the one that is kept.

        Raises:
          UserError: the temporary folder cannot be written to.
        """
        prefix = os.path.join(self.directory, f"{self._name}-{step}")
        self.checkpoint.save_counter.assign_add(1)
        with atomic_folder.work_folder(tempfile.gettempdir(), _UNKEPT) as work:
            try:
                self.checkpoint.write(os.path.join(work, self._name))
            except tf.errors.OpError as error:
                if is_of_peers(error):
                    raise
                raise UserError(f"{work} cannot be written: {_reason(error)}") from error
        return prefix


def saver_of(is_chief: bool) -> type[CheckpointSaver]:
    """The class of savers of the machine that writes, or of any other."""
    return CheckpointSaver if is_chief else UnkeptCheckpointSaver


def _remove_index(prefix: str) -> None:
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(f"{prefix}.index")


def remove(prefix: str) -> None:
    """Removes a checkpoint, its index first: without one it counts as none."""
    directory, base = os.path.split(prefix)
    names = [name for name in tf.io.gfile.listdir(directory) if name.startswith(f"{base}.")]
    for name in sorted(names, key=lambda name: not name.endswith(".index")):
        with contextlib.suppress(tf.errors.NotFoundError):
            tf.io.gfile.remove(os.path.join(directory, name))


def remove_older(directory: str, keep: int) -> None:
    """Removes all but the newest `keep` checkpoints."""
    for path in checkpoint_paths(directory)[keep:]:
        remove(path)


def settle(directory: str, keep: int, newest: str) -> None:
    """Does what a training that was killed after its last checkpoint was there had left to do.

    For whom is alone in the directory. Newer checkpoints than `newest`, the newest that can be
    read, stay as they are and are not named in the file `checkpoint`.
    """
    there = checkpoint_paths(directory)
    there = there[there.index(newest) :] if newest in there else there
    for path in there[keep:]:
        remove(path)
    kept = there[:keep]
    if kept and recorded_checkpoints(directory) != _names(kept)[::-1]:
        _write_state(directory, kept)


def _write_state(directory: str, newest_first: list[str]) -> None:
    names = [json.dumps(name) for name in _names(newest_first)]
    lines = [f"model_checkpoint_path: {names[0]}"]
    lines += [f"all_model_checkpoint_paths: {name}" for name in reversed(names)]
    with atomic_file.atomic_text_file(os.path.join(directory, STATE_FILE)) as file:
        file.write("\n".join(lines) + "\n")


def _names(paths: list[str]) -> list[str]:
    return [os.path.basename(path) for path in paths]


def sweep(directory: str, name: str) -> None:
    """Removes what a killed training left of a checkpoint: for whom is alone in the directory.

    Files of other programs stay. What older versions of this one left goes too.
    """
    if not tf.io.gfile.isdir(directory):
        return
    own = re.escape(name) + r"-\d+"
    temporary = re.compile(rf"({own}_temp|{STATE_FILE}\.tmp.*|{re.escape(_HIDDEN)}.*)/?")
    values = re.compile(rf"({own})\.data-\d+-of-\d+(\.tempstate\d+)?|({own}\.index)\.tempstate\d+")
    names = tf.io.gfile.listdir(directory)
    for entry in names:
        path = os.path.join(directory, entry.rstrip("/"))
        if temporary.fullmatch(entry):
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.rmtree(path) if tf.io.gfile.isdir(path) else tf.io.gfile.remove(path)
        elif (found := values.fullmatch(entry)) and (
            "tempstate" in entry or f"{found[1]}.index" not in names
        ):
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.remove(path)
    if "://" not in directory:
        atomic_file.sweep(directory)


def _step_of(path: str) -> int:
    found = _STEP.search(path)
    return int(found[1]) if found else -1


def _reason(error: Exception) -> str:
    refused = refusal(error)
    if refused:
        return refused.reason
    return first_line(error).rpartition("cannot be written: ")[2]
