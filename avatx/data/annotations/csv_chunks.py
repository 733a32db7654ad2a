"""The bytes of a csv file in pieces of whole lines, whatever size it has."""

import contextlib
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from avatx import file_systems
from avatx.errors import UserError, shortened
from avatx.progress import Progress

_CHUNK_BYTES = 1 << 22
_MAX_LINE = 1 << 16  # bytes; a row of AVA has 80
_MAX_GROWTH = 200  # of a gzip file; csv files of one row repeated grow 50-fold
_FREE_GROWTH = 1 << 26  # bytes that any gzip file may have
_LONE_CR = re.compile(rb"\r(?!\n|\Z)")
_MEGABYTE = 1e6
_LONGEST_NAME = 40  # letters of a file, in a line that says how far it is


def chunks(path: str, shows: bool = True) -> Iterator[tuple[int, bytes]]:
    """(Lines before, bytes) of pieces that end at line ends, without a byte order mark.

    What is refused here is refused by every reader of csv files.

    Args:
      path: a file, may be gzipped.
      shows: whether how far it is goes to stderr.

    Raises:
      UserError: the file cannot be read, or a line is too long or ends in a lone carriage return.
    """
    before = 0
    for chunk, whole in _pieces(path, shows):
        number_of_lines = _check_lines(chunk, path, before)
        if not whole:
            raise _too_long(path, before + number_of_lines + 1)
        if not chunk.isspace():  # blank lines, of which there may be a billion
            yield before, chunk
        before += number_of_lines


def _blocks(path: str, shows: bool) -> Iterator[bytes]:
    """The file's bytes, decompressed if they are gzip's."""
    try:
        file = file_systems.open_binary(path)  # errors of reading, below, are others
    except (OSError, ValueError) as error:  # a zero byte in a path is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path} cannot be read: {reason}") from error
    with file, _shown(path, file, shows) as progress:
        try:
            zipped = file.peek(2)[:2] == b"\x1f\x8b"
            stream = gzip.GzipFile(fileobj=file) if zipped else file
            number = 0
            while block := stream.read(_CHUNK_BYTES):
                number += len(block)
                if zipped and number > max(_FREE_GROWTH, _MAX_GROWTH * file.tell()):
                    raise UserError(
                        f"{path}: the gzip file grows more than {_MAX_GROWTH}-fold, which no csv "
                        f"does ({number >> 20} MiB so far); unpack it and look at what it holds"
                    )
                yield block
                # What was read is used by now, which takes longer than reading it.
                progress(file.tell() if zipped else number)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UserError(f"{path} is a damaged gzip file: {error}") from error
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"{path} cannot be read: {reason}") from error


@contextlib.contextmanager
def _shown(path: str, file: io.BufferedReader, shows: bool) -> Iterator[Callable[[int], None]]:
    """Takes how many bytes of a file are done, as they are on the disk."""
    if not shows:
        yield lambda done: None
        return
    size = None
    with contextlib.suppress(OSError):  # a remote file, which is in memory, has no number
        size = os.fstat(file.fileno()).st_size
    name = shortened(" ".join(os.path.basename(path).split()), _LONGEST_NAME)
    progress = Progress(f"reading {name}", "MB", size / _MEGABYTE if size else None)
    try:
        yield lambda done: progress.to(done / _MEGABYTE)
    finally:
        progress.end()


def _pieces(path: str, shows: bool) -> Iterator[tuple[bytes, bool]]:
    """Whole lines, and True; and False where a line begins behind them that is too long."""
    rest, first = b"", True
    for block in _blocks(path, shows):
        block = rest + block
        if first and len(block) >= 3:
            first, block = False, block.removeprefix(b"\xef\xbb\xbf")
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        whole = len(rest) <= _MAX_LINE
        if end or not whole:
            first = False
            yield block[:end], whole
    if first:
        rest = rest.removeprefix(b"\xef\xbb\xbf")
    if rest:
        yield rest, True


def _check_lines(chunk: bytes, path: str, before: int) -> int:
    """Refuses lines that are too long, and lone carriage returns, where readers would differ.

    Returns:
      How many lines end in the chunk.
    """
    if b"\r" in chunk and chunk.count(b"\r") > chunk.count(b"\r\n"):
        found = _LONE_CR.search(chunk)
        if found:
            number = before + chunk.count(b"\n", 0, found.start()) + 1
            raise UserError(
                f"{path}, line {number}: holds a carriage return that ends no line; "
                "expected lines that end in a newline, or in both"
            )
    is_end = np.frombuffer(chunk, np.uint8) == ord("\n")
    # A line of so many bytes would hold a whole one of these windows.
    window = _MAX_LINE // 2
    if any(chunk.find(b"\n", at, at + window) < 0 for at in range(0, len(chunk), window)):
        lengths = np.diff(np.flatnonzero(is_end), prepend=-1, append=len(chunk))
        if lengths.max() > _MAX_LINE:
            raise _too_long(path, before + int(np.argmax(lengths > _MAX_LINE)) + 1)
    return int(np.count_nonzero(is_end))


def _too_long(path: str, number: int) -> UserError:
    return UserError(
        f"{path}, line {number}: is longer than {_MAX_LINE:,} bytes, so it is no row of an AVA csv"
    )
