"""What one record is to hold: decided before any video is opened, and written down as JSON.

There are two kinds: a segment of a video with the keyframes annotated in it, and a video (or part
of one) that is labelled as a whole. The JSON is part of a shard's fingerprint
(`record_plan.fingerprint`), so that a shard made long ago is known again: it must stay as it is.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True)
class PlannedKeyframe:
    """One annotated moment.

    Attributes:
      timestamp: microseconds, on the csv's clock.
      rows: (ymin, xmin, ymax, xmax, class id, person id) of each row of the csv; none where
        nobody is there.
    """

    timestamp: int
    rows: tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class PlannedSegment:
    """A segment with its keyframes.

    Attributes:
      video_id: of the csv.
      source: path of the video; None where it is missing.
      identity: JSON-able facts that change when the video does; None where it is missing.
      start: microseconds, on the csv's clock.
      end: likewise; the segment is to hold every frame of [start, end].
      keyframes: by time; at least one.
    """

    video_id: str
    source: str | None
    identity: Any
    start: int
    end: int
    keyframes: tuple[PlannedKeyframe, ...]

    unit: ClassVar[str] = "keyframes"

    @property
    def times(self) -> list[int]:
        """Microseconds of each example that the record is to hold."""
        return [keyframe.timestamp for keyframe in self.keyframes]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "video_id": self.video_id,
            "source": self.source,
            "identity": self.identity,
            "keyframes": [
                {"timestamp": keyframe.timestamp, "rows": [list(row) for row in keyframe.rows]}
                for keyframe in self.keyframes
            ],
            "start": self.start,
            "end": self.end,
        }


@dataclasses.dataclass(frozen=True)
class PlannedVideo:
    """A video, or a part of it, that is labelled as a whole.

    Attributes:
      video_id: its name without extension.
      source: see `PlannedSegment`.
      identity: see `PlannedSegment`.
      start: microseconds from the video's first frame.
      end: likewise, the first moment that is left out; None is the end of the video.
      class_id: its label.
    """

    video_id: str
    source: str | None
    identity: Any
    start: int
    end: int | None
    class_id: int

    unit: ClassVar[str] = "videos"

    @property
    def times(self) -> list[int]:
        """Microseconds of each example that the record is to hold: of the one there is."""
        return [self.start]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "video_id": self.video_id,
            "source": self.source,
            "identity": self.identity,
            "start": self.start,
            "end": self.end,
            "class_id": self.class_id,
            "keyframes": [],
        }


Planned = PlannedSegment | PlannedVideo


def from_dict(values: Mapping[str, Any]) -> Planned:
    """`to_dict` backwards, of either kind."""
    common = {name: values[name] for name in ("video_id", "source", "identity", "start", "end")}
    if "class_id" in values:
        return PlannedVideo(**common, class_id=values["class_id"])
    keyframes = tuple(
        PlannedKeyframe(keyframe["timestamp"], tuple(map(tuple, keyframe["rows"])))
        for keyframe in values["keyframes"]
    )
    return PlannedSegment(**common, keyframes=keyframes)
