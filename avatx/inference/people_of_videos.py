"""Finds people in videos, for `proposal_source: EXTERNAL`: a csv in AVA's detection format."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from avatx import outputs
from avatx.data.annotations.ava_csv import read_annotations, write_detections
from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.times import FAR_FUTURE, MICROSECONDS, to_microseconds
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError, first_line
from avatx.inference.person_detector import People
from avatx.inference.video_detection import check_arguments
from avatx.inference.video_outputs import name_video
from avatx.inference.video_search import find_videos
from avatx.refusals import has_no_room

PERSON = 1  # the class that the csv gives each box


@dataclasses.dataclass(frozen=True)
class Summary:
    """What was found.

    Attributes:
      num_videos: that were looked at.
      num_keyframes: frames that were looked at.
      num_boxes: people in them.
      notes: what the user should know.
      failed: path of each video that could not be read -> why.
    """

    num_videos: int
    num_keyframes: int
    num_boxes: int
    notes: list[str]
    failed: dict[str, str]


def detect_people(
    videos: Sequence[str],
    output: str,
    detector: Callable[[np.ndarray], People],
    *,
    every: float | None = 1.0,
    annotations: str | None = None,
    score_threshold: float = 0.05,
    frame_settings: FrameSettings | None = None,
    progress: Callable[[str, float, float | None], None] = lambda video, seconds, duration: None,
) -> Summary:
    """Writes `output`, which appears whole or not at all.

    A video that cannot be read is named in the summary, and the others go on.

    Args:
      videos: see `video_search.find_videos`.
      output: the csv: video, seconds, x1, y1, x2, y2, class, score; a keyframe without anybody is a
        row of two columns.
      detector: frame [H, W, 3] uint8 -> its people.
      every: seconds between the frames that are looked at, from the first on.
      annotations: AVA csv whose keyframes are looked at instead.
      score_threshold: people of a lower score are left out.
      frame_settings: when a folder's frames are shown, and the csv's time of a video's first frame;
        as records of the videos have them.
      progress: called with the video, the seconds read and its duration, None where unknown.

    Raises:
      UserError: a bad argument, none of the annotated videos, no video that can be read, or no
        keyframe in any of them.
    """
    # Where keyframes are named, `every` says nothing.
    check_arguments(score_threshold, (every or 0.0) if annotations is None else 1.0, 1)
    keyframes = None if annotations is None else _keyframes(annotations)
    found_videos = find_videos(videos).videos
    outputs.check_file(output)
    outputs.refuse_overwriting([output], {"videos": found_videos, "annotations": annotations})
    notes: list[str] = []
    paths = _by_id(found_videos, notes)
    if keyframes is not None and not keyframes.keys() & paths.keys():
        raise UserError(
            f"{annotations}: names none of the {len(paths)} videos; it has "
            f"{', '.join(sorted(keyframes)[:3]) or 'no video'}, the videos are "
            f"{', '.join(sorted(paths)[:3])}"
        )
    found = _Found()
    nothing: list[str] = []
    failed: dict[str, str] = {}
    done = 0
    if keyframes is not None and (absent := sorted(keyframes.keys() - paths.keys())):
        notes.append(
            f"{len(absent)} of the {len(keyframes)} annotated videos are not among the videos, "
            f"first {absent[0]}"
        )
    for name, path in paths.items():
        wanted = None if keyframes is None else keyframes.get(name)
        if keyframes is not None and wanted is None:
            notes.append(f"{name}: not annotated, left out")
            continue
        try:
            of_video, told = _look(
                name,
                path,
                detector,
                _multiples(every or 1.0) if wanted is None else wanted,
                score_threshold,
                frame_settings or FrameSettings(),
                progress,
            )
        except Exception as error:  # any: a dozen libraries have read what somebody made
            if has_no_room(error):
                raise
            failed[path] = _reason(path, error)
            continue
        found.add(of_video)
        notes += told
        nothing += told if not of_video.num_keyframes else []
        done += 1
    if failed and not done:
        path, reason = next(iter(failed.items()))
        others = (
            f"; nor could the other {len(failed) - 1} videos be looked at"
            if len(failed) > 1
            else ""
        )
        raise UserError(f"{path}: {reason}{others}; nothing was written")
    if not found.num_keyframes:
        raise UserError(
            f"no frame of {done} videos was looked at, so nothing was written"
            + (f"; for one, {nothing[0]}" if nothing else "")
        )
    notes += getattr(detector, "notes", ())
    if not output.lower().endswith((".csv", ".csv.gz")):
        notes.append(
            f"{output}: what boxes are read from is told by the name's ending; call it NAME.csv"
        )
    table = AvaTable.from_columns(
        found.names,
        found.times,
        found.boxes,
        [PERSON] * len(found.names),
        score=found.scores,
        empty_keyframes=found.empty,
    )
    write_detections(output, table)
    return Summary(done, found.num_keyframes, len(found.names), notes, failed)


@dataclasses.dataclass
class _Found:
    """Columns of the csv, and how many frames were looked at."""

    names: list[str] = dataclasses.field(default_factory=list)
    times: list[float] = dataclasses.field(default_factory=list)
    boxes: list[list[float]] = dataclasses.field(default_factory=list)
    scores: list[float] = dataclasses.field(default_factory=list)
    empty: list[Keyframe] = dataclasses.field(default_factory=list)
    num_keyframes: int = 0

    def add(self, other: "_Found") -> None:
        for field in dataclasses.fields(self):
            total = getattr(self, field.name)
            total += getattr(other, field.name)
            setattr(self, field.name, total)


def _look(
    name: str,
    path: str,
    detector: Callable[[np.ndarray], People],
    wanted: Sequence[float] | Iterator[float],
    score_threshold: float,
    frame_settings: FrameSettings,
    progress: Callable[[str, float, float | None], None],
) -> tuple[_Found, list[str]]:
    """One video's people, and notes.

    What is wanted is a sequence of seconds by the csv's clock, each of which should be there, or an
    endless one by the video's.
    """
    found, notes = _Found(), []
    start = frame_settings.video_start_seconds
    number = None
    if isinstance(wanted, Sequence):
        moments = [seconds - start for seconds in wanted if seconds >= start]
        number = len(moments)
        if number < len(wanted):
            notes.append(
                f"{name}: {len(wanted) - number} of {len(wanted)} keyframes lie before the video's "
                f"first frame, at {start:g} s"
            )
        wanted = iter(moments)
    with VideoReader(path, frame_settings=frame_settings) as reader:
        for moment, frame in frames_at(reader, wanted):
            progress(name, moment, reader.duration)
            seconds = round(moment + start, 6)
            people = detector(frame)
            found.num_keyframes += 1
            kept = people.scores >= score_threshold
            if not kept.any():
                found.empty.append((name, seconds))
            found.names += [name] * int(kept.sum())
            found.times += [seconds] * int(kept.sum())
            found.boxes += people.boxes[kept].tolist()
            found.scores += people.scores[kept].tolist()
        if reader.error and number is None and not found.num_keyframes:
            raise UserError(f"{path}: no frame of it can be decoded ({reader.error})")
        if number is not None and found.num_keyframes < number:
            notes.append(
                f"{name}: {number - found.num_keyframes} of {number} keyframes lie past the "
                "video's end"
            )
        if reader.error:
            notes.append(f"{name}: stopped early: {reader.error}")
    return found, notes


def _reason(path: str, error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error).removeprefix(f"{path}: ")
    return f"cannot be looked at ({type(error).__name__}: {first_line(error)})"


def _by_id(videos: Sequence[str], notes: list[str]) -> dict[str, str]:
    """Video id -> path; of several with one id the first."""
    paths: dict[str, str] = {}
    for path in videos:
        first = paths.setdefault(name_video(path), path)
        if first != path:
            notes.append(f"{path}: left out, for its id in the csv is that of {first}")
    return paths


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
