"""Folders that get all of their files, or none.

`atomic_files` adds files to a folder, `atomic_folder` makes a folder or replaces one, and
`work_folder`, which both stand on, is for what has to take its place in an order of its own.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

from avatx.errors import UserError

PREFIX = ".partial-"


@contextlib.contextmanager
def work_folder(
    folder, prefix: str = PREFIX, sweep: bool = False, named: str | None = None
) -> Iterator[str]:
    """Gives a hidden folder in `folder`, which is gone with what is in it when the block ends.

    The block makes its files there and renames them, as its last act, to where they belong.

    Args:
      folder: made where it is missing; removed again if it was made here and is empty at the end.
      prefix: how the hidden folder's name begins.
      sweep: remove first what runs that were killed have left under this prefix. Then two runs
        at once do not go.
      named: what an error says cannot be written; by default `folder`.

    Raises:
      UserError: `folder` cannot be written; so is every OSError of the block.
    """
    folder = os.fspath(folder)
    made = not os.path.isdir(folder)
    work = None
    try:
        os.makedirs(folder, exist_ok=True)
        if sweep:
            for name in os.listdir(folder):
                if name.startswith(prefix):
                    shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        work = tempfile.mkdtemp(prefix=prefix, dir=folder)
        yield work
    except OSError as error:
        raise _refusal(folder, named or folder, error) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # only if it is empty


@contextlib.contextmanager
def atomic_files(folder, prefix: str = PREFIX, sweep: bool = False) -> Iterator[str]:
    """Gives a hidden folder in `folder`; its files move out of it when the block ends well.

    On an error nothing is left, neither `folder` if it was made here; older files stay.

    Args:
      folder: as of `work_folder`.
      prefix: as of `work_folder`.
      sweep: as of `work_folder`.

    Raises:
      UserError: `folder` cannot be written.
    """
    with work_folder(folder, prefix, sweep) as work:
        yield work
        move_files(work, folder)


@contextlib.contextmanager
def atomic_folder(path, prefix: str | None = None, sweep: bool = False) -> Iterator[str]:
    """Gives a folder that takes the name `path` when the block ends well.

    An older folder `path` stays until then and on an error, and goes as a whole.

    Args:
      path: the folder; those above it are made where they are missing.
      prefix: how the name of the hidden folder beside it begins; by default with its name.
      sweep: as of `work_folder`.

    Raises:
      UserError: the folder that holds `path` cannot be written.
    """
    parent, name = os.path.split(os.path.abspath(path))
    with work_folder(parent, prefix or f".{name}.partial", sweep, os.fspath(path)) as work:
        made, older = os.path.join(work, "made"), os.path.join(work, "older")
        os.mkdir(made)
        yield made
        replaces = os.path.lexists(path)
        if replaces:
            os.rename(path, older)
        try:
            os.rename(made, path)
        except BaseException:
            if replaces:
                os.rename(older, path)
            raise


def move_files(source, target, names: list[str] | None = None) -> None:
    """Renames files of folder `source` into folder `target`, by default all, in order of name."""
    for name in sorted(os.listdir(source)) if names is None else names:
        os.replace(os.path.join(source, name), os.path.join(target, name))


def _refusal(folder: str, named: str, error: OSError) -> UserError:
    reason = error.strerror or error
    # An error of something else that the block does, such as reading its input.
    if isinstance(error.filename, str):
        own, other = (os.path.join(os.path.abspath(p), "") for p in (folder, error.filename))
        if not other.startswith(own) and not own.startswith(other):
            return UserError(f"{error.filename}: {reason}")
    return UserError(f"{named} cannot be written: {reason}")
