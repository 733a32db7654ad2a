"""Drops the lines that TensorFlow writes on stderr and that mean nothing.

They come from C++, at the level of errors, so no setting drops them alone.
"""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

_NOISE = re.compile(
    # Said of every GPU build at import, whatever the machine.
    rb"Unable to register cu\w+ (factory|plugin)|computation placer already registered"
    rb"|All log messages before absl::InitializeLog"
    # A GPU build without a driver (303: libcuda is not there): the CPU is used.
    rb"|failed call to cuInit: .*\(303\)"
    # Of the graph optimiser, about sizes that are known only when the graph runs.
    rb"|op_level_cost_estimator|oneDNN supports DT_INT32 only"
)

# stderr is the process's: of two threads inside, one would take the other's file for it, for good.
_alone = threading.RLock()


@contextlib.contextmanager
def dropped() -> Iterator[None]:
    """Holds back what the process writes on stderr inside, then passes it on without noise.

    One thread at a time.
    """
    with _alone, _dropped():
        yield


@contextlib.contextmanager
def _dropped() -> Iterator[None]:
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            captured.seek(0)
            os.write(2, b"".join(line for line in captured if not _NOISE.search(line)))
