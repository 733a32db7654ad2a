"""Fields of what other tools write: a damaged one is refused, and its record is named."""

import math
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from avatx.data.annotations.ava_csv_writer import can_stand_in_csv
from avatx.errors import UserError, shown

MAX_FRAME = 999_999_999  # a year at 30 frames a second
MAX_SIDE = 1_000_000  # pixels
MAX_SECONDS = 1e9
FRAME_RATES = (1e-3, 1e6)  # frames a second
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*", re.ASCII)
_REQUIRED: Any = object()
_PEOPLE = ("person", "people", "pedestrian", "human", "man", "woman", "player")


class Record:
    """A JSON object, an XML element or a row of an export, whose fields are asked by name.

    A field that is null or an empty text is absent. Every method raises UserError where a field
    is not what is asked for, or is absent and no default is given.

    Args:
      where: file and record, for messages: "a.json: annotations 3".
      fields: name -> value as the file has it; text of a csv or XML may be a number.

    Raises:
      UserError: `fields` has no names.
    """

    def __init__(self, where: str, fields: object):
        if not isinstance(fields, Mapping):
            raise UserError(f"{where}: is {shown(fields)}; expected an object with named fields")
        self.where = where
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        value = self._fields.get(name)
        return value is not None and not (isinstance(value, str) and not value.strip())

    def refused(self, name: str, expected: str) -> UserError:
        """What to raise where a field is not as expected."""
        there = f"is {shown(self._fields[name])}" if name in self else "is absent"
        return UserError(f"{self.where}: {name} {there}; expected {expected}")

    def text(self, name: str, default: str = _REQUIRED) -> str:
        """Text; a number is the text that it is written as."""
        if name not in self and default is not _REQUIRED:
            return default
        return str(self._scalar(name, "a text"))

    def number(
        self,
        name: str,
        default: Any = _REQUIRED,
        least: float = -math.inf,
        most: float = math.inf,
    ) -> float:
        """A finite number from `least` to `most`; the default is not looked at."""
        if name not in self and default is not _REQUIRED:
            return default
        value = as_number(self._fields.get(name))
        if value is None or not least <= value <= most:
            raise self.refused(name, f"a number{_between(least, most)}")
        return value

    def whole(
        self, name: str, default: Any = _REQUIRED, least: int = 0, most: int = MAX_FRAME
    ) -> int:
        """A whole number from `least` to `most`; the default is not looked at."""
        if name not in self and default is not _REQUIRED:
            return default
        value = as_number(self._fields.get(name))
        if value is None or not value.is_integer() or not least <= value <= most:
            raise self.refused(name, f"a whole number{_between(least, most)}")
        return int(value)

    def size(self, height: str = "height", width: str = "width") -> tuple[int, int]:
        """(Height, width) in pixels, of the fields of these names."""
        return self.whole(height, least=1, most=MAX_SIDE), self.whole(width, least=1, most=MAX_SIDE)

    def frame_rate(self, name: str) -> float | None:
        """Frames a second; None where it is absent."""
        return self.number(name, None, *FRAME_RATES)

    def key(self, name: str, default: Any = _REQUIRED) -> Hashable:
        """A number or a text by which another record is found."""
        if name not in self and default is not _REQUIRED:
            return default
        return self._scalar(name, "a number or a text")

    def _scalar(self, name: str, expected: str) -> str | int | float:
        value = self._fields.get(name)
        if name not in self or isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise self.refused(name, expected)
        return value

    def items(self, name: str, default: Any = _REQUIRED) -> list:
        """A list; the default is not looked at."""
        if name not in self and default is not _REQUIRED:
            return default
        value = self._fields.get(name)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise self.refused(name, "a list")
        return list(value)

    def numbers(self, name: str, length: int) -> list[float]:
        """A list of finite numbers."""
        values = [as_number(value) for value in self.items(name)]
        if len(values) != length or None in values:
            raise self.refused(name, f"{length} numbers")
        return values  # type: ignore[return-value]

    def record(self, name: str, default: Any = _REQUIRED) -> "Record":
        """An object; the default is an object's fields."""
        if name not in self and default is not _REQUIRED:
            return Record(f"{self.where}: {name}", default)
        if not isinstance(self._fields.get(name), Mapping):
            raise self.refused(name, "an object with named fields")
        return Record(f"{self.where}: {name}", self._fields[name])

    def records(self, name: str, default: Any = _REQUIRED) -> "list[Record]":
        """The objects of a list, counted from 0; messages have their ids, too."""
        found = []
        for index, one in enumerate(self.items(name, default)):
            where = f"{self.where}: {name}[{index}]"
            if isinstance(one, Mapping) and "id" in one:
                where += f" (id {shown(one['id'], 40)})"
            found.append(Record(where, one))
        return found

    def members(self, name: str) -> "Iterator[tuple[str, Record]]":
        """The objects of an object, by their names."""
        for key, one in self.record(name)._fields.items():
            yield key, Record(f"{self.where}: {name} {shown(key)}", one)

    def names(self) -> list[str]:
        """The fields' names."""
        return [str(name) for name in self._fields]

    def value(self, name: str) -> Any:
        """What the file has, None if nothing."""
        return self._fields.get(name)


def as_number(value: object) -> float | None:
    """A finite number, also of a text in ASCII; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def is_person(label: str) -> bool:
    """Whether a label is a kind of person, and no action."""
    return label.strip().lower() in _PEOPLE


def checked_video(where: str, video: str) -> str:
    """The id of a video, if AVA's csv can hold it.

    Raises:
      UserError: it cannot.
    """
    if not can_stand_in_csv(video):
        raise UserError(
            f"{where}: the video is called {shown(video)}, which cannot stand in a csv file; "
            "expected a name without commas, quotes and line ends"
        )
    return video


def _between(least: float, most: float) -> str:
    if math.isinf(most):
        return "" if math.isinf(least) else f", {least:g} or more"
    return f" from {least:.10g} to {most:.10g}"
