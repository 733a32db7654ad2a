"""Whether a moment has a frame: the nearest one may be so far that it shows something else.

For a clip, the bound is half the distance of the clip's frames; where the video itself has fewer
frames a second than the clip, half the distance of the video's, but never more than the clip's
whole distance. A frame of 24 a second is so never missing in a clip of 25, and a video of one
picture a second is a row of stills.
"""

from collections import Counter

import numpy as np

from avatx.data.times import MICROSECONDS
from avatx.data.video.clip_sampling import nearest_frames, wanted_times

_GRACE = 1_000  # microseconds: containers round times to milliseconds


def keyframe_bound(frame_rate: float, max_frame_rate: float = 0.0) -> float:
    """Microseconds from which on a keyframe of a folder of frames has none: half the distance of
    the folder's frames, after thinning.

    Args:
      frame_rate: of the folder.
      max_frame_rate: see `FrameSettings`.
    """
    distance = MICROSECONDS / frame_rate
    if 0 < max_frame_rate < frame_rate:  # the first frame of each cell: up to one frame late
        distance += MICROSECONDS / max_frame_rate
    return distance / 2 + 1  # times are rounded to whole microseconds


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


class MissingFrames:
    """Counts frames of clips that are missing.

    Before a video's first frame and after its last the border frame repeats, as it should; but not
    for a keyframe that is itself not there.

    Args:
      num_frames: of a clip.
      frame_rate: frames a second of a clip.
    """

    def __init__(self, num_frames: int, frame_rate: float):
        self._frame_rate = frame_rate
        self._offsets = wanted_times(0, num_frames, frame_rate)
        self._by_video: Counter = Counter()
        self.num_frames = 0

    @property
    def number(self) -> int:
        """How many are missing."""
        return sum(self._by_video.values())

    def add_segment(
        self, video_id: str, frame_times: np.ndarray, keyframes: np.ndarray, frame_rate: float
    ) -> None:
        """The clips around keyframes.

        Args:
          video_id: of which video.
          frame_times: [F] int64 microseconds.
          keyframes: [K] int64 microseconds.
          frame_rate: of the video; 0 where it is not known.
        """
        if not len(frame_times) or np.any(np.diff(frame_times) <= 0):
            return  # which is for the input to refuse
        bound = clip_bound(self._frame_rate, frame_rate)
        first, last = frame_times[0], frame_times[-1]
        for keyframe in keyframes:
            wanted = keyframe + self._offsets
            missing = distances_to_frames(frame_times, wanted) > bound
            if first - bound <= keyframe <= last + bound:
                missing &= (wanted >= first) & (wanted <= last)
            self._add(video_id, missing)

    def add_video(self, video_id: str, frame_times: np.ndarray) -> None:
        """A labelled video, [F] int64 microseconds: clips begin anywhere, so each moment counts."""
        if len(frame_times) < 2 or np.any(np.diff(frame_times) <= 0):
            return
        wanted = np.arange(frame_times[0], frame_times[-1], MICROSECONDS / self._frame_rate)
        usual = MICROSECONDS / float(np.median(np.diff(frame_times)))
        bound = clip_bound(self._frame_rate, usual)
        self._add(video_id, distances_to_frames(frame_times, wanted.astype(np.int64)) > bound)

    def _add(self, video_id: str, missing: np.ndarray) -> None:
        if missing.any():
            self._by_video[video_id] += int(missing.sum())
        self.num_frames += len(missing)

    def in_words(self) -> str:
        """A line of how many are missing."""
        share = 100 * self.number / max(self.num_frames, 1)
        worst, count = self._by_video.most_common(1)[0] if self._by_video else ("", 0)
        most = f"; {count:,} of them in {worst}" if len(self._by_video) > 1 else f", in {worst}"
        return (
            f"{self.number:,} of {self.num_frames:,} frames of clips ({share:.2g} %) are missing, "
            "for no frame of the video is within half the clip's frame distance, "
            f"{500 / self._frame_rate:.3g} ms: another is shown in their place{most}"
        )
