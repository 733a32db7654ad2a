"""Whom a label concerns: the person that somebody watches, listens to, talks to or waves at.

AVA does not say it; the playground does, in a csv beside its annotations, without a header:

    video, timestamp, class id, person id, concerned person's id

A row for each label that concerns another person; ids are those of the annotations' last column.
"""

from collections.abc import Iterable
from typing import NamedTuple

from avatx.atomic_file import atomic_text_file
from avatx.data.annotations.ava_csv import format_timestamp, parsed_rows
from avatx.errors import shown

_COLUMNS = ("video id", "timestamp", "class id", "person id", "concerned person's id")


class Concern(NamedTuple):
    """One label and the other person that it is about."""

    video_id: str
    timestamp: float  # seconds
    class_id: int
    person_id: int  # who carries the label
    concerned_id: int  # whom it concerns


def write_concerned(path, rows: Iterable[Concern]) -> None:
    """Writes the csv."""
    with atomic_text_file(path) as file:
        file.writelines(
            f"{row.video_id},{format_timestamp(row.timestamp)},{row.class_id},{row.person_id},"
            f"{row.concerned_id}\n"
            for row in rows
        )


def read_concerned(path) -> list[Concern]:
    """Reads the csv.

    Raises:
      UserError: it cannot be read, or a row is none; with the line.
    """
    return list(parsed_rows(path, _parse))


def _parse(fields: list[str]) -> Concern:
    if len(fields) != len(_COLUMNS):
        raise ValueError(
            f"has {len(fields)} columns instead of {len(_COLUMNS)} ({', '.join(_COLUMNS)})"
        )
    if not fields[0].strip():
        raise ValueError("has no video id")
    timestamp = _parsed(float, fields, 1, "a number of seconds")
    if not abs(timestamp) < 1e12:
        raise ValueError(f"timestamp is {shown(fields[1])}, not a finite number of seconds")
    ids = [_parsed(int, fields, column, "a whole number") for column in (2, 3, 4)]
    if ids[1] == ids[2]:
        raise ValueError(f"person {ids[1]} is concerned by a label of its own; expected another")
    return Concern(fields[0], timestamp, *ids)


def _parsed(kind, fields, column, expected):
    try:
        return kind(fields[column])
    except ValueError:
        raise ValueError(f"{_COLUMNS[column]} is {shown(fields[column])}, not {expected}") from None
