"""Sizes and frame rates of the videos that an export speaks of, which many exports do not say."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from avatx.data.annotations.fields import checked_video
from avatx.data.times import MICROSECONDS
from avatx.data.video.frame_source import numbers_of, shift_of
from avatx.data.video.video_folder import VideoFolder
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError, shown


class Clock(NamedTuple):
    """When a video's frames are shown.

    Attributes:
      frame_rate: frames a second, on average.
      times: [N] seconds of its frames; None where the rate alone is known.
      frames: how many it has; None where that is not known, or no matter.
    """

    frame_rate: float
    times: np.ndarray | None = None
    frames: int | None = None

    def seconds(self, frame: int) -> float:
        """Seconds of a frame, counted from 0; those past the last one go on at the rate."""
        if self.times is None or not len(self.times):
            return frame / self.frame_rate
        beyond = max(frame - (len(self.times) - 1), 0)
        return float(self.times[frame - beyond]) + beyond / self.frame_rate


class Videos:
    """Opens videos when they are asked for.

    Args:
      annotations: path of the export, for messages.
      folders: of videos; may be none.
      frame_rate: frames a second of all, asked for in place of the videos; None asks them.
    """

    def __init__(
        self, annotations: str, folders: Sequence[str] = (), frame_rate: float | None = None
    ):
        self._annotations = annotations
        self._folder = VideoFolder(list(folders)) if folders else None
        self._given = frame_rate
        self._clocks: dict[str, Clock] = {}
        self._shown: dict[str, np.ndarray] = {}
        self._known: dict[str, tuple[tuple[int, int], float | None]] = {}

    def clock(self, video: str, stated: float | None = None) -> Clock:
        """When its frames are shown: as `frame_rate` has it, as the video, or as is stated.

        Frames of a folder are known by their numbers, so the rate tells when they are shown.

        Args:
          video: id.
          stated: frames a second, as the annotations have them; None where they do not.

        Raises:
          UserError: nobody says.
        """
        if video not in self._clocks:
            clock = self._clock(video, stated)
            self._clocks[video] = clock._replace(frames=self.number_of_frames(video))
        return self._clocks[video]

    def _clock(self, video: str, stated: float | None) -> Clock:
        if self._given is not None:
            return Clock(self._given)
        path = self._find(video)
        if path is None and stated is not None:
            return Clock(stated)
        try:
            rate = self._look(video, "frame rate")[1] or stated
        except UserError:
            if stated is None:
                raise
            return Clock(stated)  # what is wrong with the video, making records tells
        if path is None or os.path.isdir(path):
            rate = stated or rate
        if rate is None:
            raise UserError(
                f"{self._annotations}: video {shown(video)} does not say its frame rate; give "
                "`frame_rate`"
            )
        if path is None or os.path.isdir(path):
            return Clock(rate)
        return Clock(rate, self._times(video, path))

    def alone(self) -> str | None:
        """The id of the one video in the folders; None where there are others, or none."""
        names = self._folder.names() if self._folder is not None else set()
        return next(iter(names)) if len(names) == 1 else None

    def first_number(self, video: str) -> int | None:
        """The number of a folder's first frame; None where the video is no folder."""
        path = self._find(video)
        span = numbers_of(path) if path is not None and os.path.isdir(path) else None
        return span and span[0]

    def number_of_frames(self, video: str) -> int | None:
        """How many frames its file has, or a folder up to its last number.

        None where that is not known, or no matter: with `frame_rate` of another rate than the
        video's its frames are not those that are counted.
        """
        path = self._find(video)
        if path is None:
            return None
        try:
            if os.path.isdir(path):
                span = numbers_of(path)
                return span and span[1] - shift_of(span[0]) + 1
            rate = self._look(video, "frame rate")[1]
            if self._given is not None and (rate is None or not _alike(rate, self._given)):
                return None
            return len(self._times(video, path))
        except UserError:
            return None  # what is wrong with the video, making records tells

    def end(self, video: str) -> float | None:
        """Seconds at which the last frame of its file ends; None where that is not known."""
        path = self._find(video)
        if path is None or os.path.isdir(path):
            return None
        try:
            rate, times = self._look(video, "frame rate")[1], self._times(video, path)
        except UserError:
            return None  # what is wrong with the video, making records tells
        return float(times[-1]) + 1 / rate if rate and len(times) else None

    def _times(self, video: str, path: str) -> np.ndarray:
        """[N] seconds of the frames of a file."""
        if video not in self._shown:
            with VideoReader(path) as reader:
                self._shown[video] = reader.picture_times() / MICROSECONDS
        return self._shown[video]

    def size(self, video: str) -> tuple[int, int]:
        """(height, width) in pixels. Raises UserError where the video is absent."""
        return self._look(video, "frame size")[0]

    def _look(self, video: str, what: str) -> tuple[tuple[int, int], float | None]:
        if video not in self._known:
            path = self._find(video)
            if path is None:
                if self._folder is None:
                    absent = "no folder of videos was given"
                else:
                    absent = f"it is absent{self._folder.hint(video)}"
                other = " or `frame_rate`" if what == "frame rate" else ""
                raise UserError(
                    f"{self._annotations}: the annotations do not say the {what} of video "
                    f"{shown(video)}, and {absent}; give `videos`, the folder it is in{other}"
                )
            with VideoReader(path) as reader:
                self._known[video] = (reader.size, reader.frame_rate)
        return self._known[video]

    def _find(self, video: str) -> str | None:
        checked_video(self._annotations, video)
        try:
            return self._folder.find(video) if self._folder is not None else None
        except UserError as error:
            raise UserError(f"{self._annotations}: {error}") from error


def _alike(rate: float, other: float) -> bool:
    return abs(rate - other) <= 0.01 * other
