"""Files that are either wholly there or not at all."""

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import TextIO

from avatx.errors import UserError

# Errors of writing itself, which come as late as the block's end.
_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)


@contextlib.contextmanager
def atomic_text_file(path) -> Iterator[TextIO]:
    """Opens a UTF-8 text file beside `path` that takes its name when the block ends well.

    On an error inside the block nothing is left and an older `path` stays as it was. A link
    stays, its target is replaced; a pipe or a device (/dev/stdout) is written to as it is.
    Raises UserError where the directory does not exist or cannot be written to, or the disk
    is full.
    """
    path = os.fspath(path)
    plain = not os.path.exists(path) or os.path.isfile(path) or os.path.isdir(path)
    target = os.path.realpath(path) if plain and os.path.islink(path) else path
    temporary = f"{target}.{os.getpid()}.partial" if plain else None
    try:
        file = open(temporary or path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        try:
            with file:
                yield file
        except OSError as error:
            if error.errno in _CANNOT_WRITE:
                raise _refusal(path, error) from error
            raise
        if temporary:
            try:
                os.replace(temporary, target)
            except OSError as error:
                raise _refusal(path, error) from error
    finally:
        if temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def _refusal(path: str, error: OSError) -> UserError:
    return UserError(f"{path or 'a file without a name'} cannot be written: {error.strerror}")
