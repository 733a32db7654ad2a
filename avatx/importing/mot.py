"""MOT Challenge: gt.txt, with seqinfo.ini beside it or in the folder above.

    frame, id, left, top, width, height, confidence, class, visibility

Boxes alone: what people do is not in there, so all get the one action that is given.
"""

import os
from typing import NamedTuple

from avatx.data.annotations.ava_csv import iterate_lines, line_hint, split_fields
from avatx.data.annotations.fields import Record
from avatx.data.annotations.mot_files import find_sequence, frame_and_box, read_sequence
from avatx.errors import UserError, shown
from avatx.importing.imported import Imported
from avatx.importing.video_facts import Clock, Videos

_PEDESTRIAN = (1, -1)  # class of a row; -1 and none in MOT15, which has people alone
_OTHER_PEOPLE = (2, 7)  # on a vehicle, and standing still
_COLUMNS = ("frame", "id", "left", "top", "width", "height", "confidence", "class", "visibility")
_MAX_ID = 10**15


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
    imported.notes.append(
        f"MOT files hold no actions: every person is {action!r}; a model of it finds people and "
        "does not say what they do"
    )
    file = path
    if os.path.isdir(path):
        file = os.path.join(path, "gt", "gt.txt")
    name, clock, size = _sequence(file, videos)
    rows = [_row(file, number, line) for number, line in iterate_lines(file)]
    if not rows:
        raise UserError(f"{file}: is empty; expected rows of boxes")
    frames = [row.frame for row in rows]
    people = {row.frame for row in rows if row.considered and row.kind in _PEDESTRIAN}
    wanted = imported.keyframes(name, people, range(min(frames), max(frames) + 1), clock)
    for row in rows:
        seconds = clock.seconds(row.frame)
        what = ""
        if not row.considered:
            what = "boxes that MOT does not consider (confidence 0)"
        elif row.kind not in _PEDESTRIAN:
            what = f"boxes of MOT's class {row.kind}, no pedestrian"
        if what and row.kind in _PEDESTRIAN + _OTHER_PEOPLE:
            imported.somebody(name, seconds, what)
        elif what:
            imported.lost[what] += 1
        elif row.frame not in wanted:
            imported.between()
        else:
            imported.person(name, seconds, row.box, size, [action], row.person)


class _Row(NamedTuple):
    """A box, left, top, right, bottom, in pixels; pixels and frames are counted from 0."""

    frame: int
    person: int
    box: tuple[float, float, float, float]
    considered: bool
    kind: int


def _row(path: str, number: int, line: str) -> _Row:
    try:
        return _parsed(path, number, line)
    except UserError as error:
        raise UserError(f"{error}{line_hint(number, line)}") from None


def _parsed(path: str, number: int, line: str) -> _Row:
    fields = split_fields(line)
    if len(fields) < 6:
        raise UserError(
            f"{path}, line {number}: has {len(fields)} columns instead of 6 to 10: "
            f"{shown(line)}; expected {', '.join(_COLUMNS)}"
        )
    row = Record(f"{path}, line {number}", dict(zip(_COLUMNS, fields, strict=False)))
    # MOT15's rows end in the world's x, y, z: three values from column 8, and no class.
    kind = row.whole("class", least=-1) if len(fields) == 9 else -1
    considered = len(fields) < 7 or row.number("confidence") != 0
    row.number("visibility", 1.0)
    frame, box = frame_and_box(row)
    return _Row(frame, row.whole("id", least=-1, most=_MAX_ID), box, considered, kind)


def _sequence(path: str, videos: Videos) -> tuple[str, Clock, tuple[int, int]]:
    """(Name, when its frames are shown, (height, width))."""
    info = find_sequence(path)
    if info is None:
        name = os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(path))))
        if os.path.basename(path) != "gt.txt":
            name = os.path.splitext(os.path.basename(path))[0]
        return name, videos.clock(name), videos.size(name)
    name, rate, size = read_sequence(info)
    return name, videos.clock(name, rate), size
