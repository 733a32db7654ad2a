"""One number for each keyframe, the same in groundtruth, detections and lists of keyframes."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.times import MICROSECONDS, to_microseconds


class Runs(NamedTuple):
    """N rows as R runs of rows of the same keyframe: files are usually sorted by it.

    Attributes:
      number: [R] int32, keyframe number.
      borders: [R + 1] int64, where each run begins, and N.
    """

    number: np.ndarray
    borders: np.ndarray

    def of_rows(self, of_runs: np.ndarray) -> np.ndarray:
        """What runs have, [R], for each of their rows, [N]."""
        return np.repeat(of_runs, np.diff(self.borders))


class KeyframeIndex(NamedTuple):
    """F keyframes, numbered from 0.

    Attributes:
      video_id: [F] object (str).
      timestamp: [F] float64, seconds rounded to microseconds.
      runs_of_tables: for each table the keyframe numbers of its rows.
      of_lists: for each list of keyframes its numbers, [K] int64.
    """

    video_id: np.ndarray
    timestamp: np.ndarray
    runs_of_tables: list[Runs]
    of_lists: list[np.ndarray]

    def of_table(self, index: int) -> np.ndarray:
        """Keyframe number of each row of the index-th table, [N] int32."""
        runs = self.runs_of_tables[index]
        return runs.of_rows(runs.number)


def index_keyframes(
    tables: Sequence[AvaTable], lists: Sequence[Iterable[Keyframe]]
) -> KeyframeIndex:
    """Numbers the keyframes of tables and lists together.

    The work is done on runs of rows of the same keyframe, for files are usually sorted by it.
    """
    codes: dict[str, int] = {}
    videos, times, borders = [], [], []
    for table in tables:
        moments = table.moments
        names = [codes.setdefault(name, len(codes)) for name in table.video_names]
        videos.append(np.array(names, np.int64)[moments.video_index])
        times.append(to_microseconds(moments.timestamp))
        borders.append(moments.borders)
    for keyframes in lists:
        pairs = list(keyframes)
        videos.append(np.array([codes.setdefault(name, len(codes)) for name, _ in pairs], np.int64))
        times.append(to_microseconds([seconds for _, seconds in pairs]))
    video, time = np.concatenate(videos), np.concatenate(times)
    moments, moment = np.unique(time, return_inverse=True)
    keys, number = np.unique(video * len(moments) + moment, return_inverse=True)
    numbers = np.split(number, np.cumsum([len(part) for part in videos])[:-1])
    runs_of_tables = [
        Runs(run.astype(np.int32), border)
        for run, border in zip(numbers[: len(tables)], borders, strict=True)
    ]
    video_ids = np.empty(len(codes), object)
    video_ids[:] = list(codes)
    count = max(len(moments), 1)
    return KeyframeIndex(
        video_ids[keys // count],
        moments[keys % count] / MICROSECONDS,
        runs_of_tables,
        numbers[len(tables) :],
    )
