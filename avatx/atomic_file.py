"""Files that are either wholly there or not at all, on this machine or on a remote file system.

`atomic_text_file` and `atomic_binary_file` open one; `atomic_path` gives a name to write to, for
libraries that open their file themselves. For many files that belong together see
`avatx.atomic_folder`.

A file is on the disk before it gets its name, so that it is whole after a power loss too. What a
program leaves that is killed, `.NAME.<12 hex digits>.partial`, whoever writes to that folder next
removes.
"""

import codecs
import contextlib
import errno
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

from avatx import durable, file_lock, file_systems
from avatx.errors import UserError

# Errors of writing itself, which come as late as the block's end.
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{12}\.partial")
_OF_OLDER_VERSIONS = r"\.?{}\.(\d+|[0-9a-f-]{{12,36}})\.partial"


class TextWriter(Protocol):
    """What `atomic_text_file` gives; on a remote file system that is no more."""

    def write(self, text: str, /) -> object:
        """Appends text."""

    def writelines(self, lines: Iterable[str], /) -> None:
        """Appends lines, each with its own end."""


@contextlib.contextmanager
def atomic_path(
    path, temporary_folder: str | None = None, *, lasting: bool = True
) -> Iterator[str]:
    """Gives a name to write to; that file takes the place of `path` when the block ends well.

    On an error inside the block nothing is left and an older `path` stays as it was. A link
    stays, its target is replaced; a pipe or a device (/dev/stdout) is written to as it is.

    Args:
      path: the file; one of TensorFlow's file systems ("gs://bucket/file") where it has a scheme.
      temporary_folder: where the unfinished file lies, on the same file system; by default
        beside `path`.
      lasting: False for a note that a running program needs and nobody after it: it is not
        flushed to the disk, and nothing is looked for that a killed program left.

    Raises:
      UserError: the folder does not exist or cannot be written to, or the disk is full.
    """
    path = os.fspath(path)
    if "://" in path:
        with _remote_path(path, temporary_folder) as temporary:
            yield temporary
        return
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        try:
            yield path
        except OSError as error:
            if error.errno in CANNOT_WRITE or error.filename == path:
                raise _refusal(path, error.strerror) from error
            raise
        return
    target = os.path.realpath(path) if os.path.islink(path) else path
    folder = os.path.dirname(target) if temporary_folder is None else temporary_folder
    temporary = _unfinished(target, temporary_folder)
    descriptor = None
    try:
        if lasting:
            _sweep(folder, os.path.basename(target))
        descriptor = _create(temporary)
        yield temporary
        if lasting:
            durable.flush(temporary)
        os.replace(temporary, target)
        if lasting:
            durable.flush(os.path.dirname(target) or ".")
    except OSError as error:
        if error.errno in CANNOT_WRITE or error.filename == temporary:
            raise _refusal(path, error.strerror) from error
        raise
    finally:
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            os.close(descriptor)


@contextlib.contextmanager
def atomic_text_file(path, *, lasting: bool = True) -> Iterator[TextWriter]:
    """Opens a UTF-8 text file that takes the place of `path` when the block ends well.

    See `atomic_path` for what is promised and raised, and for `lasting`.
    """
    with atomic_path(path, lasting=lasting) as temporary:
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


def sweep(folder) -> None:
    """Removes the unfinished files of programs that were killed; those of running ones stay."""
    _sweep(os.fspath(folder))


def _sweep(folder: str, name: str | None = None) -> None:
    older = re.compile(_OF_OLDER_VERSIONS.format(re.escape(name))) if name else None
    try:
        names = os.listdir(folder or ".")
    except OSError:  # creating the file will say it
        return
    for other in names:
        if _UNFINISHED.fullmatch(other) or (older and older.fullmatch(other)):
            path = os.path.join(folder, other)
            with file_lock.left_behind(path) as is_left, contextlib.suppress(OSError):
                if is_left:
                    os.unlink(path)


def _create(path: str) -> int:
    """Makes the file, locked as somebody's who is alive; gives its descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        # Between the two, whoever sweeps may have taken it for one that was left.
        if file_lock.take(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


@contextlib.contextmanager
def _remote_path(path: str, temporary_folder: str | None) -> Iterator[str]:
    import tensorflow as tf

    file_systems.load(path)
    temporary = _unfinished(path, temporary_folder)
    try:
        yield temporary
        if tf.io.gfile.stat(temporary).length:
            tf.io.gfile.rename(temporary, path, overwrite=True)
        else:  # which the plugin for s3:// does not rename; there is nothing of it to be half there
            with tf.io.gfile.GFile(path, "wb") as file:
                file.write(b"")
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
