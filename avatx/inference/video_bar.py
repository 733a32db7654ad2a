"""A bar of how far into a video something is, on standard error."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def video_bar(doing: str) -> Iterator[Callable[..., None]]:
    """Gives what is to be called with the seconds read and the duration, None if not known.

    The bar comes with the first call: before it there is nothing to tell, and an error that is
    told instead stands alone. A third argument is what is said from then on in place of `doing`.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn())
    rest = (TextColumn("{task.completed:.1f} s of video"), TimeRemainingColumn())
    bar = Progress(*columns, *rest, console=Console(stderr=True))
    task = bar.add_task(doing, total=None)

    def show(seconds: float, duration: float | None, now: str = doing) -> None:
        bar.start()  # no more than once
        bar.update(task, description=now, completed=seconds, total=duration)

    try:
        yield show
        if bar.live.is_started:
            bar.update(task, completed=bar.tasks[task].total)
    finally:
        if bar.live.is_started:  # else it would leave an empty line
            bar.stop()
