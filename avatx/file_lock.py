"""Locks that end with the process that holds them, however that ends (flock).

`alone_in` keeps a second program out of a folder; `take` marks a file or folder as somebody's
who is alive, so that what a killed program left is told from what another one is making.
"""

import contextlib
import os
from collections.abc import Iterator

from avatx.errors import UserError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = "lock"


def take(descriptor: int) -> bool | None:
    """Locks an open file or folder until its last descriptor is closed.

    Returns:
      True: it is ours. False: somebody else holds it. None: nothing can be locked here.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


@contextlib.contextmanager
def left_behind(path: str) -> Iterator[bool]:
    """Whether who made this file or folder is gone; inside, nobody else takes it for his."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # removed meanwhile, or not ours to read
        yield False
        return
    try:
        yield take(descriptor) is True
    finally:
        os.close(descriptor)


def has_locks(folder) -> bool:
    """Whether `alone_in` can hold a folder, as far as its path says: not behind s3:// and so on."""
    return "://" not in os.fspath(folder)


@contextlib.contextmanager
def alone_in(folder, argument: str, inherited: bool = False) -> Iterator[None]:
    """Holds the folder, which is made, for this program.

    The hold ends with the program, however that ends. Its file stays: removing it would let two
    programs hold two files of one name. A folder on a remote or lock-less file system is not held.

    Args:
      folder: where the lock's file lies.
      argument: the name of the folder's argument, for messages.
      inherited: whether processes that are started with `close_fds=False` share the hold, so that
        no second program works on what one that was killed has left running.

    Raises:
      UserError: another one holds it, or it cannot be written to.
    """
    folder = os.fspath(folder)
    if not has_locks(folder):
        yield
        return
    try:
        os.makedirs(folder, exist_ok=True)
        lock = os.open(os.path.join(folder, LOCK_FILE), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(f"{argument} {folder}: cannot be written ({error.strerror})") from error
    try:
        if take(lock) is False:
            holder = os.read(lock, 20).decode(errors="replace").strip()
            started = ", or what it has started," if inherited else ""
            raise UserError(
                f"{argument} {folder}: process {holder or '?'}{started} is at work in there; wait "
                f"for it, end it, or choose another `{argument}`"
            )
        os.set_inheritable(lock, inherited)
        with contextlib.suppress(OSError):  # a full disk: it is but for the message
            os.ftruncate(lock, 0)
            os.write(lock, str(os.getpid()).encode())
        yield
    finally:
        os.close(lock)
