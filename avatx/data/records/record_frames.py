"""How the frames of records were taken, as the first record of each file says."""

import json
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from avatx.data.records import record
from avatx.data.video.frame_settings import FIELDS, Known, known_of_record

_HEADER = struct.Struct("<QI")  # of a TFRecord's entry: its length and that number's checksum
_CONTEXT_TAG = 0x0A  # of field 1 of a SequenceExample, which is written first
_MOST_BYTES = 1 << 20  # of a context: a few names and numbers
_THREADS = 16  # for files that are far away


def frames_of_files(paths: Sequence[str]) -> list[tuple[str, Known]]:
    """What each file says of how its frames were taken.

    Two small reads a file, whatever the size of its records. What cannot be read is not known:
    saying what is wrong with a file is for `avatx.data.input.input_check`.

    Args:
      paths: TFRecord files.

    Returns:
      (path, `Known`) of each file, in order.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(zip(paths, pool.map(_frames_of_file, paths), strict=True))


def _frames_of_file(path: str) -> Known:
    try:
        context = _first_context(path)
        provenance = json.loads(context.feature[record.PROVENANCE].bytes_list.value[0])
        return known_of_record(provenance)
    except Exception:  # a dozen kinds of broken or foreign file
        return dict.fromkeys(FIELDS)


def _first_context(path: str) -> tf.train.Features:
    """The context of a file's first record, without its frames. Raises anything for another."""
    with tf.io.gfile.GFile(path, "rb") as file:
        head = file.read(_HEADER.size + 11)  # with the tag and a length of up to ten bytes
        tag, content = head[_HEADER.size], head[_HEADER.size + 1 :]
        if tag != _CONTEXT_TAG:
            raise ValueError("no context")
        length, used = _varint(content)
        if length > _MOST_BYTES:
            raise ValueError("a large context")
        file.seek(_HEADER.size + 1 + used)
        return tf.train.Features.FromString(file.read(length))


def _varint(content: bytes) -> tuple[int, int]:
    """Protobuf's number at the beginning of `content`, and how many bytes it takes."""
    value = 0
    for index, byte in enumerate(content):
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, index + 1
    raise ValueError("no number")
