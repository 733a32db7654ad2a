"""An exported detector at the keyframes of a stream of frames, however it is called."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from avatx.data.times import MICROSECONDS
from avatx.data.video.frame_settings import FrameSettings, for_model
from avatx.data.video.keyframe_clips import KeyframeClip, keyframe_clips
from avatx.data.video.missing_frames import keyframe_bound
from avatx.data.video.optical_flow import METHODS, with_flow
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError
from avatx.inference.detector import Detector

Found = TypeVar("Found")


def settings_for(detector: Detector, frame_settings: FrameSettings | None) -> FrameSettings:
    """How to take frames for it: as asked for, else as it was trained.

    Raises:
      UserError: no optical flow is asked for, and the model needs it.
    """
    if not isinstance(frame_settings, FrameSettings | None):
        found = type(frame_settings).__name__
        raise UserError(f"frame_settings is a {found}; expected a FrameSettings")
    settings = frame_settings or for_model(detector.frame_settings, detector.has_flow)
    if detector.has_flow and not settings.optical_flow:
        raise UserError(
            "optical_flow is empty, and the model has a flow stream: expected "
            f"{' or '.join(METHODS)}"
        )
    return settings


def detect_keyframes(
    detector: Detector,
    frames: Iterable[tuple[float, np.ndarray]],
    every: float,
    frame_settings: FrameSettings,
    *,
    batch_size: int = 1,
    keep: Callable[[KeyframeClip], bool] = lambda clip: True,
    detect: Callable[[Sequence[KeyframeClip]], list[Found]],
) -> Iterator[tuple[KeyframeClip, Found]]:
    """Each keyframe's clip and what was found in it, in order.

    Args:
      detector: the exported model.
      frames: (seconds, [H, W, 3] uint8 RGB), ascending from 0; read once.
      every: seconds between keyframes.
      frame_settings: see `settings_for`; of which optical flow is heeded here.
      batch_size: clips a call of the model.
      keep: whether a keyframe is to be looked at.
      detect: what is found in each of a batch of clips.
    """
    stream = with_flow(frames, frame_settings.optical_flow) if detector.has_flow else frames
    clips = keyframe_clips(stream, every, detector.num_frames, detector.frame_rate)
    for batch in _batches(filter(keep, clips), batch_size):
        yield from zip(batch, detect(batch), strict=True)


class ShownKeyframes:
    """Which keyframes of a folder of frames have one, and how many have not.

    A picture of a file is shown until the next, however long; that of a folder is shown for its
    frame's time.
    """

    def __init__(self, reader: VideoReader, settings: FrameSettings):
        self._reader = reader
        self._bound = None
        self._num_missing = 0
        if reader.frame_times is not None and reader.frame_rate:
            bound = keyframe_bound(reader.frame_rate, settings.max_frame_rate)
            self._bound = bound / MICROSECONDS

    def has_frame(self, clip: KeyframeClip) -> bool:
        if self._bound is None or clip.distance <= self._bound:
            return True
        self._num_missing += 1
        return False

    def none(self, video: str) -> UserError:
        """What to raise where no keyframe of the video, now read, could be shown."""
        why = self._reader.error or "; ".join(self.notes) or "it is empty"
        return UserError(f"{video}: no keyframe of it can be shown ({why})")

    @property
    def notes(self) -> list[str]:
        if not self._num_missing:
            return []
        return [
            f"{self._num_missing} keyframes left out: no frame is within {self._bound:.3f} s of "
            "them, half the distance of the frames"
        ]


def _batches(clips: Iterator[KeyframeClip], batch_size: int) -> Iterator[list[KeyframeClip]]:
    batch: list[KeyframeClip] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch
