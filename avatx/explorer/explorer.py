"""Writes the folder of a page that shows a result of detection: `index.html` and what it needs.

The page works from the disk, without a network: its data are scripts beside it. The video is
encoded again, for then its times are the result's whatever the file was (rotated, of variable
rate, beginning late, a folder of frames), and browsers play it.
"""

import importlib.resources
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from avatx import file_systems
from avatx.atomic_folder import atomic_folder, refuse_current_folder
from avatx.data.times import FAR_FUTURE, MICROSECONDS
from avatx.data.video.frame_encoding import stored_size
from avatx.data.video.frame_settings import FrameSettings, for_model
from avatx.data.video.keyframe_clips import keyframe_clips
from avatx.data.video.optical_flow import with_flow
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import FORMATS, VideoWriter
from avatx.errors import UserError, relative_to
from avatx.explorer.keyframe_scripts import KeyframeScripts
from avatx.explorer.page_data import data_script, page_data
from avatx.explorer.result import Result
from avatx.inference.boxes_of_video import BoxesOfVideo, BoxesSettings
from avatx.inference.detector import Detector
from avatx.inference.video_detection import Attended

PAGE = ("index.html", "explorer.css", "drawing.js", "timeline.js", "attention.js", "explorer.js")
DATA, KEYFRAMES = "data.js", "keyframes"
FILES = (*PAGE, DATA, *(f"video.{name}" for name in FORMATS))
NAMES = {*FILES, KEYFRAMES}
LARGEST_SHORTER_SIDE = 720  # of the video's copy

_NO_EXPORT = "made without a model; of an export with attention it can be shown"
_NO_BOXES = "the model has to be told where people are, and the file that told it is not there"
_NO_ATTENTION = "the export has no attention; that of a model with a Tx head can have it"


class ExplorerSummary(NamedTuple):
    """What was written."""

    index: str  # type: ignore[assignment]  # the page
    num_keyframes: int
    num_people: int
    num_attended: int  # people whose attention can be looked at
    no_attention: str | None  # why none can
    notes: list[str]  # what should be known of it, a line each


def write_explorer(
    result: Result | Callable[[Attended | None], Result],
    output: str,
    *,
    video: str | None = None,
    detector: Detector | None = None,
    boxes: BoxesSettings | None = None,
    groundtruth: str | None = None,
    video_format: str = "mp4",
    progress: Callable[[float, float | None], None] = lambda seconds, duration: None,
) -> ExplorerSummary:
    """Makes the folder `output`, whole or not at all; an older page there is replaced.

    Args:
      result: of detect_video; or what detects, so that the model looks at each keyframe once: it
        is called with detect_video's `attended`.
      output: a folder.
      video: what was detected in; by default what the result says.
      detector: the export that was detected with: where there is a result already, it looks at each
        keyframe with people again. None, or one without attention: the page says why it shows none.
      boxes: where people are, of a model that has to be told; by default what the result says.
      groundtruth: AVA annotation csv to show on demand.
      video_format: "mp4" (H.264) or "webm" (VP8, for a Chromium that was built without H.264).
      progress: called with the seconds read and the duration, None where it is not known.

    Raises:
      UserError: a bad argument, or a file that cannot be read or written.
    """
    if video_format not in FORMATS:
        raise UserError(f"video_format {video_format}: expected {' or '.join(FORMATS)}")
    check_output(output)
    with atomic_folder(output) as folder:
        os.makedirs(os.path.join(folder, KEYFRAMES))
        scripts = KeyframeScripts(os.path.join(folder, KEYFRAMES))
        looking = reason = None
        if isinstance(result, Result):
            if boxes is None and detector is not None and detector.needs_boxes:
                boxes = _boxes_of(result)
            reason = _why_no_attention(detector, boxes)
            if detector is not None and reason is None:
                video_id = str(result.facts.get("video_id", ""))
                looking = BoxesOfVideo.read(detector, boxes, video_id)
        else:
            reason = _why_no_attention(detector, boxes)
            result = result(scripts.add if reason is None else None)
        data = page_data(result, groundtruth)
        data["video"] = f"video.{video_format}"
        with _open(video, result, detector) as reader:
            _copy_video(reader, result, looking, scripts, folder, data["video"], progress)
            _check_length(reader, result)
            data["duration"] = (reader.end_time or 0) / MICROSECONDS
        for index, keyframe in enumerate(data["keyframes"]):
            keyframe["attention"] = sorted(scripts.people.get(index, []))
        data["attention"] = scripts.shape
        data["no_attention"] = reason
        _write(os.path.join(folder, DATA), data_script(data))
        page = importlib.resources.files("avatx.explorer") / "page"
        for name in PAGE:
            _write(os.path.join(folder, name), (page / name).read_text(encoding="utf-8"))
    return ExplorerSummary(
        os.path.join(output, PAGE[0]),
        len(result.keyframes),
        sum(len(keyframe.people) for keyframe in result.keyframes),
        sum(map(len, scripts.people.values())),
        reason,
        data["notes"],
    )


def _copy_video(
    reader: VideoReader,
    result: Result,
    looking: BoxesOfVideo | None,
    scripts: KeyframeScripts,
    folder: str,
    video_name: str,
    progress: Callable[[float, float | None], None],
) -> None:
    """Copies the video and, on the way, looks at the keyframes with people."""
    settings = _settings(result, looking.detector if looking else None)
    copy_size = stored_size(reader.size, LARGEST_SHORTER_SIDE)
    model_size = stored_size(reader.size, settings.shorter_side)

    with VideoWriter(
        os.path.join(folder, video_name), reader.frame_rate or 25, *copy_size
    ) as writer:

        def frames() -> Iterator[tuple[float, np.ndarray]]:
            for microseconds, picture in reader.span(0, FAR_FUTURE):
                time = microseconds / MICROSECONDS
                progress(time, reader.duration)
                frame = reader.to_rgb(picture, copy_size)
                writer.write(frame, time)
                if looking is None or copy_size == model_size:
                    yield time, frame
                else:
                    yield time, reader.to_rgb(picture, model_size)

        if looking is None:
            for _ in frames():
                pass
            return
        detector = looking.detector
        method = settings.optical_flow if detector.has_flow else ""
        stream = with_flow(frames(), method) if method else frames()
        with_people = {
            round(keyframe.timestamp, 6): (index, keyframe.people)
            for index, keyframe in enumerate(result.keyframes)
            if keyframe.people
        }
        every = float(result.facts["every"])
        for clip in keyframe_clips(stream, every, detector.num_frames, detector.frame_rate):
            if round(clip.timestamp, 6) in with_people:
                index, people = with_people[round(clip.timestamp, 6)]
                scripts.add(index, people, clip, *looking.attend(clip))


def _settings(result: Result, detector: Detector | None) -> FrameSettings:
    if "frame_settings" in result.facts:
        return FrameSettings.from_dict(result.facts["frame_settings"])
    if detector is not None:
        return for_model(detector.frame_settings, detector.has_flow)
    return FrameSettings()


def _why_no_attention(detector: Detector | None, boxes: BoxesSettings | None) -> str | None:
    if detector is None:
        return _NO_EXPORT
    if not detector.has_attention:
        return _NO_ATTENTION
    if detector.needs_boxes and boxes is None:
        return _NO_BOXES
    return None


def _boxes_of(result: Result) -> BoxesSettings | None:
    """What the result was told of where people are, where the file is still there."""
    told = result.facts.get("boxes")
    boxes = BoxesSettings(**told) if told else None
    return boxes if boxes and file_systems.is_file(boxes.path) else None


def _open(video: str | None, result: Result, detector: Detector | None) -> VideoReader:
    path = video or str(result.facts.get("video") or "")
    if not path:
        raise UserError(f"{result.path}: does not say which video it is of; give `video`")
    if video is None and "://" not in path and not os.path.exists(path):
        raise UserError(
            f"{result.path}: its video {path} is not there{relative_to(path)}; give `video`, where "
            "it is now"
        )
    reader = VideoReader(path, frame_settings=_settings(result, detector))
    expected = result.facts.get("height"), result.facts.get("width")
    if None not in expected and tuple(reader.size) != expected:
        height, width = reader.size
        raise UserError(
            f"video {path}: {width} x {height} pixels, and the result in {result.path} is of one "
            f"of {expected[1]} x {expected[0]}; give the video that was detected in"
        )
    return reader


def _check_length(reader: VideoReader, result: Result) -> None:
    """Of a video read to its end: as long as the result says, where that was read to its end."""
    facts = result.facts
    if reader.end_time is None or "stopped" not in facts or facts["stopped"] is not None:
        return
    length, expected = reader.end_time / MICROSECONDS, facts.get("duration")
    # A copy at another frame rate ends within a frame of it.
    rates = [rate for rate in (reader.frame_rate, facts.get("frame_rate")) if rate]
    if expected is not None and abs(length - expected) > 1.5 / min(rates, default=25):
        raise UserError(
            f"video {reader.path}: {length:.2f} s long, and the result in {result.path} is of one "
            f"of {expected:.2f} s; give the video that was detected in"
        )


def check_output(output: str) -> None:
    """Refuses a folder that holds anything but an older page, whole: it goes as a whole."""
    refuse_current_folder(output)
    if os.path.isdir(output):
        held = set(os.listdir(output))
        foreign = sorted(held - NAMES if held >= {*PAGE, DATA} else held)
        if foreign:
            raise UserError(
                f"output {output}: holds {foreign[0]} and is no such page, whole; give a folder of "
                "its own"
            )
    elif os.path.exists(output):
        raise UserError(f"output {output}: is a file; give a folder")


def _write(path: str, text: str) -> None:
    # The whole folder takes its place at once: no file of it needs to.
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
