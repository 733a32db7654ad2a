"""Files that are either wholly there or not at all, on this machine or on a remote file system.

`atomic_text_file` and `atomic_binary_file` open one; `atomic_path` gives a name to write to, for
libraries that open their file themselves. For many files that belong together see
`avatx.atomic_folder`.
"""

import codecs
import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from avatx.errors import UserError

# Errors of writing itself, which come as late as the block's end.
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)


@contextlib.contextmanager
def atomic_path(path, temporary_folder: str | None = None) -> Iterator[str]:
    """Gives a name to write to; that file takes the place of `path` when the block ends well.

    On an error inside the block nothing is left and an older `path` stays as it was. A link
    stays, its target is replaced; a pipe or a device (/dev/stdout) is written to as it is.

    Args:
      path: the file; one of TensorFlow's file systems ("gs://bucket/file") where it has a scheme.
      temporary_folder: where the unfinished file lies, on the same file system; by default
        beside `path`.

    Raises:
      UserError: the folder does not exist or cannot be written to, or the disk is full.
    """
    path = os.fspath(path)
    if "://" in path:
        with _remote_path(path, temporary_folder) as temporary:
            yield temporary
        return
    plain = not os.path.exists(path) or os.path.isfile(path) or os.path.isdir(path)
    target = os.path.realpath(path) if plain and os.path.islink(path) else path
    temporary = _unfinished(target, temporary_folder) if plain else path
    try:
        yield temporary
        if plain:
            os.replace(temporary, target)
    except OSError as error:
        if error.errno in CANNOT_WRITE or error.filename == temporary:
            raise _refusal(path, error.strerror) from error
        raise
    finally:
        if plain:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


@contextlib.contextmanager
def atomic_text_file(path) -> Iterator[TextIO]:
    """Opens a UTF-8 text file that takes the place of `path` when the block ends well.

    See `atomic_path` for what is promised and raised.
    """
    with atomic_path(path) as temporary:
        if "://" in temporary:
            with _remote_file(temporary) as binary, codecs.getwriter("utf-8")(binary) as file:
                yield file
        else:
            with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                yield file


@contextlib.contextmanager
def atomic_binary_file(path) -> Iterator[BinaryIO]:
    """As `atomic_text_file`, for bytes."""
    with (
        atomic_path(path) as temporary,
        _remote_file(temporary) if "://" in temporary else open(temporary, "wb") as file,
    ):
        yield file


@contextlib.contextmanager
def _remote_path(path: str, temporary_folder: str | None) -> Iterator[str]:
    import tensorflow as tf

    temporary = _unfinished(path, temporary_folder)
    try:
        yield temporary
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except tf.errors.OpError as error:
        raise _refusal(path, error.message) from error
    finally:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.remove(temporary)


def _remote_file(path: str):
    import tensorflow as tf

    return tf.io.gfile.GFile(path, "wb")


def _unfinished(path: str, folder: str | None) -> str:
    """Unique, because two processes or two workers may write the same file."""
    beside, name = os.path.split(path)
    return os.path.join(
        beside if folder is None else folder, f".{name}.{uuid.uuid4().hex[:12]}.partial"
    )


def _refusal(path: str, reason: str | None) -> UserError:
    return UserError(f"{path or 'a file without a name'} cannot be written: {reason}")
