"""One clear line for what goes wrong inside tf.data, where only TensorFlow's errors can be raised."""

import contextlib
import re
from typing import Iterator, List, Sequence

import tensorflow as tf

from avatx.errors import UserError

_BEGIN, _END = "[[avatx:", ":avatx]]"
_MARKED = re.compile(re.escape(_BEGIN) + "(.*?)" + re.escape(_END), re.DOTALL)


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
def explained(files: Sequence[str] = ()) -> Iterator[None]:
    """Turns what the input pipeline raises while it is read into a UserError of one line.

    Wrap the loop that reads the dataset, or the whole training. Errors of TensorFlow that do
    not come from the input pass unchanged. After a corrupt record, `files` are read through
    once more to name the file, because TensorFlow's error does not.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        for path in files:
            check_framing(path)
        raise UserError(
            f"an input file is corrupt ({_first_line(error)}); write the records again"
        ) from error
    except tf.errors.OpError as error:
        found = _MARKED.search(str(error))
        if found:
            raise UserError(found.group(1).replace("\\'", "'").replace('\\"', '"')) from error
        if "JPEG" in str(error):
            raise UserError(
                f"a record of the input holds a frame that is not a readable JPEG image "
                f"({_first_line(error)}); write the records again"
            ) from error
        raise


def check_framing(path: str) -> int:
    """Reads `path` to its end and returns how many TFRecord entries it has.

    Raises:
      UserError: it is no TFRecord file, or is cut short or corrupt.
    """
    count = 0
    try:
        for count, _ in enumerate(tf.data.TFRecordDataset(path), start=1):
            pass
    except tf.errors.DataLossError as error:
        raise framing_error(path, count, error) from error
    return count


def framing_error(path: str, good_records: int, error: Exception) -> UserError:
    if good_records == 0:
        return UserError(
            f"{path}: not a TFRecord file, or its first record is corrupt "
            f"({_first_line(error)}); tools/create_ava_tfrecord.py writes such files"
        )
    return UserError(
        f"{path}: corrupt or cut short after {good_records} records ({_first_line(error)}); "
        "delete it and run tools/create_ava_tfrecord.py again"
    )


def _first_line(error: Exception) -> str:
    text = getattr(error, "message", str(error))
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*?\]|name:\s*$", "", text.split("\n")[0])
    return " ".join(text.split())[:200]


def first_record(path: str) -> List[bytes]:
    """The first entry of a TFRecord file as a list of one, or [] of an empty file."""
    try:
        return [entry.numpy() for entry in tf.data.TFRecordDataset(path).take(1)]
    except tf.errors.DataLossError as error:
        raise framing_error(path, 0, error) from error
    except (tf.errors.NotFoundError, tf.errors.PermissionDeniedError) as error:
        raise UserError(f"{path}: cannot be read ({_first_line(error)})") from error
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be read ({_first_line(error)})") from error
