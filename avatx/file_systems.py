"""Files on this machine or behind s3://, gs:// or http(s)://: by TensorFlow's file systems.

TensorFlow itself reads local files and gs://. The other schemes are file-system plugins of
tensorflow-io, whose last release (0.37.1) loads on TensorFlow 2.16 only; it is imported when a
path asks for it and never otherwise.
"""

import contextlib
import errno
import io
import os
import re
import tempfile
from collections.abc import Iterator

from avatx import stderr_noise
from avatx.errors import UserError, first_line

_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")
_PATTERN = re.compile(r"[\[\]*?\\]")
_BUILT_IN = frozenset({"", "file", "gs", "ram"})
_BY_PLUGIN = frozenset({"s3", "http", "https", "az", "hdfs", "viewfs", "har"})


def scheme(path: str) -> str:
    """ "s3" of "s3://bucket/name", "" of a local path."""
    found = _SCHEME.match(path)
    return found.group(1).lower() if found else ""


def load(path: str) -> None:
    """Makes TensorFlow able to open `path`; nothing is loaded for local paths.

    Raises:
      UserError: the scheme is unknown, or tensorflow-io is absent or cannot load.
    """
    name = scheme(path)
    if name in _BUILT_IN:
        return
    if name not in _BY_PLUGIN:
        known = ", ".join(f"{known}://" for known in sorted(_BUILT_IN | _BY_PLUGIN) if known)
        raise UserError(f"{path}: unknown scheme {name}://; expected a local path or {known}")
    remedy = (
        "install the default lock (TensorFlow 2.16.2 with tensorflow-io 0.37.1) "
        "or copy the files to this machine"
    )
    import tensorflow as tf

    try:
        with stderr_noise.dropped():
            import tensorflow_io  # noqa: F401  registers the file systems
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "tensorflow_io":
            raise UserError(
                f"{path}: {name}:// needs tensorflow-io, which is not installed; {remedy}"
            ) from error
        raise UserError(_cannot_load(path, name, remedy)) from error
    except Exception as error:  # it raises NotImplementedError and others for missing symbols
        raise UserError(_cannot_load(path, name, remedy)) from error
    if name not in {
        known.decode() if isinstance(known, bytes) else known
        for known in tf.io.gfile.get_registered_schemes()
    }:
        raise UserError(_cannot_load(path, name, remedy))


def _cannot_load(path: str, name: str, remedy: str) -> str:
    import tensorflow as tf

    return (
        f"{path}: {name}:// needs tensorflow-io, which cannot load its plugin on "
        f"TensorFlow {tf.__version__}; {remedy}"
    )


def open_binary(path) -> io.BufferedReader:
    """Opens a file to read; a remote one, which should be small, is read at once.

    Raises:
      OSError: it cannot be read.
      UserError: its scheme cannot be opened here.
    """
    path = os.fspath(path)
    if "://" not in path:
        return open(path, "rb")
    import tensorflow as tf

    load(path)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return io.BufferedReader(io.BytesIO(file.read()))
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from error
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, first_line(error), path) from error


def open_text(path) -> io.TextIOWrapper:
    """As `open_binary`, for UTF-8; a mark of the byte order before it is dropped."""
    return io.TextIOWrapper(open_binary(path), encoding="utf-8-sig")


def is_file(path: str) -> bool:
    """Whether a file is there, as far as can be seen."""
    if "://" not in path:
        return os.path.isfile(path)
    import tensorflow as tf

    try:
        load(path)
        return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)
    except (UserError, tf.errors.OpError):
        return False


def names_in(folder: str) -> list[str]:
    """Names of what a folder holds, sorted; none where it is not there.

    An empty folder of s3:// is not there: that has objects, and folders only as parts of their
    names.
    """
    import tensorflow as tf

    try:
        return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder))
    except tf.errors.NotFoundError:
        return []


def is_pattern(path: str) -> bool:
    """Whether TensorFlow, where it looks for what a pattern matches, takes a path for one."""
    return bool(_PATTERN.search(path))


@contextlib.contextmanager
def plainly_named(folder: str) -> Iterator[str]:
    """A folder by a path that TensorFlow takes for no pattern, as long as this lasts."""
    if not is_pattern(folder) or not os.path.isdir(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="avatx-") as above:
        link = os.path.join(above, "folder")
        os.symlink(os.path.abspath(folder), link)
        yield link


def make_folder(path: str, named: str) -> None:
    """Makes a folder, and those above it, where they are missing.

    Raises:
      UserError: it cannot be made; begins with `named`, what it is for.
    """
    if "://" in path:
        import tensorflow as tf

        load(path)
        try:
            tf.io.gfile.makedirs(path)
        except tf.errors.OpError as error:
            raise UserError(f"{named} {path}: cannot be made ({first_line(error)})") from error
        return
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UserError(f"{named} {path}: cannot be made ({error.strerror})") from error
