"""Rows of AVA annotations or detections, as numpy columns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from avatx.data.times import MICROSECONDS, to_microseconds

MAX_VIDEO_ID = 1024  # characters, so that a message can name one

Keyframe = tuple[str, float]  # (video id, timestamp in seconds)


def keyframe_key(video_id: str, timestamp: float) -> Keyframe:
    """(video id, timestamp rounded to 6 decimals): 0902, 902 and 902.0 are one keyframe."""
    return video_id, float(f"{timestamp:.6f}")


class Moments(NamedTuple):
    """Video and time of N rows, as R runs of rows with the same: files are usually sorted by them.

    A validation set has a hundred detections a keyframe, so this is a hundredth of two columns.

    Attributes:
      video_index: [R] int32, into the table's `video_names`.
      timestamp: [R] float64, seconds.
      borders: [R + 1] int64, the row at which each run begins, and N. Neighbouring runs may be of
        the same moment.
    """

    video_index: np.ndarray
    timestamp: np.ndarray
    borders: np.ndarray

    @classmethod
    def of_rows(cls, video_index: np.ndarray, timestamp: np.ndarray) -> "Moments":
        """Of two columns, [N] each."""
        first = np.ones(len(timestamp), bool)
        np.not_equal(timestamp[1:], timestamp[:-1], out=first[1:])
        first[1:] |= video_index[1:] != video_index[:-1]
        starts = np.flatnonzero(first)
        return cls(video_index[starts], timestamp[starts], np.append(starts, len(timestamp)))

    @classmethod
    def joined(cls, parts: Iterable["Moments"]) -> "Moments":
        """Of the rows of all parts, one after the other."""
        videos, times, borders, number = [], [], [np.zeros(1, np.int64)], 0
        for part in parts:
            videos.append(part.video_index)
            times.append(part.timestamp)
            borders.append(part.borders[1:] + number)
            number += int(part.borders[-1])
        if not videos:
            return cls.of_rows(np.zeros(0, np.int32), np.zeros(0))
        return cls(*map(np.concatenate, (videos, times, borders)))

    def of_each_row(self, of_runs: np.ndarray) -> np.ndarray:
        """What runs have, [R], for each of their rows, [N]."""
        return np.repeat(of_runs, np.diff(self.borders))

    def run_of(self, rows) -> np.ndarray:
        """The run in which each of the rows, numbers from 0, is."""
        return np.searchsorted(self.borders, rows, side="right") - 1


@dataclass
class AvaTable:
    """N rows, each one box with one class; a person with three labels is three rows.

    Attributes:
      video_names: V video ids, each once, in the order of first appearance.
      moments: of each row its video and time.
      boxes: [N, 4] float64, (ymin, xmin, ymax, xmax), normalised as the file has them, unclipped.
      class_id: [N] int32, AVA class ids, 1-based.
      score: [N] float64, or None for annotations.
      person_id: [N] int64, -1 where the row has none, or None for detections.
      empty_keyframes: keyframes that were annotated and hold nobody (rows of two columns).
    """

    video_names: list[str]
    moments: Moments
    boxes: np.ndarray
    class_id: np.ndarray
    score: np.ndarray | None = None
    person_id: np.ndarray | None = None
    empty_keyframes: list[Keyframe] = field(default_factory=list)

    @classmethod
    def from_columns(
        cls, video_id, timestamp, boxes, class_id, score=None, person_id=None, empty_keyframes=()
    ) -> "AvaTable":
        """Builds a table from plain sequences, `video_id` one str a row."""
        codes: dict[str, int] = {}
        index = np.array([codes.setdefault(name, len(codes)) for name in video_id], np.int32)
        times = np.asarray(timestamp, np.float64)
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        lengths = [len(column) for column in (index, times, boxes, class_id)]
        lengths += [len(column) for column in (score, person_id) if column is not None]
        if len(set(lengths)) != 1:
            raise ValueError(f"columns of an AvaTable differ in length: {lengths}")
        return cls(
            video_names=list(codes),
            moments=Moments.of_rows(index, times),
            boxes=boxes,
            class_id=np.asarray(class_id, np.int32),
            score=None if score is None else np.asarray(score, np.float64),
            person_id=None if person_id is None else np.asarray(person_id, np.int64),
            empty_keyframes=list(empty_keyframes),
        )

    def __len__(self) -> int:
        return len(self.class_id)

    @property
    def video_index(self) -> np.ndarray:
        """[N] int32, into `video_names`; made each time that it is asked for."""
        return self.moments.of_each_row(self.moments.video_index)

    @property
    def timestamp(self) -> np.ndarray:
        """[N] float64, seconds; made each time that it is asked for."""
        return self.moments.of_each_row(self.moments.timestamp)

    @property
    def video_id(self) -> np.ndarray:
        """[N] str objects."""
        names = np.empty(len(self.video_names), object)
        names[:] = self.video_names
        return names[self.video_index]

    def moment(self, row: int) -> Keyframe:
        """Video id and seconds of one row."""
        run = self.moments.run_of(range(len(self))[row])
        return self.video_names[self.moments.video_index[run]], float(self.moments.timestamp[run])

    def select(self, rows) -> "AvaTable":
        """The table of the given rows (an index array or a mask), `empty_keyframes` kept."""
        if isinstance(rows, slice):
            numbers = np.arange(*rows.indices(len(self)))
        else:
            numbers = np.asarray(rows)
            if numbers.dtype == bool:
                numbers = np.flatnonzero(numbers)
            elif len(numbers) and numbers.min() < 0:
                numbers = np.where(numbers < 0, numbers + len(self), numbers)
        runs = self.moments.run_of(numbers)
        return AvaTable(
            video_names=self.video_names,
            moments=Moments.of_rows(self.moments.video_index[runs], self.moments.timestamp[runs]),
            boxes=self.boxes[rows],
            class_id=self.class_id[rows],
            score=None if self.score is None else self.score[rows],
            person_id=None if self.person_id is None else self.person_id[rows],
            empty_keyframes=self.empty_keyframes,
        )

    def keyframes(self) -> list[Keyframe]:
        """Every keyframe of the rows and of `empty_keyframes`, once, sorted."""
        micros = to_microseconds(self.moments.timestamp)
        pairs = np.unique(np.stack([self.moments.video_index, micros], axis=1), axis=0)
        keys = {(self.video_names[video], micro / MICROSECONDS) for video, micro in pairs.tolist()}
        return sorted(keys | {keyframe_key(*keyframe) for keyframe in self.empty_keyframes})


def empty_table(*, detections: bool, empty_keyframes: Iterable[Keyframe] = ()) -> AvaTable:
    """A table of no rows."""
    return AvaTable.from_columns(
        [],
        [],
        [],
        [],
        score=[] if detections else None,
        person_id=None if detections else [],
        empty_keyframes=empty_keyframes,
    )
