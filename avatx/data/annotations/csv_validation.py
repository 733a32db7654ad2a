"""Finds every bad row of an AVA csv, with its line number, and counts what the file holds."""

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from avatx.data.annotations.ava_csv import ANNOTATIONS, Row, iterate_lines, parse_row, split_fields
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


def validate_csv(
    path,
    kind: str = ANNOTATIONS,
    label_map: LabelMap | None = None,
    durations: Mapping[str, float | None] | None = None,
) -> Validation:
    """Checks every row.

    Args:
      path: annotation or detection csv, may be gzipped.
      kind: `ava_csv.ANNOTATIONS` or `ava_csv.DETECTIONS`.
      label_map: the known classes; without it any id from 1 on is known.
      durations: seconds of each known video, None where unknown; without it any video is known.

    Raises:
      UserError: the file cannot be read, is not UTF-8 text, or is empty.
    """
    bad_rows, statistics = [], Statistics()
    first_line, keyframes, boxes, videos, labels = {}, set(), set(), set(), Counter()
    for number, line in iterate_lines(path):
        try:
            row = parse_row(split_fields(line), kind)
        except ValueError as error:
            bad_rows.append(BadRow(number, str(error), line))
            continue
        key = keyframe_key(row.video_id, row.timestamp)
        problems = list(_problems(row, kind, label_map, durations))
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
) -> Iterator[str]:
    if durations is not None and row.video_id not in durations:
        yield f"unknown video {row.video_id!r}"
    if row.timestamp < 0:
        yield f"timestamp {row.timestamp:g} s is before the start"
    duration = (durations or {}).get(row.video_id)
    if duration is not None and row.timestamp > duration:
        yield f"timestamp {row.timestamp:g} s is past the end of the video at {duration:.3f} s"
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


class VideoDurations(Mapping):
    """Video id to duration in seconds of the videos of a directory, opened when asked for.

    A video is known by its file's name without the last extension. One that PyAV cannot open,
    or that does not tell its duration, has None and is listed in `broken` with the reason.
    """

    def __init__(self, directory):
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            raise UserError(f"{directory} cannot be read: {error.strerror}") from error
        paths = (os.path.join(directory, name) for name in names if not name.startswith("."))
        self._paths = {
            os.path.splitext(os.path.basename(path))[0]: path
            for path in paths
            if os.path.isfile(path) and os.path.splitext(path)[1]
        }
        self._durations: dict[str, float | None] = {}
        self.broken: dict[str, str] = {}

    def __getitem__(self, video_id: str) -> float | None:
        if video_id not in self._durations:
            self._durations[video_id] = self._measure(self._paths[video_id])
        return self._durations[video_id]

    def __contains__(self, video_id) -> bool:
        return video_id in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def _measure(self, path: str) -> float | None:
        import av

        try:
            with av.open(path) as container:
                if not container.streams.video:
                    self.broken[path] = "it has no video stream"
                    return None
                stream = container.streams.video[0]
                if stream.duration is not None and stream.time_base is not None:
                    return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
                if container.duration is not None:
                    return container.duration / av.time_base
                self.broken[path] = "it does not tell its duration"
        except (av.FFmpegError, OSError, ValueError) as error:
            self.broken[path] = str(error)
        return None


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
                f"{path}, line {number}: expected 'video id,seconds', found: {line[:80]}"
            ) from None
    return durations
