"""The one exception that a user's mistake raises, and other libraries' errors in one line."""

import os
import re

# Names of nodes and operations, which TensorFlow adds to its messages.
_NODES = re.compile(r"\{\{.*?\}\}|\[Op:.*?\]|name:\s*$")


class UserError(ValueError):
    """A mistake in a file, flag or field that the user can mend.

    Its text is one line: which file, line, field or record; what was there; what was
    expected; what to do. `avatx.cli.run` prints it without a traceback and exits with 2.
    """


def first_line(error: BaseException) -> str:
    """What an error of another library says, in one line of at most 200 characters."""
    text = (getattr(error, "message", None) or str(error)).strip()
    line = " ".join(_NODES.sub("", text.split("\n")[0]).split())
    return line[:200] or type(error).__name__


def relative_to(path: str) -> str:
    """What to say behind a path that is not there: nothing if it is absolute, or a URL."""
    if os.path.isabs(path) or "://" in path:
        return ""
    return f" (relative to the current folder, {os.getcwd()})"
