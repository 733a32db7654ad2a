"""Writes one shard: opens its videos one after the other, one segment in memory at a time."""

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import avatx
from avatx.atomic_file import atomic_path, atomic_text_file
from avatx.data.records import labelled_video, record
from avatx.data.records.record_plan import RecordSettings, num_items
from avatx.data.times import MICROSECONDS
from avatx.data.video.frame_encoding import encode_jpeg, stored_size
from avatx.data.video.optical_flow import FlowEncoder
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError

# (path, identity) -> microseconds where a video turned out to end, so that the many keyframes past
# the end of a truncated video do not each look for it.
_ENDS: dict[str, tuple[int, str]] = {}


def read_segment(
    planned: dict[str, Any], settings: RecordSettings, class_names: dict[int, str]
) -> tuple[record.Segment | None, list[dict[str, Any]]]:
    """Decodes one planned segment (see `RecordPlan`).

    Returns:
      The segment, or None if none of its keyframes can be had; and what was skipped: a list of
      {video_id, reason, timestamps in seconds}.
    """
    video_id, source = planned["video_id"], planned["source"]
    frame_settings = settings.frame_settings
    offset = round(frame_settings.video_start_seconds * MICROSECONDS)
    skipped: dict[str, list[float]] = {}

    def skip(reason: str, keyframes) -> None:
        if keyframes:
            skipped.setdefault(reason, []).extend(
                keyframe["timestamp"] / MICROSECONDS for keyframe in keyframes
            )

    def result(segment):
        return segment, [
            {"video_id": video_id, "reason": reason, "timestamps": timestamps}
            for reason, timestamps in skipped.items()
        ]

    keyframes = planned["keyframes"]
    if source is None:
        skip("the video was not found", keyframes)
        return result(None)
    skip(
        f"before the video's first frame, which is at {offset / MICROSECONDS:g} s",
        [keyframe for keyframe in keyframes if keyframe["timestamp"] < offset],
    )
    keyframes = [keyframe for keyframe in keyframes if keyframe["timestamp"] >= offset]

    key = f"{source} {planned['identity']} {frame_settings}"
    end, why = _ENDS.get(key, (None, ""))
    if keyframes and (end is None or keyframes[0]["timestamp"] <= end):
        try:
            reader = VideoReader(source, frame_settings=frame_settings)
        except UserError as error:
            skip(str(error).replace(f"{source}: ", ""), keyframes)
            return result(None)
        with reader:
            size = stored_size(reader.size, frame_settings.shorter_side)
            timestamps, frames, num_encoded = [], [], 0
            method = frame_settings.optical_flow
            flow = FlowEncoder(method) if method else None
            for time, picture in reader.span(planned["start"] - offset, planned["end"] - offset):
                jpeg = reader.jpeg_bytes(picture) if size == tuple(reader.size) else None
                rgb = reader.to_rgb(picture, size) if jpeg is None or flow else None
                if jpeg is None:
                    jpeg = encode_jpeg(rgb, settings.jpeg_quality)
                    num_encoded += 1
                if flow:
                    flow.add(rgb)
                timestamps.append(time + offset)
                frames.append(jpeg)
            if reader.end_time is not None:
                # Half a frame of grace for a keyframe at the very end by another clock.
                grace = round(MICROSECONDS / (reader.frame_rate or 25) / 2)
                end = reader.end_time + offset + grace
                why = reader.error or (
                    f"past the end of the video, which is at {(end - grace) / MICROSECONDS:.3f} s"
                )
                if reader.ended:  # behind damage there may be more
                    _ENDS[key] = end, why
            facts = {
                **reader.provenance,
                "avatx": avatx.__version__,
                "source": os.path.basename(source),
                "source_height": reader.size[0],
                "source_width": reader.size[1],
                # Nothing for a folder of JPEG files that are stored as they are.
                **(
                    {"jpeg_quality": settings.jpeg_quality, "jpeg_chroma": "4:2:0"}
                    if num_encoded
                    else {}
                ),
                "margin_seconds": settings.margin_seconds,
                **frame_settings.to_provenance(flow.provenance if flow else None),
            }
            frame_rate = reader.frame_rate or 0.0
    if end is not None:
        skip(why, [keyframe for keyframe in keyframes if keyframe["timestamp"] > end])
        keyframes = [keyframe for keyframe in keyframes if keyframe["timestamp"] <= end]
    if not keyframes:
        return result(None)
    return result(
        record.Segment(
            video_id=video_id,
            start=planned["start"],
            end=planned["end"],
            height=size[0],
            width=size[1],
            frame_rate=frame_rate,
            timestamps=np.array(timestamps, np.int64),
            frames=frames,
            keyframes=[_keyframe(keyframe, class_names) for keyframe in keyframes],
            provenance=facts,
            flow=flow.finish() if flow else None,
        )
    )


def _read_or_skip(planned: dict[str, Any], settings: RecordSettings, class_names: dict[int, str]):
    """`read_segment`; what its libraries raise beside it must not stop the other videos."""
    import av

    try:
        if "class_id" in planned:
            return labelled_video.read(planned, settings, class_names)
        return read_segment(planned, settings, class_names)
    except (av.FFmpegError, OSError) as error:
        reason = f"cannot be read ({error})"
        times = [keyframe["timestamp"] for keyframe in planned["keyframes"]]
        if "class_id" in planned:
            times = [planned["start"]]
        return None, [
            {
                "video_id": planned["video_id"],
                "reason": reason,
                "timestamps": [time / MICROSECONDS for time in times],
            }
        ]


def _keyframe(planned: dict[str, Any], class_names: dict[int, str]) -> record.Keyframe:
    rows = planned["rows"]
    class_ids = [int(row[4]) for row in rows]
    return record.Keyframe(
        timestamp=planned["timestamp"],
        boxes=np.array([row[:4] for row in rows], np.float32).reshape(-1, 4),
        class_ids=np.array(class_ids, np.int64),
        class_names=[class_names[class_id] for class_id in class_ids],
        person_ids=np.array([row[5] for row in rows], np.int64),
    )


def write_shard(
    path: str,
    segments: list[dict[str, Any]],
    settings: RecordSettings,
    class_names: dict[int, str],
    *,
    temporary_folder: str,
    on_keyframes: Callable[[int], None] = lambda number: None,
    before_rename: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Writes the records of `segments` to `path`, which appears whole or not at all.

    Args:
      path: the shard.
      segments: see `RecordPlan.shards`.
      settings: see `read_segment`.
      class_names: see `read_segment`.
      temporary_folder: where the unfinished file lies; on the same file system as `path`.
      on_keyframes: called with the number of keyframes dealt with after each segment.
      before_rename: called when the new file is about to take its place.

    Returns:
      JSON-able: `bytes` of the file, `records`, `frames`, `keyframes`, `jpeg_bytes`, the
      `skipped` keyframes (see `read_segment`), and for each video the facts of its source.
    """
    result = {
        "records": 0,
        "frames": 0,
        "keyframes": 0,
        "jpeg_bytes": 0,
        "skipped": [],
        "videos": {},
    }
    done = 0
    try:
        with atomic_path(path, temporary_folder) as temporary:
            with tf.io.TFRecordWriter(temporary) as writer:
                for planned in segments:
                    segment, skipped = _read_or_skip(planned, settings, class_names)
                    result["skipped"] += skipped
                    if segment is not None:
                        writer.write(record.encode(segment))
                        result["records"] += 1
                        result["frames"] += len(segment.frames)
                        result["keyframes"] += len(segment.keyframes)
                        result["jpeg_bytes"] += sum(map(len, segment.frames))
                        result["videos"][segment.video_id] = {
                            **segment.provenance,
                            "frame_rate": segment.frame_rate,
                            "height": segment.height,
                            "width": segment.width,
                        }
                    done += num_items(planned)
                    on_keyframes(done)
            result["bytes"] = tf.io.gfile.stat(temporary).length
            before_rename()
    except (OSError, tf.errors.OpError) as error:
        text = getattr(error, "message", None) or str(error)
        raise UserError(f"{path} cannot be written: {text}") from error
    return result


def write_text(path: str, text: str) -> None:
    """Writes a small file whole or not at all, on any of TensorFlow's file systems."""
    with atomic_text_file(path) as file:
        file.write(text)


def read_json(path: str) -> Any:
    """What `path` holds. Raises ValueError if that is not JSON, NotFoundError if it is absent."""
    with tf.io.gfile.GFile(path, "r") as file:
        return json.loads(file.read())
