"""One graph for two kinds of devices: which of two equal forms runs is decided where it runs."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import TypeVar

from tensorflow.python.ops import control_flow_switch_case

_Result = TypeVar("_Result")
_is_portable = contextvars.ContextVar("is_portable", default=False)


@contextlib.contextmanager
def portable_graph() -> Iterator[None]:
    """Graphs traced inside hold no choice by device, which only TensorFlow can make (for ONNX)."""
    token = _is_portable.set(True)
    try:
        yield
    finally:
        _is_portable.reset(token)


def by_device(
    on_cpu: Callable[[], _Result],
    elsewhere: Callable[[], _Result],
    portable: Callable[[], _Result],
) -> _Result:
    """What one of them gives; all must give the same.

    Args:
      on_cpu: where the graph runs on a CPU.
      elsewhere: where it runs on a GPU.
      portable: in a `portable_graph`; of operations that other runtimes know.
    """
    if _is_portable.get():
        return portable()
    return control_flow_switch_case.execute_fn_for_device({"CPU": on_cpu}, elsewhere)
