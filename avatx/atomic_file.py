"""Files that are either wholly there or not at all."""

import contextlib
import os
from typing import Iterator, TextIO

from avatx.errors import UserError


@contextlib.contextmanager
def atomic_text_file(path) -> Iterator[TextIO]:
    """Opens a UTF-8 text file beside `path` that takes its name when the block ends well.

    On an error inside the block nothing is left and an older `path` stays as it was. Raises
    UserError where the directory does not exist or cannot be written to.
    """
    path = os.fspath(path)
    temporary = f"{path}.{os.getpid()}.partial"
    try:
        file = open(temporary, "w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with file:
            yield file
        try:
            os.replace(temporary, path)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
