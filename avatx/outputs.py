"""What is about to be written, looked at before anything is read: writable, and none of the inputs.

Files take their names when all is done (`atomic_file`), so that a mistake would else be told only
after the work; and what is written over one's own annotations is gone.
"""

import glob
import os
import tempfile
from collections.abc import Iterable, Mapping

from avatx.errors import UserError

_OF_CHECKPOINTS = ".index"  # of a prefix


def check_file(path: str, argument: str = "output") -> None:
    """Refuses a file that could not be written; one that is remote, its file system says later.

    Args:
      path: the file.
      argument: what names it.

    Raises:
      UserError: it is a folder, or its folder is not there or not writable.
    """
    if "://" in path:
        return
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        raise UserError(f"{argument} {path}: is a folder; expected a file")
    if not os.path.isdir(folder):
        raise UserError(f"{argument} {path}: there is no folder {folder}; make it first")
    if os.path.exists(target) and not os.path.isfile(target):  # a device, written to as it is
        if not os.access(target, os.W_OK):
            raise UserError(f"{argument} {path}: nothing can be written to it")
        return
    _try(folder, f"{argument} {path}")


def check_folder(path: str, argument: str = "output", shown: str = "") -> None:
    """Refuses a folder that could not be made or written in; of a remote one its file system says.

    Args:
      path: the folder; those that it is in may be missing, too.
      argument: what names it.
      shown: what was given, where that is more than the folder.

    Raises:
      UserError: it is no folder, or in none, or not writable.
    """
    if "://" in path:
        return
    shown = shown or path
    there = os.path.realpath(path)
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        raise UserError(
            f"{argument} {shown}: {there} is a file; expected a folder, or a name for a new one"
        )
    _try(there, f"{argument} {shown}")


def _try(folder: str, named: str) -> None:
    """Refuses a folder that takes no file; permissions do not tell, for root or in /proc."""
    try:
        with tempfile.TemporaryFile(dir=folder):  # without a name, so nobody sees it
            pass
    except OSError as error:
        raise UserError(
            f"{named}: nothing can be written in {folder} ({error.strerror}); give another"
        ) from error


def refuse_folders(files: Iterable[str], argument: str = "output") -> None:
    """Raises UserError where a file is to be written and a folder has its name."""
    for file in files:
        if os.path.isdir(file):
            raise UserError(f"{argument} {file}: is a folder; expected a file, or a free name")


def refuse_overwriting(
    files: Iterable[str],
    inputs: Mapping[str, str | Iterable[str] | None],
    argument: str = "output",
) -> None:
    """Refuses to write a file that is read, under whatever name.

    Args:
      files: what is written.
      inputs: argument to what is read: paths, patterns of paths, prefixes of checkpoints. What is
        no file that is there is left alone.
      argument: what names the files that are written.

    Raises:
      UserError: one of `files` is one of `inputs`.
    """
    read = [(name, path) for name, value in inputs.items() for path in _files_of(value)]
    for file in files:
        for name, path in read:
            if os.path.isfile(file) and os.path.samefile(file, path):
                raise UserError(
                    f"{argument} {file}: is one of the files that are read (`{name}`); give another"
                )


def _files_of(value: str | Iterable[str] | None) -> list[str]:
    values = [value] if isinstance(value, str) else value or ()
    found = []
    for one in values:
        named = [one, one + _OF_CHECKPOINTS, *(glob.glob(one) if glob.has_magic(one) else ())]
        found += [path for path in named if os.path.isfile(path)]
    return found
