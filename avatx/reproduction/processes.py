"""One program at a time in a folder, and processes that do not outlive the one that began them."""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

from avatx.errors import UserError

_LOCK_FILE = "lock"
_PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


@contextlib.contextmanager
def alone_in(folder: pathlib.Path) -> Iterator[None]:
    """Holds the folder, which is made, for this program and all that it starts by `start`.

    The hold ends with the last of them, however that ends, so that no second program works on
    what one that was killed has left running.

    Raises:
      UserError: another one holds it, or it cannot be written to.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        fcntl = None
    path = folder / _LOCK_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(f"output {folder}: cannot be written ({error.strerror})") from error
    try:
        if fcntl:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(lock, 20).decode(errors="replace").strip()
                raise UserError(
                    f"output {folder}: process {holder or '?'}, or what it has started, is at "
                    "work in there; wait for it, end it, or choose another `output`"
                ) from None
            os.set_inheritable(lock, True)
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield
    finally:
        os.close(lock)


def start(command: list[str], **options) -> subprocess.Popen:
    """Starts a process that shares the hold of `alone_in`.

    On Linux it is terminated when this one dies, even by SIGKILL.
    """
    if sys.platform.startswith("linux"):
        prctl = ctypes.CDLL(None).prctl  # looked up before the fork
        options["preexec_fn"] = lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Python's own descriptors are not inheritable; the lock's is.
    return subprocess.Popen(command, close_fds=False, **options)
