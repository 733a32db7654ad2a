"""Results go to standard output, and what a program says of its work to standard error."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO

_results: list[TextIO] = []  # of the programs that are at work, where their results go


@contextlib.contextmanager
def talk_on_stderr(shows_results: bool = True) -> Iterator[None]:
    """Inside, `print` writes to stderr and `print_result` to what was stdout.

    Args:
      shows_results: False sends results to stderr, too: the program prints them as JSON.
    """
    _results.append(sys.stdout if shows_results else sys.stderr)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _results.pop()


def print_result(line: str) -> None:
    """Prints a line that somebody may want to read by program."""
    print(line, file=_results[-1] if _results else sys.stdout, flush=True)
