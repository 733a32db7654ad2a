"""Calls that may wait for ever, each within a limit: of a pipe, a camera or a server that stops."""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any


class TimeLimit:
    """Runs calls one after the other in a thread of its own.

    After a call that took too long the thread is given up with it, for nothing can end a system
    call that waits; it keeps neither the program from going on nor from ending.

    Args:
      seconds: the most that one call may take.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.is_over = False
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        self._results: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def __call__(self, function: Callable, *arguments: Any) -> Any:
        """What the function gives, or raises. Raises TimeoutError after the limit."""
        if self.is_over:
            raise TimeoutError
        self._calls.put((function, arguments))
        try:
            result, error = self._results.get(timeout=self.seconds)
        except queue.Empty:
            self.is_over = True
            raise TimeoutError from None
        if error is not None:
            raise error
        return result

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            function, arguments = call
            try:
                self._results.put((function(*arguments), None))
            except BaseException as error:
                self._results.put((None, error))
            if self.is_over:
                return

    def close(self) -> None:
        """Ends the thread, unless it hangs."""
        with contextlib.suppress(Exception):
            self._calls.put(None)


def at_once(function: Callable, *arguments: Any) -> Any:
    """In place of a `TimeLimit`, for what does not wait."""
    return function(*arguments)
