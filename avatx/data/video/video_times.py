"""Whether a moment of an id's video can be had: for the check of a csv, as records are made."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from avatx.data.times import FAR_FUTURE, MICROSECONDS, to_microseconds
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.missing_frames import distances_to_frames, keyframe_bound
from avatx.data.video.video_folder import VideoFolder
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError
from avatx.progress import Progress

_TAIL_SECONDS = 3  # decoded to find the end


class _Times(NamedTuple):
    """Microseconds on the video's own clock."""

    end: int  # of the last frame
    grace: int  # half a frame: for a keyframe at the very end by another clock
    frames: np.ndarray | None  # of a folder: when there is a frame, [N] int64
    bound: float  # of a folder: how near one must be


class VideoTimes(Mapping):
    """Video id -> seconds to the end of its last frame, of videos that are opened when asked for.

    Which file is the video of an id says `VideoFolder`, and when a frame is shown `VideoReader`, as
    for records. One that cannot be read has None and is listed in `broken` with the reason.

    Args:
      folders: of videos.
      frame_settings: how frames would be taken.
    """

    def __init__(self, folders: Sequence[str], frame_settings: FrameSettings | None = None):
        self._folder = VideoFolder([str(folder) for folder in folders])
        self._settings = frame_settings or FrameSettings()
        self._paths: dict[str, str | None] = {}
        self._times: dict[str, _Times | None] = {}
        self._refused: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self._progress: Progress | None = None

    def expect(self, video_ids: Iterable[str]) -> None:
        """Says that these will be asked for: the line that says how many are open knows of all."""
        left = [name for name in video_ids if name not in self._times and name in self]
        if left:
            self._progress = Progress("opening", "videos", len(left))

    def end_progress(self) -> None:
        """Nobody asks for a while: the line that says how many videos were opened is done."""
        if self._progress is not None:
            self._progress.end()
            self._progress = None

    def problem(self, video_id: str, timestamp: float) -> str | None:
        """Why there is no frame at a csv's moment (seconds); None where there is one."""
        problem = self.problem_unopened(video_id, timestamp)
        if problem is not None:
            return problem
        path = self._path(video_id)
        assert path is not None
        times = self._measured(video_id, path)
        start = self._settings.video_start_seconds
        moment = self._moment(timestamp)
        if times is None:
            return None
        if moment > times.end + times.grace:
            end = start + times.end / MICROSECONDS
            return f"timestamp {timestamp:g} s is past the end of the video at {end:.3f} s"
        if times.frames is not None:
            distance = int(distances_to_frames(times.frames, np.array([moment]))[0])
            if distance > times.bound:
                return (
                    f"timestamp {timestamp:g} s has no frame within "
                    f"{times.bound / MICROSECONDS:.3f} s; the nearest is "
                    f"{distance / MICROSECONDS:.3f} s away"
                )
        return None

    def problem_unopened(self, video_id: str, timestamp: float) -> str | None:
        """As `problem`, of what is known without the video's being opened."""
        if self._path(video_id) is None:
            return self._refused[video_id]
        start = self._settings.video_start_seconds
        try:
            early = self._moment(timestamp) < 0
        except ValueError as error:
            return str(error)
        if early:
            return f"timestamp {timestamp:g} s is before the video's first frame, at {start:g} s"
        return None

    def _moment(self, timestamp: float) -> int:
        """Microseconds on the video's own clock."""
        start = self._settings.video_start_seconds
        return int(to_microseconds(timestamp)) - round(start * MICROSECONDS)

    def _path(self, video_id: str) -> str | None:
        if video_id not in self._paths:
            try:
                self._paths[video_id] = self._folder.find(video_id)
            except UserError as error:
                self._paths[video_id] = None
                self._refused[video_id] = str(error)
            else:
                if self._paths[video_id] is None:
                    hint = self._folder.hint(video_id)
                    self._refused[video_id] = f"unknown video {video_id!r}{hint}"
        return self._paths[video_id]

    def __getitem__(self, video_id: str) -> float | None:
        path = self._path(video_id)
        if path is None:
            raise KeyError(video_id)
        times = self._measured(video_id, path)
        return None if times is None else times.end / MICROSECONDS

    def __contains__(self, video_id) -> bool:
        return self._path(video_id) is not None

    def __iter__(self) -> Iterator[str]:
        return (video_id for video_id, path in self._paths.items() if path is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _measured(self, video_id: str, path: str) -> _Times | None:
        if video_id not in self._times:
            self._times[video_id] = None
            self._progress = self._progress or Progress("opening", "videos")
            try:
                self._times[video_id] = self._measure(path)
            except UserError as error:
                self.broken[path] = str(error).replace(f"{path}: ", "")
            except Exception as error:  # of any library: the other videos are still to be seen
                self.broken[path] = f"{type(error).__name__}: {error}"
            self._progress.add(1)
        return self._times[video_id]

    def _measure(self, path: str) -> _Times:
        with VideoReader(path, frame_settings=self._settings) as reader:
            frames = reader.frame_times
            end = reader.stated_end
            if end is None:
                tail = max((reader.duration or 0) - _TAIL_SECONDS, 0)
                for _ in reader.span(round(tail * MICROSECONDS), FAR_FUTURE):
                    pass
                end = reader.end_time
            if end is None:
                raise UserError(f"{path}: no frame of it can be decoded ({reader.error})")
            rate = reader.frame_rate or 25
            bound = keyframe_bound(rate, self._settings.max_frame_rate)
            return _Times(end, round(MICROSECONDS / rate / 2), frames, bound)
