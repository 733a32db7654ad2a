"""MOT Challenge: gt.txt beside seqinfo.ini.

    frame, id, left, top, width, height, confidence, class, visibility

Boxes alone: what people do is not in there, so all get the one action that is given.
"""

import configparser
import os
from typing import NamedTuple

from avatx.data.annotations.ava_csv import iterate_lines, split_fields
from avatx.errors import UserError
from avatx.importing.imported import Imported
from avatx.importing.video_facts import Videos

_PEDESTRIAN = (1, -1)  # class of a row; -1 and none in MOT15, which has people alone


def read_mot(path: str, imported: Imported, videos: Videos, action: str = "person") -> None:
    """Adds a sequence.

    Args:
      path: gt.txt, or the sequence's folder.
      imported: gets it.
      videos: size and frame rate, where there is no seqinfo.ini.
      action: name of the one class.

    Raises:
      UserError: it is no such file.
    """
    file = path
    if os.path.isdir(path):
        file = os.path.join(path, "gt", "gt.txt")
    name, rate, size = _sequence(file, videos)
    rows = [_row(file, number, line) for number, line in iterate_lines(file)]
    if not rows:
        raise UserError(f"{file}: is empty; expected rows of boxes")
    frames = [row[0] for row in rows]
    # Frames are counted from 1.
    wanted = imported.keyframes(min(frames) - 1, max(frames) - 1, rate)
    for seconds in wanted.values():
        imported.moment(name, seconds)
    for frame, person, x, y, width, height, considered, kind in rows:
        if not considered:
            imported.lost["boxes that MOT does not consider (confidence 0)"] += 1
        elif kind not in _PEDESTRIAN:
            imported.lost[f"boxes of MOT's class {kind}, no pedestrian"] += 1
        elif frame - 1 not in wanted:
            imported.lost["boxes between the keyframes"] += 1
        else:
            box = (x - 1, y - 1, x - 1 + width, y - 1 + height)  # pixels are counted from 1, too
            imported.person(name, wanted[frame - 1], box, size, [action], person)
    imported.notes.append(
        f"MOT files hold no actions: every person is {action!r}; a model of it finds people and "
        "does not say what they do"
    )


class _Row(NamedTuple):
    """A box: pixels, frames counted from 1."""

    frame: int
    person: int
    left: float
    top: float
    width: float
    height: float
    considered: bool
    kind: int


def _row(path: str, number: int, line: str) -> _Row:
    fields = split_fields(line)
    try:
        if len(fields) < 6:
            raise ValueError(f"has {len(fields)} columns instead of 6 to 10")
        values = [float(field) for field in fields]
        considered = len(values) < 7 or values[6] != 0
        # MOT15's rows end in the world's x, y, z: three values from column 8, and no class.
        kind = int(values[7]) if len(values) == 9 else -1
        frame, person = int(values[0]), int(values[1])
        left, top, width, height = values[2:6]
        return _Row(frame, person, left, top, width, height, considered, kind)
    except ValueError as error:
        raise UserError(
            f"{path}, line {number}: {error}: {line[:80]}; expected frame, id, left, top, width, "
            "height, confidence, class, visibility"
        ) from None


def _sequence(path: str, videos: Videos) -> tuple[str, float, tuple[int, int]]:
    """(Name, frames a second, (height, width))."""
    above = os.path.dirname(os.path.dirname(os.path.abspath(path)))
    info = os.path.join(above, "seqinfo.ini")
    if not os.path.exists(info):
        name = os.path.basename(above)
        if os.path.basename(path) != "gt.txt":
            name = os.path.splitext(os.path.basename(path))[0]
        return name, videos.frame_rate(name), videos.size(name)
    parser = configparser.ConfigParser()
    try:
        parser.read(info, encoding="utf-8")
        section = parser["Sequence"]
        size = (int(section["imHeight"]), int(section["imWidth"]))
        return section["name"], float(section["frameRate"]), size
    except (configparser.Error, KeyError, ValueError) as error:
        raise UserError(
            f"{info}: {error}; expected [Sequence] with name, frameRate, imWidth, imHeight"
        ) from error
