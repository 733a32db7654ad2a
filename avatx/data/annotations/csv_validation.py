"""Finds every bad row of an AVA csv, with its line number, and counts what the file holds."""

import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from avatx.data.annotations.ava_csv import (
    ANNOTATIONS,
    Row,
    iterate_lines,
    line_hint,
    parse_row,
    split_fields,
)
from avatx.data.annotations.ava_table import keyframe_key
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError


class BadRow(NamedTuple):
    line: int  # from 1
    problem: str
    text: str


@dataclass
class Statistics:
    """Counts over the rows that could be read, bad values included."""

    videos: int = 0
    keyframes: int = 0
    empty_keyframes: int = 0  # named by rows of 2 columns
    boxes: int = 0  # different ones a keyframe
    labels: int = 0  # rows with a box
    first_timestamp: float | None = None  # seconds
    last_timestamp: float | None = None
    labels_per_class: dict[int, int] = field(default_factory=dict)  # by class id


class Validation(NamedTuple):
    bad_rows: list[BadRow]  # a row with two mistakes is there twice
    statistics: Statistics


def video_ids(path) -> set[str]:
    """The first field of every row, of bad ones too. Raises UserError, see `iterate_lines`."""
    found = set()
    for _, line in iterate_lines(path):
        with contextlib.suppress(ValueError):
            found.add(split_fields(line)[0])
    return found


def validate_csv(
    path,
    kind: str = ANNOTATIONS,
    label_map: LabelMap | None = None,
    durations: Mapping[str, float | None] | None = None,
    video_start_seconds: float = 0.0,
) -> Validation:
    """Checks every row.

    Args:
      path: annotation or detection csv, may be gzipped.
      kind: `ava_csv.ANNOTATIONS` or `ava_csv.DETECTIONS`.
      label_map: the known classes; without it any id from 1 on is known.
      durations: a `VideoTimes`, or the seconds of each known video, None where unknown; without it
        any video is known.
      video_start_seconds: see `FrameSettings`; `VideoTimes` know it themselves.

    Raises:
      UserError: the file cannot be read, is not UTF-8 text, or is empty.
    """
    bad_rows, statistics = [], Statistics()
    first_line: dict[tuple[object, ...], int] = {}
    labels: Counter[int] = Counter()
    keyframes, boxes, videos = set(), set(), set()
    expect = getattr(durations, "expect", None)
    if expect is not None:  # of VideoTimes, which take their time
        expect(video_ids(path))
    for number, line in iterate_lines(path, shows=expect is None):
        try:
            row = parse_row(split_fields(line), kind)
        except ValueError as error:
            bad_rows.append(BadRow(number, f"{error}{line_hint(number, line)}", line))
            continue
        key = keyframe_key(row.video_id, row.timestamp)
        problems = list(_problems(row, kind, label_map, durations, video_start_seconds))
        earlier = first_line.setdefault((key, row.box, row.class_id, row.last), number)
        if earlier != number:
            problems.append(f"repeats line {earlier}")
        bad_rows.extend(BadRow(number, problem, line) for problem in problems)
        videos.add(row.video_id)
        keyframes.add(key)
        if row.box is None:
            statistics.empty_keyframes += earlier == number
        else:
            labels[row.class_id] += 1
            boxes.add((key, row.box))
    if not keyframes and not bad_rows:
        raise UserError(f"{path} is empty: not a single row")
    statistics.videos, statistics.keyframes = len(videos), len(keyframes)
    statistics.boxes, statistics.labels = len(boxes), sum(labels.values())
    statistics.labels_per_class = dict(sorted(labels.items()))
    if keyframes:
        timestamps = [timestamp for _, timestamp in keyframes]
        statistics.first_timestamp = min(timestamps)
        statistics.last_timestamp = max(timestamps)
    return Validation(bad_rows, statistics)


def _problems(
    row: Row,
    kind: str,
    label_map: LabelMap | None,
    durations: Mapping[str, float | None] | None,
    start: float,
) -> Iterator[str]:
    problem_of = getattr(durations, "problem", None)
    if problem_of is not None:  # of VideoTimes, which know more than the length
        problem = problem_of(row.video_id, row.timestamp)
        if problem is not None:
            yield problem
    else:
        yield from _problems_of_time(row, durations, start)
    if row.box is None:
        return
    y1, x1, y2, x2 = row.box
    if not all(math.isfinite(value) for value in row.box):
        yield "a coordinate is not finite"
    else:
        if not all(0.0 <= value <= 1.0 for value in row.box):
            yield f"box outside [0, 1]: x {x1:g} to {x2:g}, y {y1:g} to {y2:g}"
        if x1 >= x2 or y1 >= y2:
            yield f"box inverted or without area: x {x1:g} to {x2:g}, y {y1:g} to {y2:g}"
    if label_map is not None and row.class_id not in label_map.names:
        yield f"unknown class {row.class_id}"
    elif row.class_id < 1:
        yield f"class id {row.class_id}: ids begin at 1"
    if kind != ANNOTATIONS and not math.isfinite(row.last):
        yield f"score is {row.last}"


def _problems_of_time(
    row: Row, durations: Mapping[str, float | None] | None, start: float
) -> Iterator[str]:
    if durations is not None and row.video_id not in durations:
        yield f"unknown video {row.video_id!r}"
    if row.timestamp < start:
        yield f"timestamp {row.timestamp:g} s is before the start" + (
            f" of the video, at {start:g} s" if start else ""
        )
    duration = (durations or {}).get(row.video_id)
    if duration is not None and row.timestamp > start + duration:
        yield (
            f"timestamp {row.timestamp:g} s is past the end of the video "
            f"at {start + duration:.3f} s"
        )


def read_durations(path) -> dict[str, float]:
    """Reads a csv of (video id, seconds). Raises UserError with the line of a bad row."""
    durations = {}
    for number, line in iterate_lines(path):
        try:
            fields = split_fields(line)
            durations[fields[0]] = float(fields[1]) if len(fields) == 2 else float("nan")
            if not durations[fields[0]] > 0:
                raise ValueError
        except (ValueError, IndexError):
            raise UserError(
                f"{path}, line {number}: expected 'video id,seconds'{line_hint(number, line)}, "
                f"found: {line[:80]}"
            ) from None
    return durations
