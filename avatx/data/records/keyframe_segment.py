"""Reads one segment of a video with the keyframes annotated in it, for `record_shard`."""

import itertools
from typing import Any

import numpy as np

from avatx.data.records import record
from avatx.data.records.planned_segment import PlannedKeyframe, PlannedSegment
from avatx.data.records.record_plan import RecordSettings
from avatx.data.records.span_reading import read_span
from avatx.data.times import MICROSECONDS
from avatx.data.video.missing_frames import distances_to_frames, keyframe_bound
from avatx.errors import UserError

# (path, identity) -> microseconds where a video turned out to end, so that the many keyframes past
# the end of a truncated video do not each look for it.
_ENDS: dict[str, tuple[int, str]] = {}


def read(
    planned: PlannedSegment, settings: RecordSettings, class_names: dict[int, str]
) -> tuple[record.Segment | None, list[dict[str, Any]]]:
    """Decodes one planned segment.

    Args:
      planned: which keyframes of which video.
      settings: as the plan was made with.
      class_names: class id -> name.

    Returns:
      The segment, or None if none of its keyframes can be had; and what was skipped: a list of
      {video_id, reason, timestamps in seconds}.
    """
    offset = round(settings.frame_settings.video_start_seconds * MICROSECONDS)
    skipped: dict[str, list[float]] = {}

    def skip(reason: str, keyframes: list[PlannedKeyframe]) -> None:
        if keyframes:
            skipped.setdefault(reason, []).extend(
                keyframe.timestamp / MICROSECONDS for keyframe in keyframes
            )

    def result(segment):
        return segment, [
            {"video_id": planned.video_id, "reason": reason, "timestamps": timestamps}
            for reason, timestamps in skipped.items()
        ]

    keyframes = list(planned.keyframes)
    if planned.source is None:
        skip("the video was not found", keyframes)
        return result(None)
    skip(
        f"before the video's first frame, which is at {offset / MICROSECONDS:g} s",
        [keyframe for keyframe in keyframes if keyframe.timestamp < offset],
    )
    keyframes = [keyframe for keyframe in keyframes if keyframe.timestamp >= offset]

    key = f"{planned.source} {planned.identity} {settings.frame_settings}"
    end, why = _ENDS.get(key, (None, ""))
    if keyframes and (end is None or keyframes[0].timestamp <= end):
        try:
            span = read_span(
                planned.source,
                settings,
                planned.start - offset,
                planned.end - offset,
                optical_flow=settings.frame_settings.optical_flow,
            )
        except UserError as error:
            skip(str(error).replace(f"{planned.source}: ", ""), keyframes)
            return result(None)
        if span.end_time is not None:
            # Half a frame of grace for a keyframe at the very end by another clock.
            grace = round(MICROSECONDS / (span.frame_rate or 25) / 2)
            end = span.end_time + offset + grace
            why = span.error or (
                f"past the end of the video, which is at {(end - grace) / MICROSECONDS:.3f} s"
            )
            if span.ended:  # behind damage there may be more
                _ENDS[key] = end, why
    if end is not None:
        skip(why, [keyframe for keyframe in keyframes if keyframe.timestamp > end])
        keyframes = [keyframe for keyframe in keyframes if keyframe.timestamp <= end]
    if keyframes and span.is_folder:
        bound = keyframe_bound(span.frame_rate, settings.frame_settings.max_frame_rate)
        times = np.array([keyframe.timestamp - offset for keyframe in keyframes])
        is_missing = distances_to_frames(span.timestamps, times) > bound
        skip(
            f"no frame within {bound / MICROSECONDS:.3f} s of it, half the distance of the frames",
            list(itertools.compress(keyframes, is_missing)),
        )
        keyframes = list(itertools.compress(keyframes, ~is_missing))
    if not keyframes:
        return result(None)
    span.provenance["margin_seconds"] = settings.margin_seconds
    return result(
        record.Segment(
            video_id=planned.video_id,
            start=planned.start,
            end=planned.end,
            timestamps=span.timestamps + offset,
            keyframes=[_keyframe(keyframe, class_names) for keyframe in keyframes],
            **span.stored,
        )
    )


def _keyframe(planned: PlannedKeyframe, class_names: dict[int, str]) -> record.Keyframe:
    class_ids = [int(row[4]) for row in planned.rows]
    return record.Keyframe(
        timestamp=planned.timestamp,
        boxes=np.array([row[:4] for row in planned.rows], np.float32).reshape(-1, 4),
        class_ids=np.array(class_ids, np.int64),
        class_names=[class_names[class_id] for class_id in class_ids],
        person_ids=np.array([row[5] for row in planned.rows], np.int64),
    )
