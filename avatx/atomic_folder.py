"""Folders that get all of their files, or none.

`atomic_files` adds files to a folder, `atomic_folder` makes a folder or replaces one, and
`work_folder`, which both stand on, is for what has to take its place in an order of its own.

Storage behind an address (s3://, gs://) has no renaming of folders: there a folder is made on this
machine and copied, and one file, copied last, says that it is whole.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from avatx import durable, file_lock, file_systems
from avatx.errors import UserError, first_line

PREFIX = ".partial-"


@contextlib.contextmanager
def work_folder(
    folder, prefix: str = PREFIX, sweep: bool = True, named: str | None = None
) -> Iterator[str]:
    """Gives a hidden folder in `folder`, which is gone with what is in it when the block ends.

    The block makes its files there and renames them, as its last act, to where they belong.

    Args:
      folder: made where it is missing, with those above it; what was made here and is empty at the
        end is removed again.
      prefix: how the hidden folder's name begins.
      sweep: remove first what runs that were killed have left under this prefix; a hidden folder
        is locked while its run lives.
      named: what an error says cannot be written; by default `folder`.

    Raises:
      UserError: `folder` cannot be written, or is remote; so is every OSError of the block.
    """
    folder = os.fspath(folder)
    if "://" in folder:
        raise UserError(
            f"{named or folder} cannot be written: these files take their places by being renamed, "
            f"which {file_systems.scheme(folder)}:// storage does not do; give a folder of this "
            "machine and copy it"
        )
    made = _missing(folder)
    work = lock = None
    try:
        os.makedirs(folder, exist_ok=True)
        if sweep:
            sweep_folder(folder, prefix)
        work, lock = _make_locked(folder, prefix)
        yield work
    except OSError as error:
        raise _refusal(folder, named or folder, error) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        with contextlib.suppress(OSError):
            for path in made:
                os.rmdir(path)  # only if it is empty


@contextlib.contextmanager
def atomic_files(
    folder, prefix: str = PREFIX, sweep: bool = True, replaces: Sequence[str] = ()
) -> Iterator[str]:
    """Gives a hidden folder in `folder`; its files move out of it when the block ends well.

    On an error nothing is left, neither `folder` if it was made here; older files stay.

    Args:
      folder: as of `work_folder`.
      prefix: as of `work_folder`.
      sweep: as of `work_folder`.
      replaces: names of an older result, which is removed as a whole before the new one comes:
        files of two results never lie side by side, even if the moving is cut off.

    Raises:
      UserError: `folder` cannot be written.
    """
    for name in replaces:
        if os.path.isdir(os.path.join(folder, name)):
            raise UserError(
                f"{os.path.join(folder, name)}: is a folder where a file would be written"
            )
    with work_folder(folder, prefix, sweep) as work:
        yield work
        # Flushed before the older ones go: that may take a while.
        durable.flush_tree(work)
        for name in replaces:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))
        move_files(work, folder)


@contextlib.contextmanager
def atomic_folder(
    path, prefix: str | None = None, sweep: bool = True, last: str = ""
) -> Iterator[str]:
    """Gives a folder that takes the name `path` when the block ends well.

    An older folder `path` stays until then and on an error, and goes as a whole.

    Args:
      path: the folder; those above it are made where they are missing.
      prefix: how the name of the hidden folder beside it begins; by default with its name.
      sweep: as of `work_folder`.
      last: of a remote `path`, the file in it without which it counts as none: it is removed
        first and written last.

    Raises:
      UserError: the folder that holds `path` cannot be written; `path` is the current folder.
    """
    if "://" in os.fspath(path):
        with tempfile.TemporaryDirectory(prefix="avatx-") as made:
            yield made
            _upload(made, os.fspath(path), last)
        return
    refuse_current_folder(path)
    parent, name = os.path.split(os.path.abspath(path))
    with work_folder(parent, prefix or f".{name}.partial", sweep, os.fspath(path)) as work:
        made, older = os.path.join(work, "made"), os.path.join(work, "older")
        os.mkdir(made)
        yield made
        durable.flush_tree(made)
        replaces = os.path.lexists(path)
        if replaces:
            os.rename(path, older)
        try:
            os.rename(made, path)
        except BaseException:
            if replaces:
                os.rename(older, path)
            raise
        durable.flush(parent)


def refuse_current_folder(path) -> None:
    """Raises a UserError where `path` is the folder that the program is in, or one above it.

    A new folder in its place would leave the user's shell in one that is gone.
    """
    whole = os.path.realpath(path)
    if os.path.commonpath([whole, os.getcwd()]) == whole:
        raise UserError(f"{path}: is the folder that you are in; give a new one below it")


def move_files(source, target, names: list[str] | None = None) -> None:
    """Renames files of folder `source` into folder `target`, by default all, in order of name.

    Each is on the disk before it gets its name.
    """
    for name in sorted(os.listdir(source)) if names is None else names:
        path = os.path.join(source, name)
        (durable.flush_tree if os.path.isdir(path) else durable.flush)(path)
        os.replace(path, os.path.join(target, name))
    durable.flush(os.fspath(target))


def _upload(made: str, path: str, last: str) -> None:
    """Copies a folder of this machine to a remote one, in whose place it comes."""
    import tensorflow as tf

    file_systems.load(path)
    names = sorted(
        os.path.relpath(os.path.join(where, name), made)
        for where, _, files in os.walk(made)
        for name in files
    )
    whole = [name for name in names if name == last]
    done = ""
    try:
        older = [
            os.path.join(where, name)
            for where, _, files in tf.io.gfile.walk(path)
            for name in files
        ]
        for name in sorted(older, key=lambda name: name != os.path.join(path, last)):
            tf.io.gfile.remove(name)
        for name in [name for name in names if name != last] + whole:
            done = os.path.join(path, name)
            tf.io.gfile.makedirs(os.path.dirname(done))
            tf.io.gfile.copy(os.path.join(made, name), done, overwrite=True)
    except tf.errors.OpError as error:
        for name in names if done else []:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.remove(os.path.join(path, name))
        raise UserError(f"{done or path} cannot be written: {first_line(error)}") from error


def sweep_folder(folder: str, prefix: str) -> None:
    """Removes what runs that were killed have left in a folder of this machine under a prefix.

    For a program that makes nothing anew where all is done: what is made sweeps first by itself.
    """
    for name in os.listdir(folder):
        if name.startswith(prefix):
            path = os.path.join(folder, name)
            with file_lock.left_behind(path) as is_left:
                if is_left:
                    shutil.rmtree(path, ignore_errors=True)


def _missing(folder: str) -> list[str]:
    """A folder and those above it that are not there, the deepest first."""
    missing = []
    path = os.path.abspath(folder)
    while not os.path.lexists(path):
        missing.append(path)
        path = os.path.dirname(path)
    return missing


def _make_locked(folder: str, prefix: str) -> tuple[str, int | None]:
    """A new hidden folder, and the descriptor that marks it as of a run that lives."""
    while True:
        work = tempfile.mkdtemp(prefix=prefix, dir=folder)
        try:
            lock = os.open(work, os.O_RDONLY)
        except FileNotFoundError:
            continue  # somebody swept it in this moment
        except OSError:  # a system that opens no folders
            return work, None
        if file_lock.take(lock) is not False and os.path.isdir(work):
            return work, lock
        os.close(lock)


def _refusal(folder: str, named: str, error: OSError) -> UserError:
    reason = error.strerror or error
    # An error of something else that the block does, such as reading its input.
    if isinstance(error.filename, str):
        own, other = (os.path.join(os.path.abspath(p), "") for p in (folder, error.filename))
        if not other.startswith(own) and not own.startswith(other):
            return UserError(f"{error.filename}: {reason}")
    if isinstance(error, FileExistsError | NotADirectoryError):
        reason = f"{reason}; expected a folder, or a name that is free"
    return UserError(f"{named} cannot be written: {reason}")
