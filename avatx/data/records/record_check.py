"""What a file or an entry of it lacks to be our record; for before reading and after failing."""

from collections.abc import Iterable, Iterator, Sequence

import tensorflow as tf

from avatx.data.records import record
from avatx.data.records.graph_check import as_shown, seconds_as_shown
from avatx.data.records.record_content import first_problem
from avatx.errors import UserError, first_line

_CONTEXT = (
    record.VIDEO_ID,
    record.CLIP_START,
    record.CLIP_END,
    record.IMAGE_HEIGHT,
    record.IMAGE_WIDTH,
    record.IMAGE_FRAME_RATE,
)
_LISTS = (
    record.IMAGE_ENCODED,
    record.IMAGE_TIMESTAMP,
    record.REGION_TIMESTAMP,
    record.REGION_YMIN,
    record.REGION_XMIN,
    record.REGION_YMAX,
    record.REGION_XMAX,
    record.REGION_LABEL_INDEX,
    record.REGION_TRACK_INDEX,
)
_LABELLED_CONTEXT = (
    record.VIDEO_ID,
    record.CLIP_START,
    record.IMAGE_HEIGHT,
    record.IMAGE_WIDTH,
    record.CLIP_LABEL_INDEX,
)
_LABELLED_LISTS = (record.IMAGE_ENCODED, record.IMAGE_TIMESTAMP)
_REMEDY = "write the records with tools/create_{}_tfrecord.py"


def check_keys(
    path: str, serialized: bytes, index: int = 0, labelled: bool = False, decode: bool = False
) -> None:
    """Raises UserError unless the index-th entry of `path` has a record's keys and columns.

    Args:
      path: the TFRecord file, for the message.
      serialized: the entry.
      index: the entry's number in its file, from 0.
      labelled: it is to be the record of a labelled video, not of keyframes.
      decode: decode its pictures, too.
    """
    remedy = _REMEDY.format("kinetics" if labelled else "ava")
    where = f"{path}: record {index + 1}"
    try:
        example = tf.train.SequenceExample.FromString(serialized)
    except Exception as error:  # protobuf's DecodeError has a different home in each version
        raise UserError(f"{where} is not a tf.train.SequenceExample; {remedy}") from error
    context, lists = example.context.feature, example.feature_lists.feature_list
    missing = [key for key in (_LABELLED_CONTEXT if labelled else _CONTEXT) if key not in context]
    missing += [key for key in (_LABELLED_LISTS if labelled else _LISTS) if key not in lists]
    if missing:
        there = ", ".join([*sorted(context), *sorted(lists)])[:200] or "no key at all"
        raise UserError(f"{where} lacks {', '.join(missing)}; it has {there}; {remedy}")
    problem = first_problem(example, labelled, decode)
    if problem:
        raise UserError(f"{where}: {problem}; {remedy}")


def check_file(path: str, keys: bool = False, decode: bool = False) -> None:
    """Reads `path` to its end; raises UserError where framing (or keys, if asked) is wrong."""
    count, labelled = 0, False
    try:
        for count, entry in enumerate(tf.data.TFRecordDataset(path), start=1):
            if keys:
                labelled = labelled or record.CLIP_LABEL_INDEX.encode() in entry.numpy()
                check_keys(path, entry.numpy(), count - 1, labelled, decode)
                _check_wire(path, entry, count)
    except tf.errors.DataLossError as error:
        raise _corrupt(path, count, error) from error


def _check_wire(path: str, entry: tf.Tensor, number: int) -> None:
    """TensorFlow's reader refuses some bytes that protobuf takes."""
    try:
        tf.io.parse_single_sequence_example(
            entry,
            {record.VIDEO_ID: tf.io.FixedLenFeature([], tf.string)},
            {record.IMAGE_ENCODED: tf.io.FixedLenSequenceFeature([], tf.string)},
        )
    except tf.errors.OpError as error:
        raise UserError(
            f"{path}: record {number} is not a tf.train.SequenceExample that TensorFlow reads "
            f"({first_line(error)}); write the records again"
        ) from error


def file_of_record(paths: Sequence[str], named: Iterable[tuple[str, str | None]]) -> str:
    """The file that holds a record; "" if none does.

    Args:
      paths: TFRecord files.
      named: what the record may be: a video id as a message of `graph_check` shows it, and seconds
        as it shows them, or None for any. The longest id that is there counts.
    """
    wanted, longest, where = dict(named), -1, ""
    for path in paths:
        for entry in tf.data.TFRecordDataset(path):
            try:
                example = tf.train.SequenceExample.FromString(entry.numpy())
            except Exception:  # protobuf's DecodeError has a different home in each version
                continue
            context = example.context.feature
            found = context[record.CLIP_START].int64_list.value
            for video_id in map(as_shown, context[record.VIDEO_ID].bytes_list.value[:1]):
                if len(video_id) > longest and video_id in wanted:
                    start = wanted[video_id]
                    if start is None or start in map(seconds_as_shown, found):
                        longest, where = len(video_id), path
    return where


def first_entries(path: str, count: int = 1) -> Iterator[bytes]:
    """The first entries of a TFRecord file, as many as it has, one after the other.

    Raises:
      UserError: the file cannot be read or is no TFRecord file.
    """
    good = 0
    try:
        for entry in tf.data.TFRecordDataset(path).take(count):
            yield entry.numpy()
            good += 1
    except tf.errors.DataLossError as error:
        raise _corrupt(path, good, error) from error
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be read ({first_line(error)})") from error


def _corrupt(path: str, good_records: int, error: Exception) -> UserError:
    if good_records == 0:
        return UserError(
            f"{path}: not a TFRecord file, or its first record is corrupt "
            f"({first_line(error)}); tools/create_ava_tfrecord.py writes such files"
        )
    return UserError(
        f"{path}: corrupt or cut short after {good_records} records ({first_line(error)}); "
        "delete it and run tools/create_ava_tfrecord.py again"
    )
