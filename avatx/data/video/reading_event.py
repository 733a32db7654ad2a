"""What happened while a video was read that its user should know: events at times, and in words."""

from collections.abc import Iterable
from typing import NamedTuple

from avatx.data.times import MICROSECONDS

MOST_EVENTS = 1000  # that one reading keeps

JOINT = "joint"
DAMAGED = "damaged"
LATE = "late"
PREFIXES = "prefixes"
HOLES = "holes"


class ReadingEvent(NamedTuple):
    """One event, JSON-able as a list.

    Attributes:
      kind: `JOINT`, the clock starts again; `DAMAGED`, a packet; `LATE`, the picture begins after
        the sound; `PREFIXES`, frames of several kinds in a folder; `HOLES`, absent frames in it.
      time: microseconds on the video's own clock; of `LATE`, how much later than the sound.
      detail: more of it, in a phrase.
    """

    kind: str
    time: int
    detail: str = ""


def in_words(events: Iterable) -> list[str]:
    """A line for each kind of event there was. Events may be lists, as JSON gives them."""
    by_kind: dict[str, list[ReadingEvent]] = {}
    for event in sorted({ReadingEvent(*event) for event in events}):
        by_kind.setdefault(event.kind, []).append(event)
    return [_WORDS[kind](found) for kind, found in by_kind.items() if kind in _WORDS]


def _seconds(event: ReadingEvent) -> str:
    return f"{event.time / MICROSECONDS:.3f} s"


def _joint(events: list[ReadingEvent]) -> str:
    times = ", ".join(map(_seconds, events[:5])) + (", ..." if len(events) > 5 else "")
    return f"its clock starts again at {times}: time goes on there"


def _damaged(events: list[ReadingEvent]) -> str:
    first = events[0]
    return (
        f"{len(events)} damaged packet{'s' * (len(events) > 1)}, the first near {_seconds(first)} "
        f"({first.detail}): {'their' if len(events) > 1 else 'its'} pictures are missing or "
        "patched up"
    )


def _late(events: list[ReadingEvent]) -> str:
    seconds = events[0].time / MICROSECONDS
    return (
        f"its first picture comes {seconds:.3f} s after its sound, and time 0 is the first "
        "picture: if the csv's clock begins with the sound, use "
        f"create_ava_tfrecord.py --video_start_seconds {seconds:g}"
    )


def _detail(events: list[ReadingEvent]) -> str:
    return events[0].detail


_WORDS = {JOINT: _joint, DAMAGED: _damaged, LATE: _late, PREFIXES: _detail, HOLES: _detail}
