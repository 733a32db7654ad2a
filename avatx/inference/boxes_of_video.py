"""Where people are in one video, for a model that has to be told."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from avatx.data.annotations.person_box_files import read_person_boxes
from avatx.data.annotations.person_boxes import PersonBoxes
from avatx.data.times import to_microseconds
from avatx.data.video.keyframe_clips import KeyframeClip
from avatx.errors import UserError
from avatx.inference.detector import Detector

_NO_BOXES = np.zeros([0, 4], np.float32)


@dataclasses.dataclass(frozen=True)
class BoxesSettings:
    """Which boxes of which files.

    Attributes:
      path: see `avatx.data.annotations.person_box_files`.
      score_threshold: boxes of a lower score are left out.
      max_number_of_boxes: of each keyframe those of highest score are kept.
    """

    path: str
    score_threshold: float = 0.0
    max_number_of_boxes: int = 64


class BoxesOfVideo:
    """Gives each clip's boxes to a detector, and counts the keyframes that have none.

    Args:
      detector: the exported model.
      table: what the files say; None for a model that finds people itself.
      video_id: of the video, as the files call it.
    """

    def __init__(self, detector: Detector, table: PersonBoxes | None, video_id: str):
        self._detector = detector
        self._table = table
        self._video_id = video_id
        self._num_keyframes = 0
        self._num_missing = 0

    @classmethod
    def read(
        cls, detector: Detector, settings: BoxesSettings | None, video_id: str
    ) -> "BoxesOfVideo":
        """Reads the files.

        Raises:
          UserError: boxes are given and the model finds people itself, or the other way round; a
            file cannot be read; none of its boxes is of this video.
        """
        needed = getattr(detector, "needs_boxes", False)
        if settings is None:
            if needed:
                raise UserError(
                    f"{detector.path}: this model has proposal_source EXTERNAL, so it has to be "
                    "told where people are; give `boxes`, as of tools/detect_people.py"
                )
            return cls(detector, None, video_id)
        if not needed:
            raise UserError(
                f"boxes {settings.path}: the model {detector.path} finds people itself; leave "
                "`boxes` out, or export with proposal_source EXTERNAL"
            )
        table = read_person_boxes(
            [settings.path], settings.score_threshold, settings.max_number_of_boxes
        )
        if video_id not in table.video_names:
            names = ", ".join(map(repr, table.video_names[:3])) or "none"
            raise UserError(
                f"boxes {settings.path}: has no box of the video {video_id!r}; it has {names}"
                f"{', ...' if len(table.video_names) > 3 else ''}"
            )
        return cls(detector, table, video_id)

    def of(self, clips: Sequence[KeyframeClip]) -> list[np.ndarray] | None:
        """The boxes [N, 4] of each clip; None for a model that finds people itself."""
        if self._table is None:
            return None
        boxes = []
        for clip in clips:
            found = self._table.at(self._video_id, int(to_microseconds(clip.timestamp)))
            self._num_keyframes += 1
            self._num_missing += found is None
            boxes.append(_NO_BOXES if found is None else found.boxes)
        return boxes

    def attend(self, clip: KeyframeClip) -> tuple:
        """The detections of one clip and their attention."""
        frames = clip.frames[np.newaxis]
        if self._table is None:
            return self._detector.detect_with_attention(frames)[0]
        found = self._table.at(self._video_id, int(to_microseconds(clip.timestamp)))
        boxes = _NO_BOXES if found is None else found.boxes
        return self._detector.detect_with_attention(frames, [boxes])[0]

    def detect(self, clips: Sequence[KeyframeClip]) -> list:
        """The detections of each clip."""
        frames = np.stack([clip.frames for clip in clips])
        boxes = self.of(clips)
        return (
            self._detector.detect(frames) if boxes is None else self._detector.detect(frames, boxes)
        )

    def check(self) -> None:
        """Raises UserError where no keyframe had boxes."""
        if self._table and 0 < self._num_keyframes == self._num_missing:
            raise UserError(
                f"boxes {self._table.source}: has boxes at none of the {self._num_keyframes} "
                f"keyframes of {self._video_id!r}; its first are of {self._table.first_moment()}: "
                "choose `every` so that keyframes fall on them"
            )

    @property
    def notes(self) -> list[str]:
        if self._table is None or not self._num_missing:
            return []
        return [
            f"{self._num_missing} of {self._num_keyframes} keyframes are not in "
            f"{self._table.source}: nobody is looked for there"
        ]
