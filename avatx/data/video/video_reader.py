"""Frames of a video by presentation time: a file, a folder of frames, a camera or a stream.

Time 0 is the presentation time of the video's first frame, whatever clock the container starts
with; frame numbers and frame rates play no part in finding a frame. Memory is bounded: frames are
decoded as they are asked for, and seeking lands on the key frame before the wanted moment.
"""

import os
from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from avatx.data.times import MICROSECONDS
from avatx.data.video.container_source import ContainerSource
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.frame_source import FrameFolder
from avatx.data.video.packet_source import WAIT_SECONDS
from avatx.data.video.reading_event import ReadingEvent


class VideoReader:
    """Reads any video.

        with VideoReader("film.mp4") as reader:
            for time, frame in reader.frames(start=900, end=910):
                ...

    Args:
      source: path of a video file, path of a folder of numbered frames, or whatever PyAV opens
        (`/dev/video0`, `rtsp://...`, `https://...`). Paths with a scheme that TensorFlow's file
        systems know (`gs://`, `s3://`) are read through them.
      frame_settings: of which the reader heeds when a folder's frames are shown, and how many
        frames a second there are at most; by default there are all. Frames keep their size.
      num_threads: decoder threads; 0 lets FFmpeg choose. For a file or stream only.
      wait_seconds: the longest wait for data of a pipe, a camera or a server; then reading ends.

    Attributes:
      size: (height, width) in pixels, after rotation metadata.
      frame_rate: average frames a second, or None where the container does not say.
      duration: seconds from the first frame to the end of the last, as the container states it;
        None for a live stream and where the container does not say.
      error: why reading stopped before the end (truncated or corrupt file), in one phrase, else
        None. Set while iterating; iteration itself just ends.
      events: what happened that the user should know, see `reading_event`. Set while iterating.
      provenance: decoder and source facts, JSON-able.

    Raises:
      UserError: nothing is there, or nothing in it can be decoded as video.
    """

    def __init__(
        self,
        source: str,
        *,
        frame_settings: FrameSettings | None = None,
        num_threads: int = 0,
        wait_seconds: float = WAIT_SECONDS,
    ):
        self.path = os.fspath(source)
        settings = FrameSettings() if frame_settings is None else frame_settings
        self._max_frame_rate = settings.max_frame_rate
        self._source: FrameFolder | ContainerSource
        if os.path.isdir(self.path):
            self._source = FrameFolder(self.path, settings.folder_frame_rate)
        else:
            self._source = ContainerSource(self.path, num_threads, wait_seconds)

    @property
    def size(self) -> tuple[int, int]:
        return self._source.size

    @property
    def frame_rate(self) -> float | None:
        return self._source.frame_rate

    @property
    def duration(self) -> float | None:
        return self._source.duration

    @property
    def error(self) -> str | None:
        return self._source.error

    @property
    def events(self) -> set[ReadingEvent]:
        return self._source.events

    @property
    def provenance(self) -> dict[str, Any]:
        return self._source.provenance

    @property
    def end_time(self) -> int | None:
        """Microseconds at which the last frame read ends, once reading has stopped; else None."""
        return self._source.end_time

    @property
    def frame_times(self) -> np.ndarray | None:
        """Of a folder: when each of its frames is shown, [N] int64 microseconds; else None."""
        return self._source.frame_times

    def picture_times(self) -> np.ndarray:
        """When each picture of a folder or file is shown, [N] int64 microseconds, ascending.

        The packets say it without decoding in most files; others are decoded.
        """
        times = self.frame_times
        return cast(ContainerSource, self._source).picture_times() if times is None else times

    @property
    def stated_end(self) -> int | None:
        """Microseconds at which the last frame ends, where that is known without decoding."""
        return self._source.stated_end

    @property
    def ended(self) -> bool:
        """True once reading has met the end of the data, and not damage in its midst."""
        return self._source.ended

    def frames(
        self,
        start: float | None = None,
        end: float | None = None,
        *,
        size: tuple[int, int] | None = None,
    ) -> Iterator[tuple[float, np.ndarray]]:
        """Frames with start <= time < end, in order of presentation.

        A live source cannot go back: there every call continues where the last one stopped.

        Args:
          start: seconds; None is the first frame.
          end: seconds; None is the end of the video.
          size: (height, width) to resize to while converting; None keeps the video's.

        Yields:
          (time in seconds, [H, W, 3] uint8 RGB).
        """
        first = None if start is None else round(start * MICROSECONDS)
        last = None if end is None else round(end * MICROSECONDS)
        for time, picture in self._pictures(first):
            if last is not None and time >= last:
                return
            if first is None or time >= first:
                yield time / MICROSECONDS, self._source.to_rgb(picture, size)

    def _pictures(self, start: int | None) -> Iterator[tuple[int, Any]]:
        """The source's pictures from `start` or before on, thinned where that is asked for.

        Of each 1 / max_frame_rate seconds the first frame is kept; they are counted from time 0,
        so every call keeps the same frames.
        """
        rate = self._max_frame_rate
        if not rate:
            yield from self._source.pictures(start)
            return
        # Thinning has to begin at the first frame of a cell, not where seeking happens to land.
        begin = None if start is None else start - round(2 * MICROSECONDS / rate)
        cell = None
        for time, picture in self._source.pictures(begin):
            # 1 us of grace: a frame that a coarse time base put just before its cell.
            previous, cell = cell, (time + 1) * rate // MICROSECONDS
            if cell != previous:
                yield time, picture

    def span(self, start: int, end: int) -> Iterator[tuple[int, Any]]:
        """Pictures, not yet RGB, of [start, end] and the nearest one on either side of it.

        With these the frame nearest to any moment of the span is the whole video's nearest. A
        picture exactly at `start` or `end` needs no neighbour outside, and none is given.

        Args:
          start: microseconds, included; may lie before the video's begin.
          end: microseconds, included; may lie past the video's end.

        Yields:
          (time in microseconds, picture for `to_rgb`).
        """
        before = None
        for time, picture in self._pictures(start):
            if time < start:
                before = (time, picture)
                continue
            if before is not None and time > start:
                yield before
            before = None
            yield time, picture
            if time >= end:
                return
        if before is not None:
            yield before

    def to_rgb(self, picture: Any, size: tuple[int, int] | None = None) -> np.ndarray:
        """A picture of `span` as [H, W, 3] uint8 RGB, resized to (height, width) `size`."""
        return self._source.to_rgb(picture, size)

    def jpeg_bytes(self, picture: Any) -> bytes | None:
        """The JPEG file that a picture of `span` is, where it is one; else None."""
        return self._source.jpeg_bytes(picture)

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def check_video(path: str) -> None:
    """Opens a file or a folder of frames, and closes it: to be told before a model is loaded.

    Cameras, pipes and what is on a server are left alone, for what they give they give once.

    Raises:
      UserError: nothing is there, or nothing in it can be decoded as video.
    """
    is_device = os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))
    if "://" not in path and not is_device:
        VideoReader(path).close()
