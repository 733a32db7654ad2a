"""Finds input files by pattern, on this machine or behind s3://, gs:// or http(s)://."""

import fnmatch
import functools
import os
import sys
from collections.abc import Sequence

import tensorflow as tf

from avatx.errors import UserError, relative_to
from avatx.file_systems import is_pattern, scheme
from avatx.file_systems import load as load_file_system

_NO_LISTING = frozenset({"http", "https"})


@functools.cache
def _say_once(line: str) -> None:
    """Patterns are matched several times in a training."""
    print(line, file=sys.stderr)


def match_files(patterns: Sequence[str], argument: str = "input_path") -> list[str]:
    """All files that the patterns name, each once: in order of pattern, sorted within one.

    `*`, `?` and `[...]` match within a folder; http(s):// has no listing, so there a path is
    exact and its existence is found out on reading.

    Args:
      patterns: see above.
      argument: what names them.

    Raises:
      UserError: a pattern names no file, a wildcard over http, or a scheme cannot be opened.
    """
    if not patterns:
        raise UserError(f"{argument} is empty; expected at least one file pattern of TFRecords")
    files: dict[str, None] = {}
    for pattern in patterns:
        folders: list[str] = []
        load_file_system(pattern)
        if scheme(pattern) in _NO_LISTING:
            if any(character in pattern for character in "*[]"):
                raise UserError(
                    f"{pattern}: a wildcard does not work over "
                    f"{scheme(pattern)}://; give each file its own {argument}"
                )
            found = [pattern]
        else:
            try:
                matched = sorted(_glob(pattern))
                folders = [path for path in matched if tf.io.gfile.isdir(path)]
                found = [path for path in matched if path not in set(folders)]
            except tf.errors.OpError as error:
                reason = " ".join(error.message.split())[:200]
                raise UserError(f"{pattern}: cannot be listed ({reason})") from error
        if not found:
            only = f" (only the folder {folders[0]} does)" if folders else ""
            raise UserError(
                f"{pattern}{relative_to(pattern)}: no file matches this {argument} pattern{only}; "
                "tools/create_ava_tfrecord.py writes the records"
            )
        for folder in folders:
            _say_once(f"note: {folder} matches {argument} {pattern} and is a folder: left out")
        files.update(dict.fromkeys(found))
    return list(files)


def _glob(pattern: str) -> list[str]:
    """Paths that match; a folder or file that is called as the pattern is meant before others."""
    if tf.io.gfile.exists(pattern):
        return [pattern]
    folder, name = os.path.split(pattern)
    if is_pattern(folder) and tf.io.gfile.isdir(folder):
        names = fnmatch.filter(tf.io.gfile.listdir(folder), name)
        return [os.path.join(folder, one) for one in names]
    return tf.io.gfile.glob(pattern)
