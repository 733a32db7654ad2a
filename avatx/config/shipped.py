"""The configs that avatx ships, by name: "ava/tx_highres_r300"."""

import difflib
import pathlib

import avatx


def folder() -> pathlib.Path:
    """Where they are: in the package when it is installed, beside it in a checkout."""
    package = pathlib.Path(avatx.__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def names() -> list[str]:
    """The names of all, in order."""
    root = folder()
    return sorted(
        path.relative_to(root).with_suffix("").as_posix() for path in root.glob("*/*.config")
    )


def find(path: str) -> str:
    """The file that `path` means: the file of that name, or else the shipped config of that name.

    Args:
      path: a file, or a name with or without "configs/" before and ".config" behind it.

    Returns:
      The file. `path` itself, where it means none.
    """
    name = path.removeprefix("configs/").removesuffix(".config")
    if not pathlib.Path(path).exists() and name in names():
        return str(folder() / f"{name}.config")
    return path


def hint(path: str) -> str:
    """Which shipped configs a name that means none may have meant."""
    name = path.removesuffix(".config")
    known = names()
    by_last_part = {one.rpartition("/")[2]: one for one in reversed(known)}
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.7)
    near += [
        by_last_part[last]
        for last in difflib.get_close_matches(
            name.rpartition("/")[2], by_last_part, n=3, cutoff=0.7
        )
    ]
    if near:
        return f"did you mean the shipped {' or '.join(dict.fromkeys(near))}?"
    rooms = dict.fromkeys(one.partition("/")[0] for one in known)
    return f"expected a file, or a shipped config's name such as {known[0]} (of {', '.join(rooms)})"
