"""One program at a time in a folder, and processes that do not outlive the one that began them."""

import contextlib
import ctypes
import pathlib
import signal
import subprocess
import sys

from avatx import file_lock
from avatx.flags import for_others

_PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


def alone_in(folder: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    """Holds the folder, which is made, for this program and all that it starts by `start`.

    See `file_lock.alone_in`.
    """
    # Python's own descriptors are not inheritable; the lock's is.
    return file_lock.alone_in(folder, "output", inherited=True)


def start(command: list[str], **options) -> subprocess.Popen:
    """Starts a tool in a process that shares the hold of `alone_in`.

    What it says names tools as this program was called. On Linux it is terminated when this one
    dies, even by SIGKILL.
    """
    if sys.platform.startswith("linux"):
        prctl = ctypes.CDLL(None).prctl  # looked up before the fork
        options["preexec_fn"] = lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return subprocess.Popen(command, close_fds=False, env=for_others(), **options)
