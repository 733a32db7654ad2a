"""One clear line for what goes wrong in tf.data, where only TensorFlow's errors can be raised."""

import contextlib
import re
from collections.abc import Iterator, Sequence

import tensorflow as tf

from avatx.data.records.record_check import check_file
from avatx.data.records.remote_files import match_files
from avatx.errors import UserError, first_line

_BEGIN, _END = "[[avatx:", ":avatx]]"
_MARKED = re.compile(re.escape(_BEGIN) + "(.*?)" + re.escape(_END), re.DOTALL)
_REMEDY = "write the records again"


def check(condition: tf.Tensor, parts: Sequence) -> tf.Operation:
    """An op that fails with the joined `parts` (strings and scalar tensors) unless `condition`.

    It runs inside tf.data; `explained` turns its failure into a UserError.
    """
    texts = [part if isinstance(part, str) else _as_text(part) for part in parts]
    return tf.debugging.Assert(condition, [tf.strings.join([_BEGIN, *texts, _END])])


def _as_text(value: tf.Tensor) -> tf.Tensor:
    value = tf.convert_to_tensor(value)
    return value if value.dtype == tf.string else tf.strings.as_string(value)


@contextlib.contextmanager
def explained(input_paths: Sequence[str] = ()) -> Iterator[None]:
    """Turns what the input pipeline raises while it is read into a UserError of one line.

    Wrap the loop that reads the dataset, or the whole training. Errors of TensorFlow that do
    not come from the input pass unchanged. After a corrupt or foreign record, the files of
    `input_paths` (patterns) are read through once more to name the file, because TensorFlow's
    error does not.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        if " record at " not in str(error):
            raise  # a checkpoint can lose data too
        for path in _existing(input_paths):
            check_file(path)
        raise UserError(f"an input file is corrupt ({first_line(error)}); {_REMEDY}") from error
    except tf.errors.OpError as error:
        text = str(error)
        found = _MARKED.search(text)
        if found:
            raise UserError(_unescaped(found.group(1))) from error
        if "JPEG" in text:
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


def _existing(input_paths: Sequence[str]) -> list[str]:
    """The files of the patterns that match any: one that matches none is not what failed."""
    files = []
    for pattern in input_paths:
        with contextlib.suppress(UserError):
            files += match_files([pattern])
    return files


def _unescaped(text: str) -> str:
    """TensorFlow prints what is not ASCII, and quotes, with backslashes."""
    raw = text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")
