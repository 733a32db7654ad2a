"""How far into a video something is, on standard error."""

import contextlib
from collections.abc import Callable, Iterator

from avatx.progress import Progress


@contextlib.contextmanager
def video_bar(doing: str) -> Iterator[Callable[..., None]]:
    """Gives what is to be called with the seconds read and the duration, None if not known.

    A third argument is what is said from then on in place of `doing`.
    """
    progress = Progress(doing, "s of video")

    def show(seconds: float, duration: float | None, now: str = doing) -> None:
        progress.to(float(seconds), duration and float(duration), now)

    try:
        yield show
    finally:
        progress.end()
