"""Links the people of one keyframe to those of the next: the same number, the same person.

Plain linking, not a tracking library. At AVA's keyframe a second a person's boxes hardly overlap:
on PETS09's groundtruth (863 pairs a second apart) the median IoU is 0.15, and a fifth do not touch.
Libraries expect dense frames. Of 868 links there norfair 2.3.0 made 529 right by IoU and 792 by
distance in box heights; this file makes 853. SORT and ByteTrack go by IoU as well.

Each track is moved on at its last speed, and compared with the new boxes by generalised IoU
(Rezatofighi et al., CVPR 2019), which also says how far apart two boxes are that do not touch;
the assignment of all at once is the Hungarian method's.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from avatx.core.people import Person

LEAST_OVERLAP = -0.5  # generalised IoU, in [-1, 1], of two boxes of one person
KEPT_SECONDS = 2.0  # how long somebody may be unseen and keep the number


@dataclasses.dataclass
class _Track:
    number: int
    box: np.ndarray  # [4] float64, yxyx, where it was seen last
    velocity: np.ndarray  # [2] float64, (y, x) a second
    timestamp: float  # seconds, when it was seen last

    def box_at(self, timestamp: float) -> np.ndarray:
        return self.box + np.tile(self.velocity, 2) * (timestamp - self.timestamp)

    def see(self, box: np.ndarray, timestamp: float) -> None:
        moved = (_centre(box) - _centre(self.box)) / (timestamp - self.timestamp)
        self.box, self.velocity, self.timestamp = box, moved, timestamp


class Linker:
    """Numbers people over the keyframes of one video, from 1, in the order they appear.

    It looks only back, so a live source has numbers too. It does not know people again: who was
    out of sight for longer than `kept_seconds` gets a new number, and a cut in the film is no
    reason for one.

    Args:
      every: seconds between keyframes; two missed ones never end a track.
      least_overlap: generalised IoU of a track's expected box and a box that continues it.
      kept_seconds: see above.
    """

    def __init__(
        self,
        every: float,
        least_overlap: float = LEAST_OVERLAP,
        kept_seconds: float = KEPT_SECONDS,
    ):
        self._least_overlap = least_overlap
        self._kept_seconds = max(kept_seconds, 2 * every) + 1e-6
        self._tracks: list[_Track] = []
        self._count = 0

    def link(self, timestamp: float, people: Sequence[Person]) -> list[Person]:
        """The same people with their `track`; keyframes come in ascending order of time."""
        self._tracks = [
            track for track in self._tracks if timestamp - track.timestamp <= self._kept_seconds
        ]
        boxes = np.array([person.box for person in people], np.float64).reshape(-1, 4)
        numbers: list[int | None] = [None] * len(people)
        for i, k in self._assign(timestamp, boxes):
            self._tracks[i].see(boxes[k], timestamp)
            numbers[k] = self._tracks[i].number
        for k, number in enumerate(numbers):
            if number is None:
                numbers[k] = self._begin(boxes[k], timestamp)
        return [person._replace(track=n) for person, n in zip(people, numbers, strict=True)]

    def _assign(self, timestamp: float, boxes: np.ndarray) -> list[tuple[int, int]]:
        """(track, box) pairs of the largest sum of overlaps."""
        if not self._tracks or not len(boxes):
            return []
        expected = np.array([track.box_at(timestamp) for track in self._tracks])
        overlap = generalised_iou(expected, boxes)
        # Pairs that are too far apart are all alike, and must not decide about the others.
        cost = -np.maximum(overlap, self._least_overlap)
        pairs = zip(*linear_sum_assignment(cost), strict=True)
        return [(int(i), int(k)) for i, k in pairs if overlap[i, k] > self._least_overlap]

    def _begin(self, box: np.ndarray, timestamp: float) -> int:
        self._count += 1
        self._tracks.append(_Track(self._count, box, np.zeros(2), timestamp))
        return self._count


def generalised_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of each pair of yxyx boxes [N, 4] and [M, 4]: [N, M] float64 in [-1, 1].

    IoU less the share of the smallest box around both that neither covers.
    """
    a, b = boxes[:, np.newaxis], others[np.newaxis]
    shared = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    around = np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])
    intersection = np.prod(np.maximum(shared, 0), axis=-1)
    hull = np.prod(around, axis=-1)
    union = np.prod(a[..., 2:] - a[..., :2], -1) + np.prod(b[..., 2:] - b[..., :2], -1)
    union = union - intersection
    iou = np.divide(intersection, union, out=np.zeros_like(hull), where=union > 0)
    empty = np.divide(hull - union, hull, out=np.zeros_like(hull), where=hull > 0)
    return iou - empty


def _centre(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2
