"""Cuts a stream of frames into clips around keyframes, each frame held as briefly as may be."""

import collections
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from avatx.data.times import MICROSECONDS, to_microseconds
from avatx.data.video.clip_sampling import nearest_frames, wanted_times


@dataclass(frozen=True)
class KeyframeClip:
    """The frames around one keyframe."""

    index: int  # k: the keyframe's time is k * every
    timestamp: float  # seconds, presentation time
    frames: np.ndarray  # [T, H, W, channels] uint8
    keyframe: np.ndarray  # [H, W, channels] uint8, the frame nearest to the timestamp
    seconds: np.ndarray  # [T] float64, from the timestamp to each frame; at borders frames repeat
    distance: float = 0.0  # seconds between the timestamp and the keyframe's frame


def keyframe_clips(
    frames: Iterable[tuple[float, np.ndarray]], every: float, num_frames: int, frame_rate: float
) -> Iterator[KeyframeClip]:
    """Yields the clip of every keyframe: whole multiples of `every`, 0 included, up to the last
    frame's time.

    The frames of a clip are those that the input pipeline would take (avatx/data/
    clip_sampling.py). Memory is bounded by the frames of one clip's span: a frame is dropped
    as soon as no later clip can want it, and a clip is given as soon as its last wanted time
    has passed.

    Args:
      frames: (presentation time in seconds, [H, W, channels] uint8), ascending from 0; read
        once. Channels are RGB, or RGB and optical flow.
      every: seconds between keyframes.
      num_frames: T.
      frame_rate: frames a second of the clip.
    """
    times: collections.deque = collections.deque()  # microseconds
    held: collections.deque = collections.deque()
    keyframe = _Keyframe.at(0, every, num_frames, frame_rate)
    for time, frame in frames:
        times.append(int(to_microseconds(time)))
        held.append(frame)
        while times[-1] >= keyframe.latest:  # nothing later can be nearer
            yield _clip(keyframe, times, held)
            keyframe = _Keyframe.at(keyframe.index + 1, every, num_frames, frame_rate)
        while len(times) > 1 and times[1] <= keyframe.earliest:
            times.popleft()
            held.popleft()
    while times and keyframe.time <= times[-1]:
        yield _clip(keyframe, times, held)
        keyframe = _Keyframe.at(keyframe.index + 1, every, num_frames, frame_rate)


@dataclass(frozen=True)
class _Keyframe:
    """Which times a keyframe's clip wants, in microseconds."""

    index: int
    timestamp: float  # seconds
    time: int
    wanted: np.ndarray  # [T]
    earliest: int
    latest: int

    @classmethod
    def at(cls, index: int, every: float, num_frames: int, frame_rate: float) -> "_Keyframe":
        timestamp = round(index * every, 6)
        time = int(to_microseconds(timestamp))
        wanted = wanted_times(time, num_frames, frame_rate)
        # The keyframe itself is shown, so it is wanted even where an odd T steps over it.
        return cls(index, timestamp, time, wanted, min(time, wanted[0]), max(time, wanted[-1]))


def _clip(keyframe: _Keyframe, times, held) -> KeyframeClip:
    frame_times = np.fromiter(times, np.int64, len(times))
    chosen = nearest_frames(frame_times, keyframe.wanted)
    nearest = nearest_frames(frame_times, np.array([keyframe.time]))[0]
    clip = np.stack([held[frame] for frame in chosen])
    seconds = (frame_times[chosen] - keyframe.time) / MICROSECONDS
    distance = abs(int(frame_times[nearest]) - keyframe.time) / MICROSECONDS
    return KeyframeClip(keyframe.index, keyframe.timestamp, clip, held[nearest], seconds, distance)
