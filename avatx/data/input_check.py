"""Looks at the first record of every input file, so that a wrong file is named before training."""

from typing import Sequence

import tensorflow as tf

from avatx.data import record
from avatx.data.input_errors import explained, first_record
from avatx.data.keyframe_parsing import KeyframeParser
from avatx.errors import UserError

_CONTEXT = (record.VIDEO_ID, record.CLIP_START, record.CLIP_END, record.IMAGE_HEIGHT,
            record.IMAGE_WIDTH, record.IMAGE_FRAME_RATE)
_LISTS = (record.IMAGE_ENCODED, record.IMAGE_TIMESTAMP)
_KEYFRAME_LISTS = (record.REGION_TIMESTAMP, record.REGION_YMIN, record.REGION_XMIN,
                   record.REGION_YMAX, record.REGION_XMAX, record.REGION_LABEL_INDEX,
                   record.REGION_TRACK_INDEX)


def check_first_records(files: Sequence[str], parser: KeyframeParser) -> None:
    """Raises UserError, naming the file, unless each begins with a record that parses.

    A file may be empty: more shards than segments are no mistake. All files empty are.
    """
    found_any = False
    for path in files:
        for serialized in first_record(path):
            found_any = True
            check_keys(path, serialized)
            try:
                with explained():
                    parser.segment(tf.constant(serialized))
            except (UserError, tf.errors.OpError) as error:
                message = error.message if isinstance(error, tf.errors.OpError) else str(error)
                raise UserError(f"{path}: {' '.join(message.split())[:400]}") from error
    if not found_any:
        raise UserError(f"{files[0]}: empty, as are all {len(files)} input files; "
                        "tools/create_ava_tfrecord.py writes the records")


def check_keys(path: str, serialized: bytes) -> None:
    """Raises UserError unless `serialized` is a SequenceExample with a record's keys."""
    remedy = "write the records with tools/create_ava_tfrecord.py"
    try:
        example = tf.train.SequenceExample.FromString(serialized)
    except Exception as error:  # protobuf's DecodeError has a different home in each version
        raise UserError(f"{path}: its first record is not a tf.train.SequenceExample; "
                        f"{remedy}") from error
    missing = [key for key in _CONTEXT if key not in example.context.feature]
    missing += [key for key in _LISTS if key not in example.feature_lists.feature_list]
    missing += [key for key in _KEYFRAME_LISTS if key not in example.feature_lists.feature_list]
    if missing:
        there = sorted(example.context.feature) + sorted(example.feature_lists.feature_list)
        raise UserError(
            f"{path}: its first record lacks {', '.join(missing)}; it has "
            f"{', '.join(there)[:200] or 'no known key'}; {remedy}")
