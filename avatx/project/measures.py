"""What a set of annotated videos is like: sizes and shapes of boxes, people, rates, lengths."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from avatx.data.annotations.ava_table import AvaTable, Keyframe, keyframe_key


class VideoFacts(NamedTuple):
    """One video as the decoder states it."""

    height: int  # pixels
    width: int  # pixels
    frame_rate: float  # frames a second
    seconds: float  # from its first frame to the end of its last


@dataclass(frozen=True)
class Measures:
    """Attributes:
    videos: video id -> its facts.
    num_keyframes: moments that were annotated, empty ones too.
    num_empty_keyframes: those without a person.
    keyframe_seconds: the usual distance between two keyframes of a video.
    people: [K] boxes of each keyframe.
    boxes: [N, 4] float64, each box once, (ymin, xmin, ymax, xmax), normalised.
    box_videos: [N] int32, which of `videos` a box is of.
    labels: class id -> number of labels.
    action_seconds: how long one person's action lasts at the median; None without person ids.
    """

    videos: Mapping[str, VideoFacts]
    num_keyframes: int
    num_empty_keyframes: int
    keyframe_seconds: float
    people: np.ndarray
    boxes: np.ndarray
    box_videos: np.ndarray
    labels: Mapping[int, int]
    action_seconds: float | None

    @property
    def frame_size(self) -> tuple[int, int]:
        """(height, width) that most videos have."""
        return Counter((one.height, one.width) for one in self.videos.values()).most_common(1)[0][0]

    @property
    def frame_rate(self) -> float:
        """Of the slowest tenth of the videos: what nearly all can give."""
        rates = sorted(one.frame_rate for one in self.videos.values())
        return rates[len(rates) // 10]

    def box_sides(self, height: int, width: int) -> np.ndarray:
        """[N, 2] (height, width) of the boxes in pixels, all frames resized to this size."""
        return (self.boxes[:, 2:] - self.boxes[:, :2]) * (height, width)


def measure(table: AvaTable, videos: Mapping[str, VideoFacts]) -> Measures:
    """Measures annotations.

    Args:
      table: valid rows alone, at least one.
      videos: facts of every video in the table.
    """
    names = table.video_id
    keys = [keyframe_key(name, time) for name, time in zip(names, table.timestamp, strict=True)]
    boxes: dict[tuple[Keyframe, tuple[float, ...]], None] = {}
    for key, box in zip(keys, map(tuple, table.boxes), strict=True):
        boxes.setdefault((key, box), None)
    people = Counter(key for key, _ in boxes)
    empty = set(table.empty_keyframes) - set(people)
    moments: dict[str, set[float]] = {}
    for name, time in [*people, *empty]:
        moments.setdefault(name, set()).add(time)
    steps = np.concatenate([np.diff(sorted(times)) for times in moments.values()])
    spacing = float(np.median(steps)) if len(steps) else 1.0
    order = {name: index for index, name in enumerate(videos)}
    return Measures(
        videos=videos,
        num_keyframes=len(people) + len(empty),
        num_empty_keyframes=len(empty),
        keyframe_seconds=spacing,
        people=np.array([*people.values(), *([0] * len(empty))]),
        boxes=np.array([box for _, box in boxes]).reshape(-1, 4),
        box_videos=np.array([order[key[0]] for key, _ in boxes], np.int32),
        labels=dict(sorted(Counter(table.class_id.tolist()).items())),
        action_seconds=_action_seconds(table, spacing),
    )


def _action_seconds(table: AvaTable, spacing: float) -> float | None:
    """The median length of a label's run over successive keyframes of a person."""
    if table.person_id is None or (table.person_id == -1).all():
        return None
    runs: dict[tuple, list[float]] = {}
    rows = zip(table.video_index, table.person_id, table.class_id, table.timestamp, strict=True)
    for video, person, class_id, time in rows:
        if person != -1:
            runs.setdefault((video, person, class_id), []).append(time)
    lengths = []
    for times in runs.values():
        ordered = np.unique(times)
        parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1.5 * spacing) + 1)
        lengths += [len(part) * spacing for part in parts]
    return float(np.median(lengths))
