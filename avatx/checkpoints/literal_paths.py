"""Checkpoints in folders whose names TensorFlow takes for patterns, as "runs/[a] first"."""

import os
import tempfile
from typing import Any

import tensorflow as tf

from avatx import file_systems

_NAME = "checkpoint"


class _LinkedReader:
    """A TensorFlow reader of a checkpoint by way of links to its files, under a plain name."""

    def __init__(self, prefix: str):
        directory, base = os.path.split(os.path.abspath(prefix))
        # Lives as long as this: the file of the values is opened when one is first asked for.
        self._folder = tempfile.TemporaryDirectory(prefix="avatx-")
        for name in os.listdir(directory):
            if name.startswith(f"{base}."):
                link = os.path.join(self._folder.name, _NAME + name.removeprefix(base))
                os.symlink(os.path.join(directory, name), link)
        self._reader = tf.train.load_checkpoint(os.path.join(self._folder.name, _NAME))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


def load_checkpoint(prefix: str) -> Any:
    """As `tf.train.load_checkpoint`, which looks for a checkpoint's files as for a pattern."""
    if file_systems.is_pattern(prefix) and os.path.isdir(os.path.dirname(prefix) or "."):
        return _LinkedReader(prefix)
    return tf.train.load_checkpoint(prefix)
