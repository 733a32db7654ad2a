"""The one exception that a user's mistake raises, and other libraries' errors in one line."""

import os
import re

_MAX_TEXT = 4_000  # characters of a message, whatever a file made it hold
_LINE_ENDS = re.compile(r"\s*[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*")
# Names of nodes and operations, which TensorFlow adds to its messages.
_WHERE = re.compile(r"Detected at |\[\[|\d+ root error")
_NODES = re.compile(r"\{\{.*?\}\}|\[Op:.*?\]|name:\s*$")


class UserError(ValueError):
    """A mistake in a file, flag or field that the user can mend.

    Its text is one line: which file, line, field or record; what was there; what was
    expected; what to do. `avatx.cli.run` prints it without a traceback and exits with 2.
    What a file holds may be in it: a line end becomes a space, and a text that is very long loses
    its middle.

    Attributes:
      exit_code: of a program that ends with it.
    """

    exit_code = 2

    def __init__(self, text: str = ""):
        super().__init__(shortened(_LINE_ENDS.sub(" ", text), _MAX_TEXT))


def shortened(text: str, length: int) -> str:
    """At most about `length` characters of a text: its beginning, three dots and its end."""
    if len(text) <= length:
        return text
    return f"{text[: length * 3 // 4]} ... {text[-(length // 4) :]}"


def shown(value: object, length: int = 80) -> str:
    """What was there, in quotes if it is a text, for a message: a long one loses its middle."""
    return (
        repr(shortened(value, length)) if isinstance(value, str) else shortened(f"{value}", length)
    )


def first_line(error: BaseException, length: int = 200) -> str:
    """What an error of another library says, in one line of at most `length` characters."""
    text = (getattr(error, "message", None) or str(error)).strip()
    lines = text.split("\n")
    if lines[0].startswith("Graph execution error"):  # where in Python comes before what
        said = (line for line in lines[1:] if line[:1].strip() and not _WHERE.match(line))
        lines = [next(said, lines[0])]
    line = " ".join(_NODES.sub("", lines[0]).split())
    return line[:length] or type(error).__name__


def relative_to(path: str) -> str:
    """What to say behind a path that is not there: nothing if it is absolute, or a URL."""
    if os.path.isabs(path) or "://" in path:
        return ""
    return f" (relative to the current folder, {os.getcwd()})"
