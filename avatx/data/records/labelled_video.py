"""Reads one labelled video, or the labelled part of it, for `record_shard`."""

import os
from typing import Any

import numpy as np

import avatx
from avatx.data.records import record
from avatx.data.records.record_plan import RecordSettings
from avatx.data.times import MICROSECONDS
from avatx.data.video.frame_encoding import encode_jpeg, stored_size
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError

_END_OF_TIME = 2**60  # microseconds: the end of a video that is labelled to its end
_MAX_BYTES = 1_000_000_000  # of JPEG frames; protobuf takes no message of 2 GiB


def read(
    planned: dict[str, Any], settings: RecordSettings, class_names: dict[int, str]
) -> tuple[record.Segment | None, list[dict[str, Any]]]:
    """Decodes the frames of start <= time < end of one planned video.

    A video that breaks off is kept with the frames it has; `provenance["damage"]` says why.

    Args:
      planned: `video_id`, `source`, `identity`, `start` and `end` in microseconds (`end` None is
        the end of the video), `class_id`.
      settings: as of `record_shard.read_segment`.
      class_names: as of `record_shard.read_segment`.

    Returns:
      The segment, or None if there is not one frame; and what was skipped, likewise.
    """
    start, end = planned["start"], planned["end"]
    frame_settings = settings.frame_settings

    def skip(reason: str):
        return None, [
            {
                "video_id": planned["video_id"],
                "reason": reason,
                "timestamps": [start / MICROSECONDS],
            }
        ]

    if planned["source"] is None:
        return skip("the video was not found")
    try:
        reader = VideoReader(planned["source"], frame_settings=frame_settings)
    except UserError as error:
        return skip(str(error).replace(f"{planned['source']}: ", ""))
    with reader:
        size = stored_size(reader.size, frame_settings.shorter_side)
        timestamps, frames, num_bytes = [], [], 0
        for time, picture in reader.span(start, _END_OF_TIME if end is None else end):
            if time < start or end is not None and time >= end:
                continue
            jpeg = reader.jpeg_bytes(picture) if size == tuple(reader.size) else None
            if jpeg is None:
                jpeg = encode_jpeg(reader.to_rgb(picture, size), settings.jpeg_quality)
            timestamps.append(time)
            frames.append(jpeg)
            num_bytes += len(jpeg)
            if num_bytes > _MAX_BYTES:
                return skip(
                    f"its frames take more than {_MAX_BYTES / 1e9:g} GB, too many for one "
                    "record; label parts of it by start and end"
                )
        if not frames:
            return skip(reader.error or _why_empty(start, end, reader.end_time))
        facts = {
            **reader.provenance,
            "avatx": avatx.__version__,
            "source": os.path.basename(planned["source"]),
            "source_height": reader.size[0],
            "source_width": reader.size[1],
            "jpeg_quality": settings.jpeg_quality,
            "jpeg_chroma": "4:2:0",
            **frame_settings.to_provenance(),
        }
        if reader.error:
            facts["damage"] = reader.error
        frame_rate = reader.frame_rate or 0.0
    if end is None:
        end = reader.end_time or timestamps[-1]
    return record.Segment(
        video_id=planned["video_id"],
        start=start,
        end=end,
        height=size[0],
        width=size[1],
        frame_rate=frame_rate,
        timestamps=np.array(timestamps, np.int64),
        frames=frames,
        keyframes=[],
        provenance=facts,
        clip_class_ids=[planned["class_id"]],
        clip_class_names=[class_names[planned["class_id"]]],
    ), []


def _why_empty(start: int, end: int | None, video_end: int | None) -> str:
    until = "its end" if end is None else f"{end / MICROSECONDS:g} s"
    text = f"no frame from {start / MICROSECONDS:g} s to {until}"
    return (
        text
        if video_end is None
        else (f"{text}; the video ends at {video_end / MICROSECONDS:.3f} s")
    )
