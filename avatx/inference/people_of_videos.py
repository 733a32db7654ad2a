"""Finds people in videos, for `proposal_source: EXTERNAL`: a csv in AVA's detection format."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from avatx.data.annotations.ava_csv import read_annotations, write_detections
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.times import FAR_FUTURE, MICROSECONDS, to_microseconds
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError
from avatx.inference.person_detector import People
from avatx.inference.video_outputs import name_video
from avatx.inference.video_search import find_videos

PERSON = 1  # the class that the csv gives each box


@dataclasses.dataclass(frozen=True)
class Summary:
    """What was found."""

    num_videos: int
    num_keyframes: int
    num_boxes: int
    notes: list[str]


def detect_people(
    videos: Sequence[str],
    output: str,
    detector: Callable[[np.ndarray], People],
    *,
    every: float | None = 1.0,
    annotations: str | None = None,
    score_threshold: float = 0.05,
    progress: Callable[[str, float, float | None], None] = lambda video, seconds, duration: None,
) -> Summary:
    """Writes `output`, which appears whole or not at all.

    Args:
      videos: see `video_search.find_videos`.
      output: the csv: video, seconds, x1, y1, x2, y2, class, score; a keyframe without anybody is a
        row of two columns.
      detector: frame [H, W, 3] uint8 -> its people.
      every: seconds between the frames that are looked at, from the first on.
      annotations: AVA csv whose keyframes are looked at instead.
      score_threshold: people of a lower score are left out.
      progress: called with the video, the seconds read and its duration, None where unknown.

    Raises:
      UserError: a bad argument, a file that cannot be read, or none of the annotated keyframes.
    """
    if not 0 <= score_threshold <= 1:
        raise UserError(f"score_threshold {score_threshold}: expected 0 to 1")
    if annotations is None and not (every is not None and 1e-3 <= every < float("inf")):
        raise UserError(f"every {every}: expected seconds, 0.001 or more")
    keyframes = None if annotations is None else _keyframes(annotations)
    paths = {name_video(path): path for path in find_videos(videos).videos}
    if keyframes is not None and not keyframes.keys() & paths.keys():
        raise UserError(
            f"{annotations}: names none of the {len(paths)} videos; it has "
            f"{', '.join(sorted(keyframes)[:3]) or 'no video'}, the videos are "
            f"{', '.join(sorted(paths)[:3])}"
        )
    names, times, boxes, scores, empty, notes = [], [], [], [], [], []
    count = 0
    for name, path in paths.items():
        wanted = None if keyframes is None else keyframes.get(name)
        if keyframes is not None and wanted is None:
            notes.append(f"{name}: not annotated, left out")
            continue
        with VideoReader(path) as reader:
            moments = _multiples(every or 1.0) if wanted is None else iter(wanted)
            looked_at = 0
            for seconds, frame in frames_at(reader, moments):
                progress(name, seconds, reader.duration)
                people = detector(frame)
                looked_at += 1
                kept = people.scores >= score_threshold
                if not kept.any():
                    empty.append((name, seconds))
                names += [name] * int(kept.sum())
                times += [seconds] * int(kept.sum())
                boxes += people.boxes[kept].tolist()
                scores += people.scores[kept].tolist()
            if wanted is not None and looked_at < len(wanted):
                notes.append(
                    f"{name}: {len(wanted) - looked_at} of {len(wanted)} keyframes lie past the "
                    "video's end"
                )
            if reader.error:
                notes.append(f"{name}: stopped early: {reader.error}")
            count += looked_at
    table = AvaTable.from_columns(
        names, times, boxes, [PERSON] * len(names), score=scores, empty_keyframes=empty
    )
    write_detections(output, table)
    return Summary(len(paths), count, len(names), notes)


def frames_at(reader: VideoReader, seconds: Iterator[float]) -> Iterator[tuple[float, np.ndarray]]:
    """(Wanted time, the frame nearest to it [H, W, 3]); the earlier one of two equally near.

    Args:
      reader: of the video, at its begin.
      seconds: ascending, perhaps endless. Times past the last frame by half a frame or more end it.
    """
    wanted = next(seconds, None)
    before = None
    for time, picture in reader.span(0, FAR_FUTURE):
        while wanted is not None and time >= (key := int(to_microseconds(wanted))):
            nearest = picture
            if before is not None and key - before[0] <= time - key:
                nearest = before[1]
            yield wanted, reader.to_rgb(nearest)
            wanted = next(seconds, None)
        if wanted is None:
            return
        before = time, picture
    half = round(0.5 * MICROSECONDS / (reader.frame_rate or 25))
    while wanted is not None and before and int(to_microseconds(wanted)) < before[0] + half:
        yield wanted, reader.to_rgb(before[1])
        wanted = next(seconds, None)


def _multiples(every: float) -> Iterator[float]:
    index = 0
    while True:
        yield round(index * every, 6)
        index += 1


def _keyframes(path: str) -> dict[str, list[float]]:
    """Video id -> seconds, ascending."""
    found: dict[str, list[float]] = {}
    for video, seconds in read_annotations(path).keyframes():
        found.setdefault(video, []).append(seconds)
    return found
