"""Where people are, as somebody else's detector says: boxes by video and time.

They are joined to keyframes by the video's id and the nearest time, so files whose times have
fewer digits, or are frames of the video, need not be written again.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from avatx.data.times import MICROSECONDS, to_microseconds
from avatx.errors import UserError

_LATEST = 1 << 41  # microseconds: 25 days, so that (video, time) fits one int64
MAX_TIME = (_LATEST - 1) // MICROSECONDS  # seconds
_SAME_TIME = 1_000  # microseconds: what three written decimals may differ by


class BoxesOfKeyframe(NamedTuple):
    """The boxes of one moment, by descending score; none is padding."""

    boxes: np.ndarray  # [N, 4] float32, yxyx, normalised, clipped to [0, 1]
    scores: np.ndarray  # [N] float32


@dataclasses.dataclass(frozen=True)
class PersonBoxes:
    """Boxes of K moments of V videos, N in all.

    Attributes:
      source: the files' names, for messages.
      video_names: [V], each once.
      tolerance: [V] int64, microseconds that a moment may be off the time that is asked for.
      moments: [K] int64, ascending: video * 2**42 + microseconds + 2**41.
      offsets: [K + 1] int64: the boxes of moment k are offsets[k]:offsets[k + 1].
      boxes: [N, 4] float32, yxyx, normalised, clipped to [0, 1], of some area.
      scores: [N] float32, in each moment descending.
    """

    source: str
    video_names: list[str]
    tolerance: np.ndarray
    moments: np.ndarray
    offsets: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    @property
    def largest(self) -> int:
        """Boxes of the moment that has most of them."""
        return int(np.diff(self.offsets).max(initial=0))

    def at(self, video_id: str, microseconds: int) -> BoxesOfKeyframe | None:
        """The boxes nearest to a time; None where the files say nothing of it.

        No box at all is another thing: somebody looked there and saw nobody.
        """
        try:
            video = self.video_names.index(video_id)
        except ValueError:
            return None
        return self._at(video, microseconds)

    def covers(self, video_ids: Sequence[str], microseconds: Iterable[int]) -> np.ndarray:
        """[M] bool: of which of M keyframes the files say anything."""
        known = {name: index for index, name in enumerate(self.video_names)}
        return np.array(
            [
                video in known and self._nearest(known[video], int(time)) is not None
                for video, time in zip(video_ids, microseconds, strict=True)
            ],
            bool,
        )

    def first_moment(self) -> str:
        """ "VIDEO at T s", for messages; "nothing" where there is none."""
        if not len(self.moments):
            return "nothing"
        video, time = divmod(int(self.moments[0]), 2 * _LATEST)
        return f"{self.video_names[video]} at {(time - _LATEST) / MICROSECONDS:g} s"

    def _nearest(self, video: int, microseconds: int) -> int | None:
        if abs(microseconds) >= _LATEST:
            return None
        wanted = key_of(video, microseconds)
        right = int(np.searchsorted(self.moments, wanted))
        near = [k for k in (right - 1, right) if 0 <= k < len(self.moments)]
        if not near:
            return None
        best = min(near, key=lambda k: abs(int(self.moments[k]) - wanted))
        return best if abs(int(self.moments[best]) - wanted) <= self.tolerance[video] else None

    def _at(self, video: int, microseconds: int) -> BoxesOfKeyframe | None:
        found = self._nearest(video, microseconds)
        if found is None:
            return None
        rows = slice(self.offsets[found], self.offsets[found + 1])
        return BoxesOfKeyframe(self.boxes[rows], self.scores[rows])


def key_of(video, microseconds):
    """(Video's index, time) as one number, of NumPy's and TensorFlow's integers alike."""
    return video * (2 * _LATEST) + microseconds + _LATEST


class Rows(NamedTuple):
    """What a file holds, R boxes."""

    video_id: list[str]  # [R]
    seconds: np.ndarray  # [R] float64
    boxes: np.ndarray  # [R, 4] yxyx, normalised, finite
    scores: np.ndarray  # [R]
    # Moments that were looked at, whether they have boxes or not: (video, seconds).
    looked_at: Sequence[tuple[str, float]] = ()
    # Video -> seconds that a moment may be off; others are compared to a millisecond.
    tolerance: Mapping[str, float] = MappingProxyType({})


def gather(
    parts: Sequence[Rows], source: str, score_threshold: float, max_number_of_boxes: int
) -> PersonBoxes:
    """Joins what files hold.

    Rows of one moment with the same box, which a file with a row for each class has, are one box
    of their highest score.

    Args:
      parts: of each file.
      source: the files' names, for messages.
      score_threshold: boxes of a lower score are left out.
      max_number_of_boxes: of each moment those of highest score are kept.

    Raises:
      UserError: a time is beyond 25 days, or there are boxes and none is of any area in a frame.
    """
    names: dict[str, int] = {}
    for part in parts:
        for video in (*part.video_id, *(video for video, _ in part.looked_at)):
            names.setdefault(video, len(names))
    tolerance = np.full(len(names), _SAME_TIME, np.int64)
    for part in parts:
        for video, seconds in part.tolerance.items():
            if video in names:
                tolerance[names[video]] = max(_SAME_TIME, round(seconds * MICROSECONDS))

    def keys(videos, seconds) -> np.ndarray:
        seconds = np.asarray(seconds, np.float64)
        bad = seconds[~(np.abs(seconds) <= MAX_TIME)]
        if len(bad):
            raise UserError(
                f"{source}: holds a time of {bad[0]:g} s; expected seconds of a video, 25 days at "
                "most"
            )
        times = to_microseconds(seconds)
        return key_of(np.array([names[video] for video in videos], np.int64), times)

    moment = np.concatenate(
        [np.empty(0, np.int64), *(keys(part.video_id, part.seconds) for part in parts)]
    )
    others = [keys(*zip(*part.looked_at, strict=True)) for part in parts if part.looked_at]
    moments = np.unique(np.concatenate([moment, *others]))
    boxes = np.concatenate([np.empty((0, 4)), *(part.boxes for part in parts)])
    boxes = np.clip(boxes, 0, 1).astype(np.float32)
    scores = np.concatenate([np.empty(0), *(part.scores for part in parts)]).astype(np.float32)

    height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    has_area = (height > 0) & (width > 0)
    if len(boxes) and not has_area.any():
        raise UserError(
            f"{source}: none of its {len(boxes):,} boxes has an area inside the frame; expected "
            "parts of the frame in a csv, pixels in COCO's and MOT Challenge's files"
        )
    usable = has_area & (scores >= np.float32(score_threshold))
    moment, boxes, scores = moment[usable], boxes[usable], scores[usable]
    order = np.lexsort((*boxes.T, -scores, moment))
    moment, boxes, scores = moment[order], boxes[order], scores[order]
    # The same box once more, of a lower score or of the same.
    _, first = np.unique(
        np.concatenate([moment[:, None], boxes.view(np.int32).astype(np.int64)], axis=1),
        axis=0,
        return_index=True,
    )
    first.sort()
    moment, boxes, scores = moment[first], boxes[first], scores[first]
    starts = np.searchsorted(moment, moments)
    rank = np.arange(len(moment)) - starts[np.searchsorted(moments, moment)]
    kept = rank < max_number_of_boxes
    moment, boxes, scores = moment[kept], boxes[kept], scores[kept]
    return PersonBoxes(
        source=source,
        video_names=list(names),
        tolerance=tolerance,
        moments=moments,
        offsets=np.append(np.searchsorted(moment, moments), len(moment)).astype(np.int64),
        boxes=boxes,
        scores=scores,
    )
