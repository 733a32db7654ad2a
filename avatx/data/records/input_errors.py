"""One clear line for what goes wrong in tf.data, where only TensorFlow's errors can be raised."""

import contextlib
import re
from collections.abc import Iterator, Sequence

import tensorflow as tf

from avatx.data.records.graph_check import MARKED, check
from avatx.data.records.record_check import check_file, file_of_record
from avatx.data.records.remote_files import match_files
from avatx.errors import UserError, first_line

__all__ = ["check", "explained"]

_REMEDY = "write the records again"
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
# How a message of `graph_check` begins that names a record: its id, and what follows that.
_RECORD = "record "
_AFTER_ID = re.compile(r"(?:@(?P<start>-?\d[\d.e+-]*)| \(video \d+\))(?=[ :])")


@contextlib.contextmanager
def explained(input_paths: Sequence[str] = ()) -> Iterator[None]:
    """Turns what the input pipeline raises while it is read into a UserError of one line.

    Wrap the loop that reads the dataset, or the whole training. Errors of TensorFlow that do
    not come from the input pass unchanged. After a corrupt or foreign record, the files of
    `input_paths` (patterns) are read through once more to name the file, because TensorFlow's
    error does not; after another mistake in a record up to that record.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        if " record at " not in str(error):
            raise  # a checkpoint can lose data too
        for path in _existing(input_paths):
            check_file(path)
        raise UserError(f"an input file is corrupt ({first_line(error)}); {_REMEDY}") from error
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        text = str(error)
        if isinstance(error, UnicodeDecodeError):  # a record's bytes in TensorFlow's message
            text = error.object.decode("utf-8", "replace")
        found = MARKED.search(text)
        if found:
            raise UserError(_with_file(_unescaped(found.group(1)), input_paths)) from error
        if "JPEG" in text or "DecodeImage" in text or "Jpeg" in text:
            for path in _existing(input_paths):
                check_file(path, keys=True, decode=True)
            raise UserError(
                "a record of the input holds a frame that is not a readable JPEG "
                f"image ({first_line(error)}); {_REMEDY}"
            ) from error
        if "ParseSingleSequenceExample" in text or "ParseSequenceExample" in text:
            for path in _existing(input_paths):
                check_file(path, keys=True)
            raise UserError(
                "an input file holds an entry that is no record of ours "
                f"({first_line(error)}); {_REMEDY}"
            ) from error
        raise


def _with_file(text: str, input_paths: Sequence[str]) -> str:
    """The message, after the name of the file that holds the record it is about."""
    if not text.startswith(_RECORD):
        return text
    files = _existing(input_paths)
    with contextlib.suppress(tf.errors.OpError):
        # An id may hold what looks like its end.
        ends = _AFTER_ID.finditer(text, len(_RECORD))
        named = [(text[len(_RECORD) : end.start()], end["start"]) for end in ends]
        if path := file_of_record(files, named):
            return f"{path}: {text}"
        for path in files:
            check_file(path, keys=True)
    return text


def _existing(input_paths: Sequence[str]) -> list[str]:
    """The files of the patterns that match any: one that matches none is not what failed."""
    files = []
    for pattern in input_paths:
        with contextlib.suppress(UserError):
            files += match_files([pattern])
    return files


def _unescaped(text: str) -> str:
    """TensorFlow prints quotes, and in places what is not ASCII, with backslashes and numbers."""

    def byte(match: re.Match) -> bytes:
        code = match[1]
        if len(code) == 3:
            return bytes([int(code[1:], 16) if code[:1] == b"x" else int(code, 8)])
        return _ESCAPED.get(code, code)

    pattern = rb"\\([0-3][0-7]{2}|x[0-9a-f]{2}|.)"
    raw = re.sub(pattern, byte, text.encode("utf-8", "replace"), flags=re.DOTALL)
    return raw.decode("utf-8", "replace")
