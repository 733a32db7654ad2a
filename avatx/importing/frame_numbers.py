"""Whether the numbers that an export has of a video's frames begin with 0 or with 1.

No export says so. In this order it is known, or taken for known:

    the folder of frames begins with 0 or 1 (numbers in file names)
    the number 0 is there                                            from 0
    the number is there that the video has frames                    from 1: from 0 it is none
    other videos of the file are known, and all alike                as they are
    else `frame_index` counts from 0; all others from 1, if they begin with 1, else from 0

The last is an assumption, and said to be one where the numbers are no file names from 1 on, which
is how folders of frames are numbered.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from avatx.data.video.frame_source import shift_of
from avatx.errors import shortened, shown
from avatx.importing.video_facts import Videos

FILE_NAME = "file_name"
INDEX = "frame_index"


class Numbers(NamedTuple):
    """Those that one field has of one video's frames.

    Attributes:
      video: id.
      field: FILE_NAME, INDEX or another.
    """

    video: str
    field: str


def first_numbers(
    frames: Iterable[tuple[Numbers, int]], videos: Videos, notes: list[str]
) -> dict[Numbers, int]:
    """What is to be taken from each number, so that the video's first frame is 0: 0 or 1.

    Args:
      frames: numbers, in any order.
      videos: asked for folders of frames, and how many frames a video has.
      notes: gets what is assumed.
    """
    spans: dict[Numbers, tuple[int, int]] = {}
    for numbers, frame in frames:
        least, most = spans.get(numbers, (frame, frame))
        spans[numbers] = min(least, frame), max(most, frame)
    known = {}
    for numbers, span in spans.items():
        first = _known(numbers, span, videos)
        if first is not None:
            known[numbers] = first
    alike = defaultdict(set)
    for numbers, first in known.items():
        alike[numbers.field].add(first)
    assumed = {}
    for numbers, (least, _) in spans.items():
        if numbers in known:
            continue
        if len(alike[numbers.field]) == 1:
            known[numbers] = next(iter(alike[numbers.field]))
        else:
            assumed[numbers] = int(numbers.field != INDEX and least == 1)
    _say(assumed, spans, notes)
    return known | assumed


def _known(numbers: Numbers, span: tuple[int, int], videos: Videos) -> int | None:
    least, most = span
    if numbers.field == FILE_NAME:
        first = videos.first_number(numbers.video)
        if first is not None:
            return shift_of(first)
    if least == 0:
        return 0
    return 1 if videos.number_of_frames(numbers.video) == most else None


def _say(
    assumed: Mapping[Numbers, int], spans: Mapping[Numbers, tuple[int, int]], notes: list[str]
) -> None:
    """One note for all videos whose numbers of one field are taken alike."""
    groups = defaultdict(list)
    for numbers, first in assumed.items():
        if (numbers.field, first) != (FILE_NAME, 1):
            groups[numbers.field, first].append(numbers)
    for (field, first), group in groups.items():
        names = shortened(", ".join(shown(numbers.video) for numbers in group), 100)
        least = min(spans[numbers][0] for numbers in group)
        notes.append(
            f"`{field}` of {names} begins with {least} and is taken as counted from {first}; "
            "that is not known: the videos, given as `videos`, would tell if the last frame is "
            "there, the folder of frames if the number is a file's"
        )
