"""Whether records hold a keyframe twice, which an evaluation cannot score."""

from collections.abc import Sequence

import tensorflow as tf

from avatx.data.annotations.ava_csv import format_timestamp
from avatx.data.annotations.ava_table import Keyframe, keyframe_key
from avatx.data.records import record, remote_files
from avatx.data.records.data_statistics import SCANNED_BYTES
from avatx.data.times import MICROSECONDS
from avatx.errors import UserError


def refusal(keyframe: Keyframe) -> UserError:
    """What is raised for a keyframe that an evaluation has twice."""
    return UserError(
        f"keyframe {keyframe[0]},{format_timestamp(keyframe[1])} is there twice in the "
        "evaluation's records, and each would be scored against both; does eval_input_reader's "
        "input_path name records of two writings, or files twice? Remove the older ones, or name "
        "the files of one"
    )


def check(input_paths: Sequence[str], scanned_bytes: int = SCANNED_BYTES) -> None:
    """Raises a UserError that names a keyframe which is there twice, where looking takes seconds.

    Records beyond a network, or of more than `scanned_bytes`, are left to the evaluation, as is
    whatever else may be wrong with them.

    Args:
      input_paths: file patterns.
      scanned_bytes: of so many bytes all is read.
    """
    seen: set[Keyframe] = set()
    try:
        files = remote_files.match_files(input_paths)
        if any(remote_files.scheme(path) for path in files):
            return
        if sum(tf.io.gfile.stat(path).length for path in files) > scanned_bytes:
            return
        for video_id, times in tf.data.TFRecordDataset(files).map(_moments).as_numpy_iterator():
            for time in times:
                name = video_id.decode("utf-8", "replace")
                keyframe = keyframe_key(name, float(time) / MICROSECONDS)
                if keyframe in seen:
                    raise _Twice(keyframe)
                seen.add(keyframe)
    except _Twice as found:
        raise refusal(found.keyframe) from None
    except (UserError, tf.errors.OpError):
        return  # which the evaluation names with file and record


class _Twice(Exception):
    def __init__(self, keyframe: Keyframe):
        super().__init__(keyframe)
        self.keyframe = keyframe


def _moments(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A segment's video and [K] times of its keyframes."""
    segment = record.parse(serialized)
    return segment.video_id, segment.keyframe_timestamps
