"""Which frames make the clip around a keyframe: one rule for training, evaluation and inference.

Times are integer microseconds, as records store them, so that a tie is a tie on every machine.
"""

import numpy as np

from avatx.data.times import MICROSECONDS


def wanted_times(keyframe: int, num_frames: int, frame_rate: float) -> np.ndarray:
    """When the frames of a clip should lie: keyframe + (i - T/2) / rate.

    Args:
      keyframe: the keyframe's time, int microseconds.
      num_frames: T. For an even T frame T // 2 is the keyframe itself.
      frame_rate: frames a second of the clip.

    Returns:
      [T] int64 microseconds, ascending; may be negative.
    """
    steps = np.arange(num_frames) - num_frames / 2
    return keyframe + np.rint(steps * (MICROSECONDS / frame_rate)).astype(np.int64)


def nearest_frames(frame_times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The index of the frame nearest to each wanted time; the earlier one on a tie.

    Args:
      frame_times: [N] int64 microseconds, ascending, N > 0.
      wanted: [T] int64 microseconds.

    Returns:
      [T] int64 indices in [0, N); times outside the video give its first or last frame.
    """
    right = np.clip(np.searchsorted(frame_times, wanted), 1, max(len(frame_times) - 1, 1))
    right = np.minimum(right, len(frame_times) - 1)
    left = np.maximum(right - 1, 0)
    nearer = frame_times[right] - wanted < wanted - frame_times[left]
    return np.where(nearer, right, left)
