"""Writes one shard: opens its videos one after the other, one segment in memory at a time."""

import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from avatx.atomic_file import atomic_path, atomic_text_file
from avatx.data.records import keyframe_segment, labelled_video, record
from avatx.data.records.planned_segment import Planned, PlannedSegment, PlannedVideo
from avatx.data.records.record_plan import RecordSettings
from avatx.data.times import MICROSECONDS
from avatx.errors import UserError, first_line

_READERS: dict[type, Callable] = {
    PlannedSegment: keyframe_segment.read,
    PlannedVideo: labelled_video.read,
}


class _NoRecord(Exception):
    """Of no segment a record came, so the unfinished file is given up."""


def _read_or_skip(planned: Planned, settings: RecordSettings, class_names: dict[int, str]):
    """Reads either kind; nothing that a library raises over one video may stop the others."""
    try:
        return _READERS[type(planned)](planned, settings, class_names)
    except Exception as error:  # any: a dozen libraries have read what somebody made
        return None, [
            {
                "video_id": planned.video_id,
                "reason": f"cannot be read ({type(error).__name__}: {first_line(error)})",
                "timestamps": [time / MICROSECONDS for time in planned.times],
            }
        ]


def write_shard(
    path: str,
    segments: Sequence[Planned],
    settings: RecordSettings,
    class_names: dict[int, str],
    *,
    temporary_folder: str,
    on_progress: Callable[[int], None] = lambda number: None,
    before_rename: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Writes the records of `segments` to `path`, which appears whole or not at all.

    Where no record comes of them nothing is written, and what is called `path` already stays.

    Args:
      path: the shard.
      segments: see `RecordPlan.shards`.
      settings: as the plan was made with.
      class_names: class id -> name.
      temporary_folder: where the unfinished file lies; on the same file system as `path`.
      on_progress: called with the number of examples dealt with after each segment.
      before_rename: called when the new file is about to take its place.

    Returns:
      JSON-able: `bytes` of the file, 0 if none was written, `records`, `frames`, `keyframes`,
      `jpeg_bytes`, the `skipped` examples (see `keyframe_segment.read`), and for each video the
      facts of its source.
    """
    result: dict[str, Any] = {
        "bytes": 0,
        "records": 0,
        "frames": 0,
        "keyframes": 0,
        "jpeg_bytes": 0,
        "skipped": [],
        "videos": {},
    }
    done = 0
    try:
        with contextlib.suppress(_NoRecord), atomic_path(path, temporary_folder) as temporary:
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
                        facts = {
                            **segment.provenance,
                            "frame_rate": segment.frame_rate,
                            "height": segment.height,
                            "width": segment.width,
                        }
                        add_facts(result["videos"], {segment.video_id: facts})
                    done += len(planned.times)
                    on_progress(done)
            if not result["records"]:
                raise _NoRecord
            result["bytes"] = tf.io.gfile.stat(temporary).length
            before_rename()
    except (OSError, tf.errors.OpError) as error:
        text = getattr(error, "message", None) or str(error)
        raise UserError(f"{path} cannot be written: {text}") from error
    return result


def add_facts(videos: dict[str, Any], more: dict[str, Any]) -> None:
    """Adds facts of videos; of a video that is there already, the events of both are kept."""
    for video_id, facts in more.items():
        events = [*videos.get(video_id, {}).get("events", []), *facts.get("events", [])]
        videos[video_id] = dict(facts)
        if events:
            unique = sorted({tuple(event) for event in events})
            videos[video_id]["events"] = [list(event) for event in unique]


def write_text(path: str, text: str, *, lasting: bool = True) -> None:
    """Writes a small file whole or not at all, on any of TensorFlow's file systems.

    See `atomic_path` for `lasting`.
    """
    with atomic_text_file(path, lasting=lasting) as file:
        file.write(text)


def read_json(path: str) -> Any:
    """What `path` holds. Raises ValueError if that is not JSON, NotFoundError if it is absent."""
    with tf.io.gfile.GFile(path, "r") as file:
        return json.loads(file.read())
