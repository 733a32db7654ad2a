"""Readers and writers of AVA's csv files.

    annotations v2.1   video, timestamp, x1, y1, x2, y2, class id
    annotations v2.2   video, timestamp, x1, y1, x2, y2, class id, person id
    empty keyframe     video, timestamp
    detections         video, timestamp, x1, y1, x2, y2, class id, score
    excluded           video, timestamp

Rows of 2, 7 and 8 columns may be mixed, as the official evaluator (2020) allows; a detection
without a score has 1.0. Files may be gzipped, end without a newline, have CRLF and, unlike the
official reader's, blank lines and a byte order mark. A file is read in chunks: uniform ones by
pyarrow, any other row by row, with the same result; so a mistake is named with its line.

Work and memory are bounded by the file's size: a line has at most 64 KiB, and a gzip file that
grows more than 200-fold is refused, as no table of numbers does (`csv_chunks.py`).
"""

import csv
import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np

from avatx import freed_memory
from avatx.data.annotations.ava_csv_writer import (
    format_timestamp,
    write_annotations,
    write_detections,
)
from avatx.data.annotations.ava_table import (
    MAX_VIDEO_ID,
    AvaTable,
    Keyframe,
    Moments,
    keyframe_key,
)
from avatx.data.annotations.csv_chunks import chunks
from avatx.errors import UserError, shown
from avatx.ordered_threads import in_threads

__all__ = [
    "ANNOTATIONS",
    "DETECTIONS",
    "Row",
    "format_timestamp",
    "iterate_lines",
    "line_hint",
    "parse_row",
    "parsed_rows",
    "read_annotations",
    "read_detections",
    "read_excluded_timestamps",
    "split_fields",
    "write_annotations",
    "write_detections",
]

ANNOTATIONS = "annotations"
DETECTIONS = "detections"
_MANY_ROWS = 1 << 18  # from here on memory matters
_COLUMNS = ("video", "timestamp", "x1", "y1", "x2", "y2", "class", "last")
# What pyarrow reads unlike Python: quotes, zero bytes, nan(...), and hexadecimal numbers.
_NOT_PLAIN = (b'"', b"\0", b"(")
_HEXADECIMAL = re.compile(rb",\s*[-+]?0[xX]")
_COORDINATES = ("x1", "y1", "x2", "y2")
_Parsed = TypeVar("_Parsed")


class Row(NamedTuple):
    """One row of 7 or 8 columns; of 2 columns where `box` is None."""

    video_id: str
    timestamp: float  # seconds
    box: tuple[float, float, float, float] | None = None  # ymin, xmin, ymax, xmax
    class_id: int = 0
    last: float = 0.0  # score, or person id


class _Columns(NamedTuple):
    """What a chunk holds."""

    video_names: list[str]
    video_index: np.ndarray  # into `video_names`
    timestamp: np.ndarray
    boxes: np.ndarray
    class_id: np.ndarray
    last: np.ndarray

    @property
    def by_row(self) -> tuple[np.ndarray, ...]:
        """The columns that a table has row by row."""
        return self.boxes, self.class_id, self.last


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {shown(text)}, not a number") from None


def parse_row(fields: list[str], kind: str) -> Row:
    """The values of one row's fields, whatever `float` and `int` accept.

    Raises ValueError saying what is wrong with which field. Detections may hold NaN and infinite
    coordinates, which the metric knows how to treat; annotations may not.
    """
    if len(fields) not in (2, 7, 8):
        raise ValueError(f"has {len(fields)} columns instead of 2, 7 or 8")
    video_id = fields[0]
    if not video_id.strip():
        raise ValueError("has no video id")
    if len(video_id) > MAX_VIDEO_ID:
        raise ValueError(
            f"has a video id of {len(video_id)} characters; expected {MAX_VIDEO_ID} at most"
        )
    timestamp = _number(fields[1], "timestamp")
    if not abs(timestamp) < 1e12:
        raise ValueError(f"timestamp is {shown(fields[1])}, not a finite number of seconds")
    if len(fields) == 2:
        return Row(video_id, timestamp)
    x1, y1, x2, y2 = (
        _number(text, name) for text, name in zip(fields[2:6], _COORDINATES, strict=True)
    )
    if kind == ANNOTATIONS and not np.isfinite((x1, y1, x2, y2)).all():
        raise ValueError("has a coordinate that is not finite")
    try:
        class_id = int(fields[6])
    except ValueError:
        raise ValueError(f"class id is {shown(fields[6])}, not a whole number") from None
    if not -(2**31) <= class_id < 2**31:
        raise ValueError(f"class id is {shown(fields[6])}, out of any range")
    last = 1.0 if kind == DETECTIONS else -1
    if len(fields) == 8 and kind == DETECTIONS:
        last = _number(fields[7], "score")
    elif len(fields) == 8:
        try:
            last = int(fields[7])
        except ValueError:
            hint = ""
            try:
                float(fields[7])
                hint = " (is this a detection file?)"
            except ValueError:
                pass
            raise ValueError(f"person id is {shown(fields[7])}, not a whole number{hint}") from None
        if not -(2**63) <= last < 2**63:
            raise ValueError(f"person id is {shown(fields[7])}, beyond 64 bits")
    return Row(video_id, timestamp, (y1, x1, y2, x2), class_id, last)


def line_hint(number: int, line: str) -> str:
    """What to add to a message about a line that is not what was expected; may be nothing.

    Args:
      number: of the line, from 1.
      line: without its newline.
    """
    return _separator_hint(line) + _header_hint(number, line)


def _header_hint(number: int, line: str) -> str:
    if number != 1 or re.search(r"\d", line) and not re.search(r"\b[xy]_?[12]\b", line):
        return ""
    return "; this looks like a header, which the file may not have: remove the line"


def split_fields(line: str) -> list[str]:
    """The fields of one line, without its newline; quotes as Python's csv module has them.

    Raises ValueError where they are no csv.
    """
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line]))
    except csv.Error as error:
        raise ValueError(f"is not csv ({error})") from None


def _separator_hint(line: str) -> str:
    commas = line.count(",")  # there may be some in numbers: 0,5;0,25
    for separator, name in ((";", "';'"), ("\t", "tabs"), ("|", "'|'")):
        if line.count(separator) > commas:
            return f"; it is separated by {name} (expected commas)"
    if not commas and len(line.split()) > 1:
        return "; it is separated by spaces (expected commas)"
    return ""


def iterate_lines(path: str | os.PathLike[str], shows: bool = True) -> Iterator[tuple[int, str]]:
    """Yields (line number from 1, line without its end) of every line that is not blank.

    Args:
      path: a csv, may be gzipped.
      shows: whether how far it is goes to stderr; not where what is done by line says so itself.

    Raises:
      UserError: the file cannot be read or is not UTF-8 text.
    """
    path = os.fspath(path)
    for before, chunk in chunks(path, shows):
        yield from _lines(chunk, path, before)


def parsed_rows(
    path: str | os.PathLike[str], parse: Callable[[list[str]], _Parsed]
) -> Iterator[_Parsed]:
    """Yields what `parse` makes of the fields of every line that is not blank.

    Args:
      path: a csv without a header, may be gzipped.
      parse: raises ValueError saying what is wrong.

    Raises:
      UserError: the file cannot be read, or a line is wrong; names it, and a header or another
        separator than commas as what they are.
    """
    path = os.fspath(path)
    for number, line in iterate_lines(path):
        yield _parsed(path, number, line, parse)


def _parsed(path: str, number: int, line: str, parse: Callable[[list[str]], _Parsed]) -> _Parsed:
    try:
        return parse(split_fields(line))
    except ValueError as error:
        hint = line_hint(number, line)
        raise UserError(f"{path}, line {number}: {error}{hint}: {line[:80]}") from None


def _lines(chunk: bytes, path: str, before: int) -> Iterator[tuple[int, str]]:
    number, at = before + 1, 0
    for match in re.finditer(rb"[^\n]+", chunk):  # a split would make a text of each blank line
        number += chunk.count(b"\n", at, match.start())
        at = match.start()
        try:
            text = match.group().decode("utf-8").rstrip("\r")
        except UnicodeDecodeError:
            raise UserError(f"{path}, line {number}: not UTF-8 text, so not a csv file") from None
        if "\0" in text:
            raise UserError(f"{path}, line {number}: holds a zero byte, so it is not a csv file")
        if text.strip():
            yield number, text


def _array(part) -> np.ndarray:
    """A pyarrow array without nulls as numpy. (Its own `to_numpy` imports pandas: a second.)"""
    numpy_type = str(part.type).replace("double", "float64")
    values = np.frombuffer(part.buffers()[1], numpy_type)
    return values[part.offset : part.offset + len(part)]


def _column(chunked, out: np.ndarray | None = None) -> np.ndarray:
    """A pyarrow chunked array without nulls as one numpy array of its own, or into `out`."""
    parts = [_array(part) for part in chunked.chunks]
    return np.concatenate(parts, out=out) if parts else np.empty(0)


def _holds_hexadecimal(chunk: bytes) -> bool:
    """Whether `_HEXADECIMAL` is found, without a search of each comma: ids hold x, too."""
    if b"x" not in chunk and b"X" not in chunk:
        return False
    text = np.frombuffer(chunk, np.uint8)
    at = np.flatnonzero((text | 0x20) == ord("x"))
    at = at[text[at - 1] == ord("0")]
    before = np.isin(text[at - 2], np.frombuffer(b", \t\v\f\r+-", np.uint8))
    return bool(before.any() and _HEXADECIMAL.search(chunk))


def _parse_fast(chunk: bytes, kind: str) -> _Columns | None:
    """A chunk whose rows all have 7 or all 8 plain columns; None if it is not such a chunk."""
    import pyarrow
    import pyarrow.csv

    head = chunk[: chunk.find(b"\n") + 1] or chunk
    number_of_columns = head.count(b",") + 1
    if number_of_columns not in (7, 8) or any(mark in chunk for mark in _NOT_PLAIN):
        return None
    if _holds_hexadecimal(chunk):
        return None
    names = list(_COLUMNS[:number_of_columns])
    types = dict.fromkeys(names, pyarrow.float64())
    types["video"] = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    types["class"] = pyarrow.int32()
    if kind == ANNOTATIONS and number_of_columns == 8:
        types["last"] = pyarrow.int64()
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.BufferReader(pyarrow.py_buffer(chunk)),
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, block_size=1 << 20, use_threads=False
            ),
            parse_options=pyarrow.csv.ParseOptions(quote_char=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, null_values=[]),
        )
    except pyarrow.ArrowInvalid:
        return None
    number = table.num_rows
    video_index = np.empty(number, np.int32)
    boxes = np.empty((number, 4), np.float64)
    codes: dict[str, int] = {}
    start = 0
    for part in table["video"].chunks:
        names = part.dictionary.to_pylist()
        if not all(name.strip() and len(name) <= MAX_VIDEO_ID for name in names):
            return None
        lookup = np.array([codes.setdefault(name, len(codes)) for name in names], np.int32)
        video_index[start : start + len(part)] = lookup[_array(part.indices)]
        start += len(part)
    timestamp, class_id = _column(table["timestamp"]), _column(table["class"])
    for column, name in enumerate(("y1", "x1", "y2", "x2")):
        _column(table[name], out=boxes[:, column])
    if not np.all(np.abs(timestamp) < 1e12):
        return None
    if kind == ANNOTATIONS and not np.isfinite(boxes).all():
        return None
    if number_of_columns == 8:
        last = _column(table["last"])
    else:
        last = np.full(number, 1.0 if kind == DETECTIONS else -1)
    return _Columns(list(codes), video_index, timestamp, boxes, class_id, last)


def _parse_carefully(
    chunk: bytes, kind: str, path: str, before: int, empty_keyframes: list[Keyframe]
) -> _Columns:
    """Any chunk, row by row. Raises UserError naming the line."""
    rows = []
    for number, line in _lines(chunk, path, before):
        row = _parsed(path, number, line, lambda fields: parse_row(fields, kind))
        if row.box is None:
            empty_keyframes.append(keyframe_key(row.video_id, row.timestamp))
        else:
            rows.append(row)
    codes: dict[str, int] = {}
    index = [codes.setdefault(row.video_id, len(codes)) for row in rows]
    return _Columns(
        list(codes),
        np.array(index, np.int32),
        np.array([row.timestamp for row in rows], np.float64),
        np.array([row.box for row in rows], np.float64).reshape(-1, 4),
        np.array([row.class_id for row in rows], np.int32),
        np.array([row.last for row in rows], np.float64 if kind == DETECTIONS else np.int64),
    )


def _read(path, kind: str) -> AvaTable:
    path = os.fspath(path)
    codes: dict[str, int] = {}
    empty_keyframes: list[Keyframe] = []
    moments: list[Moments] = []
    empty = _parse_carefully(b"", kind, path, 0, empty_keyframes)
    columns = [column.copy() for column in empty.by_row]  # each the owner of its memory
    for (before, chunk), part in in_threads(
        lambda piece: _parse_fast(piece[1], kind), chunks(path)
    ):
        if part is None:
            part = _parse_carefully(chunk, kind, path, before, empty_keyframes)
        index = np.array(
            [codes.setdefault(name, len(codes)) for name in part.video_names], np.int32
        )
        moments.append(Moments.of_rows(index[part.video_index], part.timestamp))
        for column, rows in zip(columns, part.by_row, strict=True):
            _append(column, rows)
    if len(columns[0]) >= _MANY_ROWS:
        freed_memory.give_back()
    boxes, class_id, last = columns
    return AvaTable(
        list(codes),
        Moments.joined(moments),
        boxes,
        class_id,
        score=last if kind == DETECTIONS else None,
        person_id=last.astype(np.int64, copy=False) if kind == ANNOTATIONS else None,
        empty_keyframes=empty_keyframes,
    )


def _append(column: np.ndarray, rows: np.ndarray) -> None:
    """Lengthens an array in place.

    The system moves a large array's pages instead of copying them, so the file's columns are never
    held twice, as they would be by `np.concatenate`.
    """
    number = len(column)
    column.resize((number + len(rows), *column.shape[1:]), refcheck=False)
    column[number:] = rows


def read_annotations(path) -> AvaTable:
    """Reads annotations of 7 or 8 columns; rows of 2 become `empty_keyframes`.

    Boxes outside [0, 1] or inverted and unknown classes are passed on as they are
    (`avatx.data.annotations.csv_validation` finds them). Raises UserError with file and line for a
    row of another shape or a field that is no number. An empty file is a table of no rows.
    """
    return _read(path, ANNOTATIONS)


def read_detections(path) -> AvaTable:
    """Reads detections, `score` 1.0 where a row has none. Errors as `read_annotations`."""
    return _read(path, DETECTIONS)


def read_excluded_timestamps(path) -> set[Keyframe]:
    """Reads rows of (video, timestamp). Raises UserError with file and line for any other row."""

    def parse(fields: list[str]) -> Keyframe:
        if len(fields) != 2:
            raise ValueError(f"has {len(fields)} columns instead of 2 (video id, timestamp)")
        row = parse_row(fields, ANNOTATIONS)
        return keyframe_key(row.video_id, row.timestamp)

    return set(parsed_rows(path, parse))
