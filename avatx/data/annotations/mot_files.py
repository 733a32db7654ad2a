"""What MOT Challenge's files have in common, whoever reads them: sequence, frames and pixels."""

import configparser
import os
from typing import NamedTuple

from avatx.data.annotations.fields import FRAME_RATES, Record
from avatx.errors import UserError

SEQUENCE = "seqinfo.ini"


class Sequence(NamedTuple):
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


def read_sequence(info: str) -> Sequence:
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
    return Sequence(fields.text("name"), rate, fields.size("imHeight", "imWidth"))


def frame_and_box(row: Record) -> tuple[int, tuple[float, float, float, float]]:
    """A row's frame, and left, top, right, bottom in pixels, all counted from 0.

    In the file frames and pixels are counted from 1.
    """
    left, top, width, height = (row.number(name) for name in ("left", "top", "width", "height"))
    box = (left - 1, top - 1, left - 1 + width, top - 1 + height)
    return row.whole("frame", least=1) - 1, box
