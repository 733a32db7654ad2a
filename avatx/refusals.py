"""What the system refuses whatever the program, as a full disk: no bug of ours."""

import errno
import os
import re

from avatx.errors import first_line

_NUMBERS = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO", "EMFILE", "ENFILE", "EACCES")
    if hasattr(errno, name)
}
# TensorFlow's errors have no number, but the system's words: "PATH; No space left on device".
_IN_WORDS = re.compile(
    r"(?:(?P<path>\S.*); )?(?P<reason>"
    + "|".join(re.escape(os.strerror(number)) for number in sorted(_NUMBERS))
    + ")"
)


def refusal(error: BaseException) -> str | None:
    """Which path and why, of an `OSError` or an error of TensorFlow; None if of another kind."""
    if isinstance(error, OSError):
        if error.errno not in _NUMBERS:
            return None
        path, reason = error.filename and os.fsdecode(error.filename), error.strerror
    elif type(error).__module__.startswith("tensorflow."):
        found = _IN_WORDS.search(first_line(error, 10_000))
        if found is None:
            return None
        path, reason = found["path"], found["reason"]
    else:
        return None
    return f"{path}: {reason}" if path else reason
