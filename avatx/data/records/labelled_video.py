"""Reads one labelled video, or the labelled part of it, for `record_shard`."""

from typing import Any

from avatx.data.records import record
from avatx.data.records.planned_segment import PlannedVideo
from avatx.data.records.record_plan import RecordSettings
from avatx.data.records.span_reading import read_span
from avatx.data.times import MICROSECONDS
from avatx.errors import UserError

_END_OF_TIME = 2**60  # microseconds: the end of a video that is labelled to its end
_MAX_BYTES = 1_000_000_000  # of JPEG frames; protobuf takes no message of 2 GiB


def read(
    planned: PlannedVideo, settings: RecordSettings, class_names: dict[int, str]
) -> tuple[record.Segment | None, list[dict[str, Any]]]:
    """Decodes the frames of start <= time < end of one planned video.

    A video that breaks off is kept with the frames it has; `provenance["damage"]` says why.

    Args:
      planned: which part of which video.
      settings: as the plan was made with; records of labelled videos hold no optical flow.
      class_names: class id -> name.

    Returns:
      The segment, or None if there is not one frame; and what was skipped: a list of
      {video_id, reason, timestamps in seconds}.
    """
    start, end = planned.start, planned.end

    def skip(reason: str):
        times = [time / MICROSECONDS for time in planned.times]
        return None, [{"video_id": planned.video_id, "reason": reason, "timestamps": times}]

    if planned.source is None:
        return skip("the video was not found")
    last = _END_OF_TIME if end is None else end
    try:
        span = read_span(
            planned.source,
            settings,
            start,
            last,
            wanted=lambda time: start <= time < last,
            max_bytes=_MAX_BYTES,
        )
    except UserError as error:
        return skip(str(error).replace(f"{planned.source}: ", ""))
    if not span.frames:
        return skip(span.error or _why_empty(start, end, span.end_time))
    if span.error:
        span.provenance["damage"] = span.error
    if end is None:
        end = span.end_time or int(span.timestamps[-1])
    return record.Segment(
        video_id=planned.video_id,
        start=start,
        end=end,
        timestamps=span.timestamps,
        keyframes=[],
        clip_class_ids=[planned.class_id],
        clip_class_names=[class_names[planned.class_id]],
        **span.stored,
    ), []


def _why_empty(start: int, end: int | None, video_end: int | None) -> str:
    until = "its end" if end is None else f"{end / MICROSECONDS:g} s"
    text = f"no frame from {start / MICROSECONDS:g} s to {until}"
    if video_end is None:
        return text
    return f"{text}; the video ends at {video_end / MICROSECONDS:.3f} s"
