"""Finds input files by pattern, on this machine or behind s3://, gs:// or http(s)://.

TensorFlow itself reads local files and gs://. The other schemes are file-system plugins of
tensorflow-io, whose last release (0.37.1) loads on TensorFlow 2.16 only; it is imported when a
path asks for it and never otherwise.
"""

import fnmatch
import os
import re
from collections.abc import Sequence

import tensorflow as tf

from avatx.errors import UserError, relative_to

_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")
_BUILT_IN = frozenset({"", "file", "gs", "ram"})
_BY_PLUGIN = frozenset({"s3", "http", "https", "az", "hdfs", "viewfs", "har"})
_NO_LISTING = frozenset({"http", "https"})


def scheme(path: str) -> str:
    """ "s3" of "s3://bucket/name", "" of a local path."""
    found = _SCHEME.match(path)
    return found.group(1).lower() if found else ""


def load_file_system(path: str) -> None:
    """Makes TensorFlow able to open `path`; nothing is loaded for local paths.

    Raises:
      UserError: the scheme is unknown, or tensorflow-io is absent or cannot load.
    """
    name = scheme(path)
    if name in _BUILT_IN:
        return
    if name not in _BY_PLUGIN:
        known = ", ".join(f"{known}://" for known in sorted(_BUILT_IN | _BY_PLUGIN) if known)
        raise UserError(f"{path}: unknown scheme {name}://; expected a local path or {known}")
    remedy = (
        "install the default lock (TensorFlow 2.16.2 with tensorflow-io 0.37.1) "
        "or copy the files to this machine"
    )
    try:
        import tensorflow_io  # noqa: F401  registers the file systems
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "tensorflow_io":
            raise UserError(
                f"{path}: {name}:// needs tensorflow-io, which is not installed; {remedy}"
            ) from error
        raise UserError(_cannot_load(path, name, remedy)) from error
    except Exception as error:  # it raises NotImplementedError and others for missing symbols
        raise UserError(_cannot_load(path, name, remedy)) from error
    if name not in {
        known.decode() if isinstance(known, bytes) else known
        for known in tf.io.gfile.get_registered_schemes()
    }:
        raise UserError(_cannot_load(path, name, remedy))


def _cannot_load(path: str, name: str, remedy: str) -> str:
    return (
        f"{path}: {name}:// needs tensorflow-io, which cannot load its plugin on "
        f"TensorFlow {tf.__version__}; {remedy}"
    )


def match_files(patterns: Sequence[str]) -> list[str]:
    """All files that the patterns name, each once: in order of pattern, sorted within one.

    `*`, `?` and `[...]` match within a folder; http(s):// has no listing, so there a path is
    exact and its existence is found out on reading.

    Raises:
      UserError: a pattern names no file, a wildcard over http, or a scheme cannot be opened.
    """
    if not patterns:
        raise UserError("input_path is empty; expected at least one file pattern of TFRecords")
    files = {}
    for pattern in patterns:
        load_file_system(pattern)
        if scheme(pattern) in _NO_LISTING:
            if any(character in pattern for character in "*[]"):
                raise UserError(
                    f"{pattern}: a wildcard does not work over "
                    f"{scheme(pattern)}://; give each file its own input_path"
                )
            found = [pattern]
        else:
            try:
                found = sorted(path for path in _glob(pattern) if not tf.io.gfile.isdir(path))
            except tf.errors.OpError as error:
                reason = " ".join(error.message.split())[:200]
                raise UserError(f"{pattern}: cannot be listed ({reason})") from error
        if not found:
            raise UserError(
                f"{pattern}{relative_to(pattern)}: no file matches this input_path pattern; "
                "tools/create_ava_tfrecord.py writes the records"
            )
        files.update(dict.fromkeys(found))
    return list(files)


def _glob(pattern: str) -> list[str]:
    """Paths that match; a folder or file that is called as the pattern is meant before others."""
    if tf.io.gfile.exists(pattern):
        return [pattern]
    folder, name = os.path.split(pattern)
    if re.search(r"[\[\]*?]", folder) and tf.io.gfile.isdir(folder):
        names = fnmatch.filter(tf.io.gfile.listdir(folder), name)
        return [os.path.join(folder, one) for one in names]
    return tf.io.gfile.glob(pattern)
