"""What MOT Challenge's files have in common, whoever reads them: sequence, rows and classes.

    frame, id, left, top, width, height, confidence, class, visibility

The last three may be absent. MOT15's rows, and those of detectors, end in the world's x, y and z in
place of a class: three values from column 8. CVAT writes the names of the classes to a labels.txt
beside, and a tenth column that is nothing.
"""

import configparser
import os
from collections.abc import Sequence
from typing import NamedTuple

from avatx.data.annotations.ava_csv import iterate_lines, line_hint, split_fields
from avatx.data.annotations.fields import FRAME_RATES, Record
from avatx.errors import UserError, shown

SEQUENCE = "seqinfo.ini"
LABELS = "labels.txt"
COLUMNS = ("frame", "id", "left", "top", "width", "height", "confidence", "class", "visibility")
NO_CLASS = -1
_MAX_ID = 10**15
_LARGEST_SCORE = 1e6


class SequenceInfo(NamedTuple):
    """Attributes:
    name: of the video.
    frame_rate: frames a second.
    size: (height, width) in pixels.
    """

    name: str
    frame_rate: float
    size: tuple[int, int]


def find_sequence(path: str) -> str | None:
    """The seqinfo.ini of a file: beside it, or in the folder above; None where there is none."""
    folder = os.path.dirname(os.path.abspath(path))
    places = (os.path.join(place, SEQUENCE) for place in (folder, os.path.dirname(folder)))
    return next((place for place in places if os.path.exists(place)), None)


def read_sequence(info: str) -> SequenceInfo:
    """A seqinfo.ini. Raises UserError where it is none."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(info, encoding="utf-8-sig") as file:
            parser.read_file(file)
        section = parser["Sequence"]
    except (configparser.Error, KeyError, ValueError) as error:
        raise UserError(
            f"{info}: {error}; expected [Sequence] with name, frameRate, imWidth, imHeight"
        ) from error
    except OSError as error:
        raise UserError(f"{info}: cannot be read ({error.strerror})") from error
    names = ("name", "frameRate", "imHeight", "imWidth")  # the section knows them in any case
    fields = Record(f"{info}: [Sequence]", {name: section.get(name) for name in names})
    rate = fields.number("frameRate", least=FRAME_RATES[0], most=FRAME_RATES[1])
    return SequenceInfo(fields.text("name"), rate, fields.size("imHeight", "imWidth"))


class Row(NamedTuple):
    """Attributes:
    frame: counted from 0; in the file from 1.
    person: id, -1 where it is not known.
    box: left, top, right, bottom in pixels, counted from 0; in the file from 1.
    confidence: None where there is none. 0 in groundtruth: not to be considered.
    kind: number of its class, NO_CLASS where the row has none.
    """

    frame: int
    person: int
    box: tuple[float, float, float, float]
    confidence: float | None
    kind: int


def read_labels(path: str) -> list[str]:
    """Names of the classes 1, 2 ..., of the file beside; of MOT's own there is none.

    Raises:
      UserError: it cannot be read.
    """
    beside = os.path.join(os.path.dirname(os.path.abspath(path)), LABELS)
    if not os.path.exists(beside):
        return []
    return [line.strip() for _, line in iterate_lines(beside)]


def read_rows(path: str, labels: Sequence[str] = (), with_ids: bool = True) -> list[Row]:
    """The rows of a file.

    Args:
      path: gt.txt, det.txt or results of a tracker.
      labels: see `read_labels`; with these a row of ten columns has a class.
      with_ids: whether ids are people; where nobody looks at them any number will do, and is -1.

    Raises:
      UserError: it cannot be read, or a row is wrong; names its line.
    """
    return [
        _row(path, number, line, bool(labels), with_ids) for number, line in iterate_lines(path)
    ]


def _row(path: str, number: int, line: str, labelled: bool, with_ids: bool) -> Row:
    where = f"{path}, line {number}"
    try:
        return _parsed(where, line, labelled, with_ids)
    except ValueError as error:  # a UserError is one
        known = str(error) if isinstance(error, UserError) else f"{where}: {error}"
        raise UserError(f"{known}{line_hint(number, line)}") from None


def _parsed(where: str, line: str, labelled: bool, with_ids: bool) -> Row:
    fields = split_fields(line)
    while fields and not fields[-1].strip():
        fields.pop()
    if len(fields) < 6:
        raise UserError(
            f"{where}: has {len(fields)} columns instead of 6 to 10: {shown(line)}; expected "
            f"{', '.join(COLUMNS)}"
        )
    row = Record(where, dict(zip(COLUMNS, fields, strict=False)))
    has_class = len(fields) in (8, 9) or labelled
    row.number("visibility", 1.0)
    row.number("id")
    left, top = row.number("left"), row.number("top")
    width, height = row.number("width", least=0), row.number("height", least=0)
    return Row(
        frame=row.whole("frame", least=1) - 1,
        person=row.whole("id", least=-1, most=_MAX_ID) if with_ids else -1,
        box=(left - 1, top - 1, left - 1 + width, top - 1 + height),
        # It may be of any range: detectors of MOT's public detections have their own.
        confidence=row.number("confidence", None, -_LARGEST_SCORE, _LARGEST_SCORE),
        kind=row.whole("class", NO_CLASS, least=NO_CLASS) if has_class else NO_CLASS,
    )
