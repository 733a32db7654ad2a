"""Which segments of which videos become which shard: decided before any video is opened.

A segment is all keyframes of one video whose time falls into the same `seconds_per_record`
seconds, and its shard is a hash of the video id and that period. So neither depends on the other
rows of the csv, and a changed row or video touches one shard only.
"""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.data.records.planned_segment import Planned, PlannedKeyframe, PlannedSegment
from avatx.data.times import MICROSECONDS, to_microseconds
from avatx.data.video.frame_settings import FrameSettings
from avatx.errors import UserError

FORMAT = 1  # of shards and their fingerprints; raise it when what is written changes


@dataclasses.dataclass(frozen=True)
class RecordSettings:
    """How videos become records.

    Attributes:
      frame_settings: how frames are taken.
      jpeg_quality: 1 to 100.
      seconds_per_record: keyframes of so many seconds share a record.
      margin_seconds: video kept before the first and after the last keyframe of a record.
    """

    frame_settings: FrameSettings = FrameSettings()
    jpeg_quality: int = 90
    seconds_per_record: float = 10.0
    margin_seconds: float = 2.0

    def __post_init__(self):
        checks = (
            ("jpeg_quality", 1 <= self.jpeg_quality <= 100, "1 to 100"),
            ("seconds_per_record", 0.001 <= self.seconds_per_record < 1e6, "0.001 to 1000000"),
            ("margin_seconds", 0 <= self.margin_seconds < 1e6, "0 to 1000000"),
        )
        for name, good, expected in checks:
            if not good:  # NaN fails every comparison, so it ends here too
                raise UserError(f"{name} is {getattr(self, name)}, expected {expected}")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able and flat: the frame settings beside the rest."""
        return {**self.frame_settings.to_dict(), **self._others()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RecordSettings":
        """`to_dict` backwards; also of an older avatx."""
        others = {field.name for field in dataclasses.fields(cls)} - {"frame_settings"}
        frames = {name: value for name, value in values.items() if name not in others}
        return cls(
            FrameSettings.from_dict(frames), **{name: values[name] for name in others & {*values}}
        )

    def hashed(self) -> dict[str, Any]:
        """`to_dict` under the names by which finished shards are known: see `fingerprint`."""
        chosen = self.to_dict()
        chosen["frames_rate"] = chosen.pop("folder_frame_rate")
        if not chosen["optical_flow"]:  # a shard without flow is what it was before there was any
            del chosen["optical_flow"]
        return chosen

    def _others(self) -> dict[str, Any]:
        names = (field.name for field in dataclasses.fields(self))
        return {name: getattr(self, name) for name in names if name != "frame_settings"}


@dataclasses.dataclass
class RecordPlan:
    """What there is to write.

    Attributes:
      shards: for each shard its segments, or its labelled videos (`classification_records`).
      missing: ids of videos that were not found.
      dropped_classes: class id -> rows whose class the label map lacks.
      excluded_keyframes: how many keyframes the excluded timestamps took away.
      num_keyframes: in all shards.
    """

    shards: Sequence[Sequence[Planned]]
    missing: list[str]
    dropped_classes: dict[int, int]
    excluded_keyframes: int
    num_keyframes: int

    @property
    def unit(self) -> str:
        """What is counted: "keyframes", or "videos" where these are labelled as a whole."""
        units = (segment.unit for shard in self.shards for segment in shard)
        return next(units, PlannedSegment.unit)


def _rows_by_keyframe(
    table: AvaTable, label_map: LabelMap
) -> tuple[dict[tuple[str, int], list[int]], Counter]:
    """(video id, microseconds) -> rows of the table; and the rows of unknown classes counted.

    A keyframe whose rows are all of unknown classes stays, as one without people: the official
    evaluator too counts detections there as false.
    """
    known = np.isin(table.class_id, np.fromiter(label_map.names, np.int64))
    # Training cannot learn from an inverted box, and reading a record refuses it.
    usable = known & (table.boxes[:, :2] <= table.boxes[:, 2:]).all(axis=1)
    keyframes: dict[tuple[str, int], list[int]] = {}
    times = to_microseconds(table.timestamp).tolist()
    for row, (video, time) in enumerate(zip(table.video_index.tolist(), times, strict=True)):
        rows = keyframes.setdefault((table.video_names[video], time), [])
        if usable[row]:
            rows.append(row)
    for video_id, seconds in table.empty_keyframes:
        keyframes.setdefault((video_id, int(to_microseconds(seconds))), [])
    return keyframes, Counter(table.class_id[~known].tolist())


def make_plan(
    table: AvaTable,
    label_map: LabelMap,
    find: Callable[[str], str | None],
    identity: Callable[[str], Any],
    settings: RecordSettings,
    num_shards: int,
    *,
    excluded: set[tuple[str, float]] | None = None,
    keyframe_seconds: tuple[int, int] | None = None,
) -> RecordPlan:
    """Sorts the keyframes of `table` into segments and shards.

    Args:
      table: annotations.
      label_map: rows of other classes are dropped.
      find: video id -> path, or None.
      identity: path -> JSON-able facts that change when the video does.
      settings: see there.
      num_shards: how many shards.
      excluded: (video id, seconds) of keyframes to leave out.
      keyframe_seconds: (first, last): every whole second of this range, both included, is a
        keyframe of every video of the table, annotated as empty where it has no rows.
    """
    keyframes, dropped = _rows_by_keyframe(table, label_map)
    video_ids = list(dict.fromkeys(video_id for video_id, _ in keyframes))
    if keyframe_seconds is not None:
        for video_id in video_ids:
            for second in range(keyframe_seconds[0], keyframe_seconds[1] + 1):
                keyframes.setdefault((video_id, second * MICROSECONDS), [])
    before = len(keyframes)
    for video_id, seconds in excluded or ():
        keyframes.pop((video_id, int(to_microseconds(seconds))), None)

    sources = {video_id: find(video_id) for video_id in video_ids}
    identities = {video_id: identity(path) for video_id, path in sources.items() if path}
    period = round(settings.seconds_per_record * MICROSECONDS)
    margin = round(settings.margin_seconds * MICROSECONDS)
    shards: list[list[PlannedSegment]] = [[] for _ in range(num_shards)]
    periods: dict[tuple[str, int], list[PlannedKeyframe]] = {}
    for video_id, time in sorted(keyframes):
        periods.setdefault((video_id, time // period), []).append(
            PlannedKeyframe(time, _rows(table, keyframes[video_id, time]))
        )
    # Within a shard too the order is the hash's, so that neighbours in a file are of many videos.
    hashed = sorted(
        (hashlib.sha256(f"{video_id}/{index}".encode()).hexdigest(), (video_id, index))
        for video_id, index in periods
    )
    for digest, (video_id, index) in hashed:
        of_period = tuple(periods[video_id, index])
        segment = PlannedSegment(
            video_id=video_id,
            source=sources[video_id],
            identity=identities.get(video_id),
            start=of_period[0].timestamp - margin,
            end=of_period[-1].timestamp + margin,
            keyframes=of_period,
        )
        shards[int(digest[:15], 16) % num_shards].append(segment)
    return RecordPlan(
        shards=shards,
        missing=[video_id for video_id, path in sources.items() if path is None],
        dropped_classes=dict(sorted(dropped.items())),
        excluded_keyframes=before - len(keyframes),
        num_keyframes=len(keyframes),
    )


def _rows(table: AvaTable, rows: list[int]) -> tuple[tuple[float, ...], ...]:
    persons = [-1] * len(rows) if table.person_id is None else table.person_id[rows].tolist()
    return tuple(
        (*box, class_id, person)
        for box, class_id, person in zip(
            table.boxes[rows].tolist(), table.class_id[rows].tolist(), persons, strict=True
        )
    )


def fingerprint(segments: Sequence[Planned], settings: RecordSettings, label_map: LabelMap) -> str:
    """Changes when anything does that a shard is made from. The videos' folder may move."""
    facts = [segment.to_dict() for segment in segments]
    for fact in facts:
        del fact["source"]
    classes = sorted(label_map.names.items())
    text = json.dumps([FORMAT, facts, settings.hashed(), classes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
