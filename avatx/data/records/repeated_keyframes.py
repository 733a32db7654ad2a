"""Whether records hold a keyframe twice, which an evaluation cannot score."""

from collections.abc import Sequence

import tensorflow as tf

from avatx.data.annotations.ava_csv import format_timestamp
from avatx.data.annotations.ava_table import Keyframe, keyframe_key
from avatx.data.records import remote_files
from avatx.data.records.scanning import SCANNED_BYTES, keyframe_times, takes_seconds
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
    try:
        files = remote_files.match_files(input_paths)
        twice = _first_twice(files) if takes_seconds(files, scanned_bytes) else None
    except (UserError, tf.errors.OpError):
        return  # which the evaluation names with file and record
    if twice is not None:
        raise refusal(twice)


def _first_twice(files: Sequence[str]) -> Keyframe | None:
    seen: set[Keyframe] = set()
    for video_id, times in tf.data.TFRecordDataset(files).map(keyframe_times).as_numpy_iterator():
        for time in times:
            keyframe = keyframe_key(video_id.decode(errors="replace"), float(time) / MICROSECONDS)
            if keyframe in seen:
                return keyframe
            seen.add(keyframe)
    return None
