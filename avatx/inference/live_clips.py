"""The newest clip of a stream that does not wait: a camera goes on while the model works."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from avatx.data.video.keyframe_clips import KeyframeClip


class LiveClip(NamedTuple):
    """A clip, and when its keyframe was."""

    clip: KeyframeClip
    moment: float  # of the keyframe, on `time.monotonic`'s clock
    skipped: int  # clips that newer ones have replaced since the one given before


class NewestClip:
    """Cuts clips in a thread of its own, and keeps the newest one alone.

    So clips have all frames of their span however slow their reader is, and no clip is older than
    the model's last run.

    Args:
      frames: opened, read and closed in the thread: (seconds, [H, W, channels] uint8).
      cut: frames to clips.
    """

    def __init__(
        self,
        frames: Iterable[tuple[float, np.ndarray]],
        cut: Callable[[Iterator[tuple[float, np.ndarray]]], Iterator[KeyframeClip]],
    ):
        self._frames = frames
        self._cut = cut
        self._changed = threading.Condition()
        self._newest: LiveClip | None = None
        self._error: BaseException | None = None
        self._ended = self._closing = False
        self._start = float("inf")  # the stream's time 0 on the monotonic clock
        self._thread = threading.Thread(target=self._read, name="avatx-live-clips", daemon=True)

    def __iter__(self) -> Iterator[LiveClip]:
        """Each time the newest clip, once; ends with the stream.

        Raises:
          Whatever reading raises.
        """
        self._thread.start()
        try:
            while (clip := self._next()) is not None:
                yield clip
        finally:
            self._closing = True
            self._thread.join(timeout=5)  # a camera that gives no frame holds it no longer

    def _next(self) -> LiveClip | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended)
            newest, self._newest = self._newest, None
            if newest is None and self._error is not None:
                raise self._error
            return newest

    def _read(self) -> None:
        try:
            for clip in self._cut(self._arriving()):
                with self._changed:
                    skipped = 0 if self._newest is None else self._newest.skipped + 1
                    self._newest = LiveClip(clip, self._start + clip.timestamp, skipped)
                    self._changed.notify()
        except BaseException as error:  # given to whoever waits for clips
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _arriving(self) -> Iterator[tuple[float, np.ndarray]]:
        for seconds, frame in self._frames:
            if self._closing:
                return
            # The frame that came with the least delay tells best when the stream began.
            self._start = min(self._start, time.monotonic() - seconds)
            yield seconds, frame


def stamped(frames: Iterable[np.ndarray]) -> Iterator[tuple[float, np.ndarray]]:
    """Frames with the seconds since the first one came."""
    start = None
    for frame in frames:
        now = time.monotonic()
        start = now if start is None else start
        yield now - start, frame
