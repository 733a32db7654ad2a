"""Whether a moment has a frame: the nearest one may be so far that it shows something else.

For a clip, the bound is half the distance of the clip's frames; where the video itself has fewer
frames a second than the clip, half the distance of the video's, but never more than the clip's
whole distance. A frame of 24 a second is so never missing in a clip of 25, and a video of one
picture a second is a row of stills.
"""

import numpy as np

from avatx.data.times import MICROSECONDS
from avatx.data.video.clip_sampling import nearest_frames

_GRACE = 1_000  # microseconds: containers round times to milliseconds


def frame_distance(frame_rate: float, max_frame_rate: float = 0.0) -> float:
    """Microseconds from a frame of a video to its next, at most, after thinning.

    Args:
      frame_rate: of the video.
      max_frame_rate: see `FrameSettings`.
    """
    distance = MICROSECONDS / frame_rate
    if 0 < max_frame_rate < frame_rate:  # the first frame of each cell: up to one frame late
        distance += MICROSECONDS / max_frame_rate
    return distance


def clip_bound(clip_frame_rate: float, frame_rate: float) -> float:
    """Microseconds from which on a clip's frame is missing, see above.

    Args:
      clip_frame_rate: frames a second of the clip.
      frame_rate: of the video; 0 where it is not known.
    """
    distance = MICROSECONDS / clip_frame_rate
    own = MICROSECONDS / frame_rate if frame_rate > 0 else distance
    return max(distance, min(own, 2 * distance)) / 2 + _GRACE


def distances_to_frames(frame_times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Microseconds from each wanted time to the nearest frame, [T] int64.

    Args:
      frame_times: [N] int64 microseconds, ascending, N > 0.
      wanted: [T] int64 microseconds.
    """
    return np.abs(frame_times[nearest_frames(frame_times, wanted)] - wanted)
