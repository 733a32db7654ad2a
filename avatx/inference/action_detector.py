"""The Python interface: `avatx.load(path)` gives an `ActionDetector`, which needs no TensorFlow.

No knowledge of it, that is: TensorFlow runs the model, and is imported by `load`.
"""

import functools
import os
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from avatx import stderr_noise
from avatx.data.video.frame_encoding import shrunk, stored_size
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.keyframe_clips import keyframe_clips
from avatx.data.video.optical_flow import with_flow
from avatx.data.video.reading_event import in_words
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError, shown
from avatx.inference.boxes_of_video import BoxesOfVideo, BoxesSettings
from avatx.inference.detector import Detector
from avatx.inference.keyframe_detection import ShownKeyframes, detect_keyframes, settings_for
from avatx.inference.linking import Linker
from avatx.inference.live_clips import NewestClip, stamped
from avatx.inference.results import (
    DetectedKeyframe,
    DetectedPerson,
    LiveKeyframe,
    VideoResult,
    people_of,
)
from avatx.inference.video_detection import check_arguments
from avatx.inference.video_outputs import name_video


def load(path: str | os.PathLike[str]) -> "ActionDetector":
    """A detector from what tools/exporter_main.py wrote.

    Args:
      path: the export's folder, or the saved_model folder in it.

    Raises:
      UserError: there is no export, or it cannot be loaded; one line says why.
    """
    text = _path(path, "path")
    with stderr_noise.dropped():
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")  # the first look for GPUs is noisy
    return ActionDetector(Detector(text))


class ActionDetector:
    """Finds people in video, and what they do.

        detector = avatx.load("export")
        for keyframe in detector.detect("film.mp4"):
            for person in keyframe.people:
                print(keyframe.time, person.box, person.label, person.scores)

    One object may be used for any number of videos, from any number of threads. A process that it
    is sent to loads it from its folder again.

    Args:
      model: the exported model as a function on arrays.

    Attributes:
      model: the same.
      labels: all that it may say of a person, by class id.
      num_frames: frames of a clip.
      frame_rate: frames a second of a clip.
      lookahead: seconds after a keyframe that its clip has frames of: the least latency there is.
    """

    def __init__(self, model: Detector):
        self.model = model
        self.labels: tuple[str, ...] = tuple(model.class_names.values())
        self.num_frames = model.num_frames
        self.frame_rate = model.frame_rate
        self.lookahead = max((model.num_frames / 2 - 1) / model.frame_rate, 0.0)

    def __repr__(self) -> str:
        return (
            f"ActionDetector({self.model.path!r}: {len(self.labels)} labels, clips of "
            f"{self.num_frames} frames, {self.frame_rate:g} a second)"
        )

    def __reduce__(self):
        """In another process it is loaded anew."""
        return load, (self.model.path,)

    def detect(
        self,
        video: str | os.PathLike[str],
        *,
        score_threshold: float = 0.3,
        every: float = 1.0,
        batch_size: int = 1,
        frame_settings: FrameSettings | None = None,
        boxes: BoxesSettings | str | os.PathLike[str] | None = None,
        progress: Callable[[float, float | None], None] = lambda seconds, duration: None,
    ) -> VideoResult:
        """What people do in a video, at a keyframe every so many seconds.

        Args:
          video: a file, a folder of numbered frames, or a URL.
          score_threshold: in [0, 1]; lower scores are left out.
          every: seconds between keyframes.
          batch_size: clips a call of the model; more is faster on a GPU.
          frame_settings: how frames are taken from the video; by default as for its training.
          boxes: where people are, of a model that has to be told (proposal_source EXTERNAL): a
            file of boxes, or `BoxesSettings` of one.
          progress: called with the seconds read and the video's duration, None where unknown.

        Raises:
          UserError: a bad argument, or a video that cannot be read.
        """
        check_arguments(score_threshold, every, batch_size)
        settings = settings_for(self.model, frame_settings)
        path = _path(video, "video", "; `detect_clip` takes frames, and `watch` a camera's")
        people_at = BoxesOfVideo.read(self.model, boxes, name_video(path))
        with VideoReader(path, frame_settings=settings) as reader:
            size = stored_size(reader.size, settings.shorter_side)

            def frames() -> Iterator[tuple[float, np.ndarray]]:
                for seconds, frame in reader.frames(size=size):
                    progress(seconds, reader.duration)
                    yield seconds, frame

            seen = ShownKeyframes(reader, settings)
            linker = Linker(every)
            keyframes = tuple(
                DetectedKeyframe(
                    clip.timestamp,
                    people_of(
                        detections.above(score_threshold),
                        self.model.class_names,
                        functools.partial(linker.link, clip.timestamp),
                    ),
                )
                for clip, detections in detect_keyframes(
                    self.model,
                    frames(),
                    every,
                    settings,
                    batch_size=batch_size,
                    keep=seen.has_frame,
                    detect=people_at.detect,
                )
            )
            if not keyframes:
                raise seen.none(path)
            people_at.check()
            notes = (*in_words(reader.events), *seen.notes, *people_at.notes)
            return VideoResult(name_video(path), keyframes, self.labels, reader.error, notes)

    def detect_clip(
        self,
        frames: np.ndarray | Sequence[np.ndarray],
        *,
        score_threshold: float = 0.3,
        boxes: np.ndarray | Sequence[Sequence[float]] | None = None,
    ) -> tuple[DetectedPerson, ...]:
        """Who is at the middle of one clip, and what they do.

        Args:
          frames: `num_frames` frames, `frame_rate` of them a second: an array
            [num_frames, H, W, 3] uint8 RGB, or a list of [H, W, 3]. Of a model with a flow stream 5
            channels (see `avatx.data.video.optical_flow`). Any H and W; large frames are shrunk as
            for the model's training.
          score_threshold: in [0, 1]; lower scores are left out.
          boxes: where people are at the clip's middle, of a model that has to be told
            (proposal_source EXTERNAL): [N, 4], ymin, xmin, ymax and xmax as fractions of the frame.

        Raises:
          UserError: frames that are none, or too few, a bad threshold, or boxes that are none,
            are missing, or are not asked for.
        """
        check_arguments(score_threshold, 1.0, 1)
        clip = self._checked_clip(frames)
        people_at = self._checked_boxes(boxes)
        (detections,) = self.model.detect(clip[np.newaxis], people_at)
        return people_of(detections.above(score_threshold), self.model.class_names)

    def watch(
        self,
        source: str | os.PathLike[str] | Iterable[np.ndarray],
        *,
        every: float = 1.0,
        score_threshold: float = 0.3,
    ) -> Iterator[LiveKeyframe]:
        """People of a camera, as they act; leave the loop to end it.

        A keyframe's result comes when the second half of its clip has been seen and the model has
        run: `latency` says after how long. Where the model takes longer than `every`, keyframes are
        skipped (`skipped`) so that the latency does not grow.

        Args:
          source: a camera (`/dev/video0`), a stream (`rtsp://...`), or anything that gives frames
            [H, W, 3] uint8 RGB as they come: their time is that of their arrival.
          every: seconds between keyframes.
          score_threshold: in [0, 1]; lower scores are left out.

        Raises:
          UserError: a bad argument, a source that cannot be read, a file, for which `detect`
            is, or a model that has to be told where people are.
        """
        check_arguments(score_threshold, every, 1)
        if self.model.needs_boxes:
            raise UserError(
                f"{self.model.path}: this model has proposal_source EXTERNAL, so it has to be told "
                "where people are; cut clips yourself, and give `detect_clip` their boxes"
            )
        settings = settings_for(self.model, None)
        if isinstance(source, str | os.PathLike):
            stream = _live_frames(_path(source, "source"), settings)
        elif isinstance(source, Iterable):
            stream = stamped(self._checked_frames(source, settings))
        else:
            raise UserError(f"source {shown(source)}: expected a path, a URL or frames")

        def cut(frames):
            if self.model.has_flow:
                frames = with_flow(frames, settings.optical_flow)
            return keyframe_clips(frames, every, self.num_frames, self.frame_rate)

        return self._watch(NewestClip(stream, cut), score_threshold, Linker(every))

    def _watch(
        self, clips: NewestClip, score_threshold: float, linker: Linker
    ) -> Iterator[LiveKeyframe]:
        for clip, moment, skipped in clips:
            (detections,) = self.model.detect(clip.frames[np.newaxis])
            people = people_of(
                detections.above(score_threshold),
                self.model.class_names,
                functools.partial(linker.link, clip.timestamp),
            )
            latency = time.monotonic() - moment
            yield LiveKeyframe(clip.timestamp, people, latency, skipped)

    def _checked_clip(self, frames) -> np.ndarray:
        channels = 5 if self.model.has_flow else 3
        expected = f"expected uint8 [{self.num_frames}, height, width, {channels}]"
        if isinstance(frames, str | os.PathLike):
            raise UserError(
                f"frames {shown(frames)}: is a text; {expected}; `detect` takes a video's path"
            )
        if isinstance(frames, Iterator):
            raise UserError(
                f"frames: a {type(frames).__name__}, which gives its frames once; {expected}: an "
                "array, or a list, as list(...) makes"
            )
        try:
            clip = np.asarray(frames)
        except ValueError as error:
            raise UserError(f"frames: not all of one size; {expected}") from error
        if not clip.size and clip.ndim == 1:
            raise UserError(f"frames: none are given; {expected}")
        if clip.dtype == object:
            raise UserError(f"frames {shown(frames)}: are no numbers; {expected}, values 0 to 255")
        if clip.dtype != np.uint8:
            raise UserError(f"frames: an array of {clip.dtype}; {expected}, values 0 to 255")
        if clip.ndim != 4 or clip.shape[-1] != channels or 0 in clip.shape[1:]:
            raise UserError(f"frames: shape {list(clip.shape)}; {expected}")
        if len(clip) != self.num_frames:
            raise UserError(
                f"frames: {len(clip)} of them; {expected}: the model's clips have "
                f"{self.num_frames} frames, {self.frame_rate:g} a second"
            )
        if channels == 3:
            size = stored_size(
                (clip.shape[1], clip.shape[2]), settings_for(self.model, None).shorter_side
            )
            clip = np.stack([shrunk(frame, size) for frame in clip])
        return clip

    def _checked_boxes(self, boxes) -> list[np.ndarray] | None:
        if boxes is None and not self.model.needs_boxes:
            return None
        expected = "expected [N, 4], ymin, xmin, ymax, xmax as fractions of the frame"
        if boxes is None:
            raise UserError(
                f"boxes: this model ({self.model.path}) has to be told where people are; {expected}"
            )
        if not self.model.needs_boxes:
            raise UserError(f"boxes: the model {self.model.path} finds people itself; leave it out")
        try:
            array = np.asarray(boxes, np.float32)
        except (TypeError, ValueError) as error:
            raise UserError(f"boxes {shown(boxes)}: are no numbers; {expected}") from error
        array = array.reshape(-1, 4) if not array.size else array  # [] is nobody
        if array.ndim != 2 or array.shape[1] != 4:
            raise UserError(f"boxes: shape {list(array.shape)}; {expected}")
        if not (
            np.isfinite(array).all() and array.min(initial=0) >= 0 and array.max(initial=1) <= 1
        ):
            raise UserError(f"boxes: {shown(array.tolist())} leave the frame; {expected}")
        return [array]

    def _checked_frames(
        self, frames: Iterable[np.ndarray], settings: FrameSettings
    ) -> Iterator[np.ndarray]:
        size = None
        for frame in frames:
            try:
                array = np.array(frame)  # a copy: a camera may fill its buffer anew
            except ValueError as error:
                raise UserError(
                    "source: gave a frame whose rows differ in length; expected frames uint8 "
                    "[height, width, 3], RGB"
                ) from error
            if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3 or not array.size:
                raise UserError(
                    f"source: gave {shown(array.dtype)} of shape {list(array.shape)}; expected "
                    "frames uint8 [height, width, 3], RGB"
                )
            size = size or array.shape
            if array.shape != size:
                raise UserError(
                    f"source: gave a frame of shape {list(array.shape)} behind ones of "
                    f"{list(size)}; expected one size"
                )
            yield shrunk(array, stored_size((size[0], size[1]), settings.shorter_side))


def _path(value: object, name: str, advice: str = "") -> str:
    """As text; an empty one, or what is no path, is refused by name."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise UserError(f"{name}: {shown(value)} is no path; expected a text{advice}")
    text = os.fsdecode(os.fspath(value))
    if text.startswith("file://"):  # `pathlib.Path.as_uri` writes %20 for a space
        plain = urllib.parse.unquote(text.removeprefix("file://").removeprefix("localhost"))
        return plain if os.path.exists(plain) else text
    return text


def _live_frames(path: str, settings: FrameSettings) -> Iterator[tuple[float, np.ndarray]]:
    with VideoReader(path, frame_settings=settings) as reader:
        if reader.duration is not None:
            raise UserError(
                f"source: {path} is a video of {reader.duration:.1f} s and no camera; use `detect`"
            )
        size = stored_size(reader.size, settings.shorter_side)
        yield from reader.frames(size=size)
