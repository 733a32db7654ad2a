"""Runs an exported detector over one video, from its frames to the files a user wants."""

import contextlib
import dataclasses
import math
import numbers
import os
import signal
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from avatx.atomic_folder import atomic_files
from avatx.core.people import Person, merge_people
from avatx.data.times import FAR_FUTURE, MICROSECONDS, to_microseconds
from avatx.data.video.frame_encoding import stored_size
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.keyframe_clips import KeyframeClip
from avatx.data.video.missing_frames import MissingFrames
from avatx.data.video.reading_event import in_words
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError, shown
from avatx.inference.boxes_of_video import BoxesOfVideo, BoxesSettings
from avatx.inference.detector import ClipAttention, ClipDetections, Detector
from avatx.inference.exported_signatures import check_attention
from avatx.inference.keyframe_detection import ShownKeyframes, detect_keyframes, settings_for
from avatx.inference.linking import Linker
from avatx.inference.video_outputs import (
    NOTE,
    RESULTS,
    KeyframeDetections,
    name_video,
    write_csv,
    write_json,
    write_tracks,
)
from avatx.pictures.annotator import Annotator
from avatx.pictures.boxes import upscale
from avatx.pictures.colours import class_colours
from avatx.pictures.keyframe_pictures import Pictures

_HIDDEN = ".detect_video.partial"
# Text on smaller frames cannot be read.
ANNOTATED_SHORTER_SIDE = 480
# Larger frames are drawn on at this size, for memory's sake.
LARGEST_DRAWN_SHORTER_SIDE = 1080


class Highest(NamedTuple):
    """The best of what was left out."""

    score: float
    class_name: str
    timestamp: float  # seconds


# Called with a keyframe's number, its people, clip, detections of any score and their attention.
Attended = Callable[[int, Sequence[Person], KeyframeClip, ClipDetections, ClipAttention], None]


class VideoSummary(NamedTuple):
    """What a run did."""

    num_keyframes: int
    num_detections: int
    files: list[str]  # written, in the output folder
    stopped: str | None  # why before the video's end; None at the end
    highest: Highest | None = None  # where nothing reached the threshold; None where something did


def detect_video(
    detector: Detector,
    video: str,
    output_directory: str,
    *,
    score_threshold: float = 0.3,
    every: float = 1.0,
    frame_settings: FrameSettings | None = None,
    batch_size: int = 1,
    groundtruth: str | None = None,
    attention: bool = False,
    attended: Attended | None = None,
    boxes: BoxesSettings | None = None,
    video_id: str | None = None,
    progress: Callable[[float, float | None], None] = lambda seconds, duration: None,
    log: Callable[[str], None] = lambda line: None,
) -> VideoSummary:
    """Writes detections.csv, detections.json, tracks.csv, annotated.mp4 and contact_sheet.jpg.

    Keyframes are the whole multiples of `every` from 0 (the video's first frame) up to its last
    frame. Frames are decoded once. All files appear together at the end, in place of all of an
    older result; after an error or ctrl-C none does, and older ones stay. A live source (without
    a duration) is ended by ctrl-C, and what was seen till then is written.

    Args:
      detector: the exported model.
      video: whatever VideoReader opens.
      output_directory: made where it is missing.
      score_threshold: in [0, 1]; lower scores are left out everywhere. An evaluation wants 0.
      every: seconds between keyframes.
      frame_settings: how the model's frames are taken from the video; by default as it was
        trained. Pictures keep their size. Time 0 is the video's first frame whatever they say.
      batch_size: clips a call of the model.
      groundtruth: AVA annotation csv to show beside the detections on the contact sheet.
      attention: also write attention.jpg: what the person of the highest score attended to.
      attended: called with each keyframe in order, with what each of its detections attended to.
      boxes: where people are, of a model that does not find them itself.
      video_id: what csv and JSON call it; by default the file's name without extension.
      progress: called with the seconds read and the duration, None where it is not known.
      log: gets a line for whatever the user should know of the video; detections.json has them too.

    Raises:
      UserError: a bad argument, a video that cannot be read, or an output folder that cannot
        be written.
    """
    check_arguments(score_threshold, every, batch_size)
    frame_settings = settings_for(detector, frame_settings)
    if attention or attended:
        check_attention(detector, "attention" if attention else "attended")
    video_id = video_id or name_video(video)
    people_at = BoxesOfVideo.read(detector, boxes, video_id)
    with (
        VideoReader(video, frame_settings=frame_settings) as reader,
        atomic_files(
            output_directory, ".detect_video.partial", replaces=[*RESULTS, NOTE]
        ) as folder,
    ):
        attend = people_at.attend if attention else None
        colours = class_colours(detector.class_names, detector.class_groups)
        pictures = Pictures(detector.class_names, colours, video_id, groundtruth, attend)
        drawn_size = stored_size(reader.size, LARGEST_DRAWN_SHORTER_SIDE)
        model_size = stored_size(reader.size, frame_settings.shorter_side)
        blank = np.empty([*drawn_size, 3], np.uint8)
        height, width = upscale(blank, ANNOTATED_SHORTER_SIDE).shape[:2]
        keyframes: list[KeyframeDetections] = []
        highest: Highest | None = None
        with (
            VideoWriter(
                os.path.join(folder, "annotated.mp4"), reader.frame_rate or 25, height, width
            ) as writer,
            _stop_request(live=reader.duration is None) as stopping,
        ):
            annotator = Annotator(writer, every, ANNOTATED_SHORTER_SIDE, colours)
            linker = Linker(every)

            def frames():
                for microseconds, picture in reader.span(0, FAR_FUTURE):
                    if stopping:
                        return
                    time = microseconds / MICROSECONDS
                    progress(time, reader.duration)
                    drawn = frame = reader.to_rgb(picture, drawn_size)
                    if model_size != drawn_size:
                        frame = reader.to_rgb(picture, model_size)
                    annotator.add(time, drawn)
                    yield time, frame

            def detect(
                clips: Sequence[KeyframeClip],
            ) -> list[tuple[ClipDetections, ClipAttention | None]]:
                if attended is not None:
                    return people_at.detect_with_attention(clips)
                return [(detections, None) for detections in people_at.detect(clips)]

            shown = ShownKeyframes(reader, frame_settings)
            for clip, (found, looked_at) in detect_keyframes(
                detector,
                frames(),
                every,
                frame_settings,
                batch_size=batch_size,
                keep=shown.has_frame,
                detect=detect,
            ):
                highest = max(highest, _highest(found, clip, detector), key=_score)
                detections = found.above(score_threshold)
                people = merge_people(*detections, detector.class_names)
                people = linker.link(clip.timestamp, people)
                if attended is not None and looked_at is not None:
                    attended(len(keyframes), people, clip, found, looked_at)
                keyframes.append(KeyframeDetections(clip.timestamp, detections, people))
                annotator.detected(clip.index, people)
                pictures.add(clip, people)
            people_at.check()
            if not keyframes:
                raise shown.none(video)
            annotator.finish()
        write_csv(os.path.join(folder, "detections.csv"), video_id, keyframes)
        write_tracks(os.path.join(folder, "tracks.csv"), video_id, keyframes)
        stopped = "interrupted" if stopping else reader.error
        notes = [
            *in_words(reader.events),
            *shown.notes,
            *people_at.notes,
            *pictures.notes,
            *_missing_frames(reader, keyframes, video_id, detector),
        ]
        write_json(
            os.path.join(folder, "detections.json"),
            keyframes,
            detector.class_names,
            detector.class_groups,
            video=video.encode("utf-8", "backslashreplace").decode(),
            video_id=video_id,
            stopped=stopped,
            notes=notes,
            saved_model=detector.path,
            score_threshold=score_threshold,
            every=every,
            height=reader.size[0],
            width=reader.size[1],
            frame_rate=reader.frame_rate,
            duration=reader.end_time / MICROSECONDS if reader.end_time else reader.duration,
            frame_settings=frame_settings.to_dict(),
            boxes=people_at.settings and dataclasses.asdict(people_at.settings),
        )
        for note in notes:
            log(note)
        pictures.write(folder)
        files = sorted(os.listdir(folder))
    count = sum(len(keyframe.detections.scores) for keyframe in keyframes)
    return VideoSummary(len(keyframes), count, files, stopped, None if count else highest)


def nothing_shown(highest: Highest, score_threshold: float) -> str:
    """What to do about a result without a detection."""
    shows = math.floor(highest.score * 100) / 100  # rounded down, so that it shows something
    shows = shows or math.floor(highest.score * 1e4) / 1e4
    return (
        f"nothing has a score of {score_threshold:g} or more: the highest is "
        f"{highest.score:.4f}, {highest.class_name} at {highest.timestamp:g} s; "
        f"`score_threshold` {shows:g} would show it"
    )


def _score(highest: Highest | None) -> float:
    return -1.0 if highest is None else highest.score


def _highest(detections: ClipDetections, clip: KeyframeClip, detector: Detector) -> Highest | None:
    if not len(detections.scores):
        return None
    class_id = int(detections.classes[0])  # by descending score
    name = detector.class_names.get(class_id, f"class {class_id}")
    return Highest(float(detections.scores[0]), name, clip.timestamp)


def _missing_frames(
    reader: VideoReader, keyframes: list[KeyframeDetections], video_id: str, detector: Detector
) -> list[str]:
    """A line on frames of clips that a folder of frames does not have."""
    if reader.frame_times is None:
        return []
    times = to_microseconds(np.array([keyframe.timestamp for keyframe in keyframes]))
    missing = MissingFrames(detector.num_frames, detector.frame_rate)
    missing.add_segment(video_id, reader.frame_times, times, reader.frame_rate or 0)
    return [missing.in_words()] if missing.number else []


def check_arguments(score_threshold: float, every: float, batch_size: int) -> None:
    """Raises UserError for a value out of range; cheap, so call it before loading a model."""
    if not (_is_number(score_threshold) and 0 <= score_threshold <= 1):
        raise UserError(f"score_threshold {shown(score_threshold)}: expected 0 to 1")
    if not (_is_number(every) and 1e-3 <= every < float("inf")):
        raise UserError(f"every {shown(every)}: expected seconds, 0.001 or more")
    if not (_is_number(batch_size) and batch_size >= 1 and float(batch_size).is_integer()):
        raise UserError(f"batch_size {shown(batch_size)}: expected a whole number, 1 or more")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


@contextlib.contextmanager
def _stop_request(live: bool):
    """A list that becomes non-empty when ctrl-C asks a live source to end; else ctrl-C raises."""
    requests: list[int] = []
    if not live:
        yield requests
        return

    def request(number, _):
        if requests:  # the second time: not waiting any longer
            raise KeyboardInterrupt
        requests.append(number)

    try:
        previous = signal.signal(signal.SIGINT, request)
    except ValueError:  # not the main thread
        yield requests
        return
    try:
        yield requests
    finally:
        signal.signal(signal.SIGINT, previous)
