"""Rows of AVA annotations or detections, as numpy columns."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from avatx.data.times import MICROSECONDS, to_microseconds

MAX_VIDEO_ID = 1024  # characters, so that a message can name one

Keyframe = tuple[str, float]  # (video id, timestamp in seconds)


def keyframe_key(video_id: str, timestamp: float) -> Keyframe:
    """(video id, timestamp rounded to 6 decimals): 0902, 902 and 902.0 are one keyframe."""
    return video_id, float(f"{timestamp:.6f}")


@dataclass
class AvaTable:
    """N rows, each one box with one class; a person with three labels is three rows.

    Attributes:
      video_names: V video ids, each once, in the order of first appearance.
      video_index: [N] int32, into `video_names`.
      timestamp: [N] float64, seconds.
      boxes: [N, 4] float64, (ymin, xmin, ymax, xmax), normalised as the file has them, unclipped.
      class_id: [N] int32, AVA class ids, 1-based.
      score: [N] float64, or None for annotations.
      person_id: [N] int64, -1 where the row has none, or None for detections.
      empty_keyframes: keyframes that were annotated and hold nobody (rows of two columns).
    """

    video_names: list[str]
    video_index: np.ndarray
    timestamp: np.ndarray
    boxes: np.ndarray
    class_id: np.ndarray
    score: np.ndarray | None = None
    person_id: np.ndarray | None = None
    empty_keyframes: list[Keyframe] = field(default_factory=list)

    @classmethod
    def from_columns(
        cls, video_id, timestamp, boxes, class_id, score=None, person_id=None, empty_keyframes=()
    ) -> "AvaTable":
        """Builds a table from plain sequences, `video_id` one str a row."""
        codes = {}
        index = np.array([codes.setdefault(name, len(codes)) for name in video_id], np.int32)
        number = len(index)
        table = cls(
            video_names=list(codes),
            video_index=index,
            timestamp=np.asarray(timestamp, np.float64),
            boxes=np.asarray(boxes, np.float64).reshape(-1, 4),
            class_id=np.asarray(class_id, np.int32),
            score=None if score is None else np.asarray(score, np.float64),
            person_id=None if person_id is None else np.asarray(person_id, np.int64),
            empty_keyframes=list(empty_keyframes),
        )
        columns = (table.timestamp, table.boxes, table.class_id, table.score, table.person_id)
        lengths = [number] + [len(column) for column in columns if column is not None]
        if len(set(lengths)) != 1:
            raise ValueError(f"columns of an AvaTable differ in length: {lengths}")
        return table

    def __len__(self) -> int:
        return len(self.video_index)

    @property
    def video_id(self) -> np.ndarray:
        """[N] str objects."""
        names = np.empty(len(self.video_names), object)
        names[:] = self.video_names
        return names[self.video_index]

    def select(self, rows) -> "AvaTable":
        """The table of the given rows (an index array or a mask), `empty_keyframes` kept."""
        return AvaTable(
            video_names=self.video_names,
            video_index=self.video_index[rows],
            timestamp=self.timestamp[rows],
            boxes=self.boxes[rows],
            class_id=self.class_id[rows],
            score=None if self.score is None else self.score[rows],
            person_id=None if self.person_id is None else self.person_id[rows],
            empty_keyframes=self.empty_keyframes,
        )

    def keyframes(self) -> list[Keyframe]:
        """Every keyframe of the rows and of `empty_keyframes`, once, sorted."""
        seconds = to_microseconds(self.timestamp)
        pairs = np.unique(np.stack([self.video_index, seconds], axis=1), axis=0)
        keys = {(self.video_names[video], micro / MICROSECONDS) for video, micro in pairs.tolist()}
        return sorted(keys | {keyframe_key(*keyframe) for keyframe in self.empty_keyframes})


def empty_table(*, detections: bool, empty_keyframes: Iterable[Keyframe] = ()) -> AvaTable:
    """A table of no rows."""
    last = {"score": []} if detections else {"person_id": []}
    return AvaTable.from_columns([], [], [], [], empty_keyframes=empty_keyframes, **last)
