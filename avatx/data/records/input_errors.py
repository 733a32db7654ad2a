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
# How a message of `graph_check` begins that names a record.
_NAMED_RECORD = re.compile(r"record (?P<video>.*?)(?:@(?P<start>-?\d[\d.e+-]*)| \(video \d+\))[ :]")


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
    named = _NAMED_RECORD.match(text)
    if named is None:
        return text
    files = _existing(input_paths)
    with contextlib.suppress(tf.errors.OpError):
        path = file_of_record(files, named["video"], named["start"])
        if path:
            return f"{path}: {text}"
        for path in files:  # its id is not what the message shows of it
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
    """TensorFlow prints what is not ASCII, and quotes, with backslashes."""
    try:
        raw = text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    except UnicodeDecodeError:  # cut in the middle of an escape
        return text
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")
