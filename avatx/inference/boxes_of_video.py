"""Where people are in one video, for a model that has to be told."""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence

import numpy as np

from avatx.data.annotations.person_box_files import read_person_boxes
from avatx.data.annotations.person_boxes import PersonBoxes
from avatx.data.times import to_microseconds
from avatx.data.video.keyframe_clips import KeyframeClip
from avatx.errors import UserError, shown
from avatx.inference.detector import Detector
from avatx.inference.exported_signatures import Exported

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

    def read(self) -> PersonBoxes:
        """What the files say; of a file that was read before, at once, while it is the same.

        Raises:
          UserError: a file cannot be read, or none of its boxes reaches `score_threshold`.
        """
        if not os.path.isfile(self.path):  # a pattern, or remote: whether it changed is not known
            return _read(self)
        facts = os.stat(self.path)
        return _read_once(self, (facts.st_mtime_ns, facts.st_size, facts.st_ino))

    def of_video(self, video_id: str) -> PersonBoxes:
        """As `read`.

        Raises:
          UserError: see there; or the files have nothing of this video.
        """
        table = self.read()
        if video_id not in table.video_names:
            names = ", ".join(map(repr, table.video_names[:3])) or "none"
            raise UserError(
                f"boxes {self.path}: has no box of the video {video_id!r}; it has {names}"
                f"{', ...' if len(table.video_names) > 3 else ''}"
            )
        return table


def _read(settings: BoxesSettings) -> PersonBoxes:
    return read_person_boxes(
        [settings.path], settings.score_threshold, settings.max_number_of_boxes
    )


@functools.lru_cache(maxsize=1)
def _read_once(settings: BoxesSettings, state: tuple[int, int, int]) -> PersonBoxes:
    """For the one state of the file."""
    return _read(settings)


def check_boxes(model: Exported, settings: BoxesSettings | None) -> None:
    """Raises UserError where boxes are given and the model finds people itself, or the reverse."""
    if settings is None and model.needs_boxes:
        raise UserError(
            f"{model.path}: this model has proposal_source EXTERNAL, so it has to be told where "
            "people are; give `boxes`, as of tools/detect_people.py"
        )
    if settings is not None and not model.needs_boxes:
        raise UserError(
            f"boxes {settings.path}: the model {model.path} finds people itself; leave `boxes` "
            "out, or export with proposal_source EXTERNAL"
        )


class BoxesOfVideo:
    """Gives each clip's boxes to a detector, and counts the keyframes that have none.

    Args:
      detector: the exported model.
      table: what the files say; None for a model that finds people itself.
      video_id: of the video, as the files call it.
      settings: of the files; None without them.
    """

    def __init__(
        self,
        detector: Detector,
        table: PersonBoxes | None,
        video_id: str,
        settings: BoxesSettings | None = None,
    ):
        self.settings = settings
        self.detector = detector
        self._table = table
        self._video_id = video_id
        self._num_keyframes = 0
        self._num_missing = 0

    @classmethod
    def read(
        cls,
        detector: Detector,
        settings: BoxesSettings | str | os.PathLike[str] | None,
        video_id: str,
    ) -> "BoxesOfVideo":
        """Reads the files; a path alone is one whose boxes are all taken.

        Raises:
          UserError: boxes are given and the model finds people itself, or the other way round; a
            file cannot be read; none of its boxes is of this video.
        """
        if isinstance(settings, str | os.PathLike):
            settings = BoxesSettings(os.fspath(settings))
        if not isinstance(settings, BoxesSettings | None):
            raise UserError(
                f"boxes {shown(settings)}: expected the path of a file of boxes, or a BoxesSettings"
            )
        check_boxes(detector, settings)
        if settings is None:
            return cls(detector, None, video_id)
        return cls(detector, settings.of_video(video_id), video_id, settings)

    def of(self, clips: Sequence[KeyframeClip]) -> list[np.ndarray] | None:
        """The boxes [N, 4] of each clip; None for a model that finds people itself."""
        if self._table is None:
            return None
        found = [self._at(self._table, clip) for clip in clips]
        self._num_keyframes += len(found)
        self._num_missing += sum(one is None for one in found)
        return [_NO_BOXES if one is None else one for one in found]

    def _at(self, table: PersonBoxes, clip: KeyframeClip) -> np.ndarray | None:
        found = table.at(self._video_id, int(to_microseconds(clip.timestamp)))
        return None if found is None else found.boxes

    def attend(self, clip: KeyframeClip) -> tuple:
        """The detections of one clip and their attention, at a second look."""
        frames = clip.frames[np.newaxis]
        if self._table is None:
            return self.detector.detect_with_attention(frames)[0]
        boxes = self._at(self._table, clip)
        given = [_NO_BOXES if boxes is None else boxes]
        return self.detector.detect_with_attention(frames, given)[0]

    def detect(self, clips: Sequence[KeyframeClip]) -> list:
        """The detections of each clip."""
        return self._look(self.detector.detect, clips)

    def detect_with_attention(self, clips: Sequence[KeyframeClip]) -> list:
        """The detections of each clip and their attention; counted as `detect` counts."""
        return self._look(self.detector.detect_with_attention, clips)

    def _look(self, look: Callable[..., list], clips: Sequence[KeyframeClip]) -> list:
        frames = np.stack([clip.frames for clip in clips])
        boxes = self.of(clips)
        return look(frames) if boxes is None else look(frames, boxes)

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
