"""Reading a set of records through before a run, where that takes seconds."""

from collections.abc import Sequence

import tensorflow as tf

from avatx.data.records import record, remote_files

SCANNED_BYTES = 1_000_000_000  # more than this is not read through just to be looked at


def takes_seconds(files: Sequence[str], scanned_bytes: int = SCANNED_BYTES) -> bool:
    """Whether all files are on this machine and hold `scanned_bytes` together at the most."""
    if any(remote_files.scheme(path) for path in files):
        return False
    return sum(tf.io.gfile.stat(path).length for path in files) <= scanned_bytes


def keyframe_times(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of a segment: its video's id and the times of its keyframes [K], microseconds."""
    segment = record.parse(serialized)
    return segment.video_id, segment.keyframe_timestamps
