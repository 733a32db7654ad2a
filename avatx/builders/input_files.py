"""The files that a pipeline.config trains on, each with a fingerprint of what is in it."""

import hashlib
import os

import tensorflow as tf

from avatx.config.files import named_files
from avatx.data.records.remote_files import match_files
from avatx.errors import UserError
from avatx.protos import pipeline_pb2

_KINDS = (
    "LABEL_MAP",
    "RECORDS",
    "ANNOTATIONS",
    "PERSON_BOXES",
)  # what a resumed training reads again
# Of a larger file blocks are read: their length, and how many, evenly spaced. Behind a network each
# is a request, and the first must do.
_READ_WHOLE, _BLOCK, _NUM_BLOCKS = 1 << 20, 1 << 12, 16


def fingerprints(config: pipeline_pb2.PipelineConfig) -> dict[str, dict[str, str]]:
    """Field of the config -> name of a file -> fingerprint, of every file that is there.

    A file that is moved, or written again with the same content, keeps its fingerprint.
    """
    found: dict[str, dict[str, str]] = {}
    for file in named_files(config):
        if file.kind in _KINDS:
            files = found.setdefault(file.field, {})
            for path in _matches(file.path):
                files[os.path.basename(path)] = _fingerprint(path)
    return {field: files for field, files in found.items() if files}


def _matches(path: str) -> list[str]:
    try:
        return match_files([path])
    except (UserError, tf.errors.OpError):  # for the reader of the data to say
        return []


def _fingerprint(path: str) -> str:
    """Of its length and its content."""
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            size = file.size()
            digest = hashlib.sha256(str(size).encode())
            if "://" in path:
                digest.update(file.read(_BLOCK))
            elif size <= _READ_WHOLE:
                digest.update(file.read())
            else:
                for block in range(_NUM_BLOCKS):
                    file.seek(block * (size - _BLOCK) // (_NUM_BLOCKS - 1))
                    digest.update(file.read(_BLOCK))
        return digest.hexdigest()[:16]
    except tf.errors.OpError:
        return "unreadable"
