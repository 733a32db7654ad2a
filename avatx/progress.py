"""How far something is, with its rate and the time that is left, on stderr."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

_FIRST = 2.0  # seconds: what is done by then says nothing
_TERMINAL, _FILE = 0.5, 30.0  # seconds between two lines, where they replace each other or not


class Progress:
    """Counts things.

    Args:
      what: is done, for the line: "evaluating".
      unit: what is counted: "keyframes".
      total: how many there are; None where nobody knows.
    """

    def __init__(self, what: str, unit: str, total: float | None = None):
        self._what: str | None = what
        self._unit, self._total = unit, total
        self._begin = self._last = time.monotonic()
        self.done: float = 0
        self._shown = False
        self._terminal = sys.stderr.isatty()

    def add(self, count: float) -> None:
        """So many more are done."""
        self.to(self.done + count)

    def to(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """So many are done by now, of another total or with another thing begun where they are."""
        self.done = done
        self._total = self._total if total is None else total
        if what not in (None, self._what):
            self._what, self._total, self._begin = what, total, time.monotonic()
        now = time.monotonic()
        if now - self._begin < _FIRST:
            return
        if self._shown and now - self._last < (_TERMINAL if self._terminal else _FILE):
            return
        self._last = now
        self._write(self.line(now - self._begin))

    def line(self, seconds: float) -> str:
        """What is said after so many seconds."""
        rate = self.done / seconds
        text = f"{self._what}: {_number(self.done)}"
        text += f" of {_number(self._total)}" if self._total else ""
        text += f" {self._unit}, {rate:{'.1f' if rate >= 1 else '.2g'}} a second"
        if self._total and rate:
            text += f", {max(0, self._total - self.done) / rate:.0f} s left"
        return text

    def end(self) -> None:
        """Nothing more comes."""
        if self._shown and self._terminal:
            print(file=sys.stderr)

    def _write(self, line: str) -> None:
        self._shown = True
        if self._terminal:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


_busy = threading.Lock()  # while something is said to be slow, what it is made of is not


@contextlib.contextmanager
def slow(what: str, in_files: bool = True) -> Iterator[None]:
    """Says what is done inside, if that takes more than two seconds and nobody can say how long.

    A terminal is told for how many seconds, too, and forgets the line when it is done.

    Args:
      what: "loading the model"; a line of its own.
      in_files: False says it on a terminal alone.
    """
    terminal = sys.stderr.isatty()
    if not (terminal or in_files) or not _busy.acquire(blocking=False):
        yield
        return
    begin, done = time.monotonic(), threading.Event()
    try:
        # A copy, for `stderr_noise` holds back what is written to stderr while it is at work.
        out = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # it is no file
        out = None

    def write(text: str) -> None:
        if out is None:
            sys.stderr.write(text)
        else:
            with contextlib.suppress(OSError):
                os.write(out, text.encode())

    def say() -> None:
        if done.wait(_FIRST):
            return
        if not terminal:
            write(f"{what} ...\n")
            return
        while True:
            write(f"\r\x1b[K{what} ... {time.monotonic() - begin:.0f} s")
            if done.wait(1.0):
                write("\r\x1b[K")
                return

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if out is not None:
            os.close(out)
        _busy.release()


@contextlib.contextmanager
def first_batch(progress: Progress | None) -> Iterator[Callable[[], None]]:
    """Says so where the first batch is slow, which compiles and before which there is no rate.

    Args:
      progress: of the batches; None says nothing.

    Yields:
      What to call when the first batch is done, and may be called after each.
    """
    with contextlib.ExitStack() as first:
        if progress is not None:
            first.enter_context(slow("the first batch, which compiles"))
        yield first.close
