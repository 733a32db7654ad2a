"""What the system refuses whatever the program, as a full disk: no bug of ours."""

import errno
import os
import re
from typing import NamedTuple

from avatx.errors import first_line, shown

_NUMBERS = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO", "EMFILE", "ENFILE", "EACCES")
    if hasattr(errno, name)
}
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# TensorFlow's errors have no number, but the system's words: "PATH; No space left on device".
_IN_WORDS = re.compile(
    r"(?:(?P<path>\S.*); )?(?P<reason>"
    + "|".join(re.escape(os.strerror(number)) for number in sorted(_NUMBERS))
    + ")"
)


class Refusal(NamedTuple):
    """What was refused, as far as that is known, and in the system's words why."""

    path: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


def refusal(error: BaseException) -> Refusal | None:
    """Of an `OSError`, an error of TensorFlow or a name that is no UTF-8; None of another kind."""
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return Refusal(error.filename and os.fsdecode(error.filename), error.strerror or "")
    if isinstance(error, UnicodeEncodeError) and _NOT_UTF8.search(error.object):
        # As the system has it: TensorFlow and pipeline.config take names in UTF-8 alone.
        return Refusal(shown(error.object), "is a name that is not UTF-8; give it another")
    if type(error).__module__.startswith("tensorflow."):
        found = _IN_WORDS.search(first_line(error, 10_000))
        return found and Refusal(found["path"], found["reason"])
    return None


def has_no_room(error: BaseException | None) -> bool:
    """Whether it, or what it came of, says that nothing more can be written there."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError):
            if error.errno in _NO_ROOM:
                return True
        elif (refused := refusal(error)) and refused.reason in map(os.strerror, _NO_ROOM):
            return True
        error = error.__cause__ or error.__context__
    return False
