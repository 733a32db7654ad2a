"""Ctrl-C, `kill` and a machine that is taken away: training ends with its step, and saves it.

While steps run, Python's own signal handlers wait for TensorFlow to come back, which may be many
steps later. So the system writes the signal's number to a pipe, a thread reads it and sets a
variable, and the loop of steps, in the graph, looks at that variable after each step.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

# What asks a program to end: ctrl-C; `kill`, Slurm, Kubernetes; a terminal that is closed.
_SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class Stop(BaseException):
    """Raised where a training that was asked to end does so. `number` is the signal's."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """As "SIGTERM"."""
        return signal.Signals(self.number).name

    def exit_error(self) -> BaseException:
        """What ends the program with the exit code that the signal is known by: 128 + number."""
        interrupted = self.number == signal.SIGINT
        return KeyboardInterrupt() if interrupted else SystemExit(128 + self.number)


class StopRequest:
    """Whether somebody asked this training to end. A context manager that listens for it.

    Elsewhere than in the main thread, where there are no signals, it never is asked.

    Args:
      agree: number of the signal here, 0 for none -> that of all machines that train together: one
        that is asked to end asks the others.
    """

    def __init__(self, agree: Callable[[int], int] = lambda number: number):
        self._agree = agree
        self._number: int | None = None
        self._held = 0
        with tf.device("/cpu:0"):
            self._asked = tf.Variable(False, trainable=False)
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> tf.Tensor:
        """Scalar bool, as of now; in a graph, as of when it is run there."""
        return self._asked.read_value()

    def raise_if_asked(self) -> None:
        """Raises Stop if so."""
        if number := self._agree(self._number or 0):
            raise Stop(number)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Inside, a signal is only noted; elsewhere it raises Stop where the program is."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is not threading.main_thread():
            return self
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        for number in _SIGNALS:
            before = signal.getsignal(number)
            # What is ignored stays so: SIGHUP under nohup, SIGINT in the background of a shell.
            if before not in (signal.SIG_IGN, None):
                self._before[number] = before
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, before in self._before.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._writing)
        self._thread.join()
        os.close(self._reading)

    def _listen(self) -> None:
        while read := os.read(self._reading, 1):
            if read[0] in self._before:
                self._number = self._number or read[0]
                self._asked.assign(True)

    def _handle(self, number: int, frame) -> None:
        del frame
        self._number = self._number or number
        if not self._held:
            raise Stop(number)
