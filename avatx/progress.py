"""How far something is, with its rate and the time that is left, on stderr."""

import sys
import time

_FIRST = 2.0  # seconds: what is done by then says nothing
_TERMINAL, _FILE = 0.5, 30.0  # seconds between two lines, where they replace each other or not


class Progress:
    """Counts things.

    Args:
      what: is done, for the line: "evaluating".
      unit: what is counted: "keyframes".
      total: how many there are; None where nobody knows.
    """

    def __init__(self, what: str, unit: str, total: int | None = None):
        self._what, self._unit, self._total = what, unit, total
        self._begin = self._last = time.monotonic()
        self.done, self._shown = 0, False
        self._terminal = sys.stderr.isatty()

    def add(self, count: int) -> None:
        """So many more are done."""
        self.done += count
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
        text = f"{self._what}: {self.done:,}"
        text += f" of {self._total:,}" if self._total else ""
        text += f" {self._unit}, {rate:.1f} a second"
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
