"""Flushing to the disk, so that what is renamed into its place is whole after a power loss too."""

import errno
import os

# A file system or a kind of file that knows no flushing.
_CANNOT_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EROFS)


def flush(path: str) -> None:
    """Waits until a file's content, or a folder's list of names, is on the disk.

    Raises:
      OSError: it cannot be written, as on a full disk.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(descriptor)


def flush_tree(folder: str) -> None:
    """As `flush`, of every file and folder below and of `folder` itself."""
    for where, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                flush(path)
        flush(where)
