"""The reader of records: an example or a UserError that names the file; the pipeline is built once.

A case goes through all that a training does with a record: parsed, checked, its keyframes' clips
cut, decoded and padded.
"""

import contextlib
import functools
import os
import random
import zlib

import numpy as np
import tensorflow as tf
from mutation import mutate
from small_records import TWO_PEOPLE, keyframe, options, segment

from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.keyframe_parsing import KeyframeParser
from avatx.data.input.keyframe_source import make_example
from avatx.data.records import record
from avatx.data.records.input_errors import explained
from avatx.data.records.record_check import check_keys
from avatx.errors import UserError

_WORDS = [
    *(key.encode() for key in (record.VIDEO_ID, record.REGION_YMIN, record.IMAGE_ENCODED)),
    *(
        b"\x0a",
        b"\x12",
        b"\x1a",
        b"\x08\x01",
        b"\xff" * 10,
        b"\xff\xd8",
        b"\0" * 4,
        b"\x00\x00\xc0\x7f",
    ),
]
_CLIP = ClipShape(3, 25.0, 8, 12)
_COUNTS = {"bytes_list": b"x", "int64_list": 1, "float_list": 0.25}
_ODD = {
    "bytes_list": [b"", b"\xff", b"class 2", b"a\0b", b"v" * 200, b"\xff\xd8\xff"],
    "int64_list": [0, -1, 1, 2, 4, 2**62, -(2**63), 2**63 - 1, 40_000],
    "float_list": [float("nan"), float("inf"), -1.0, 0.0, 1.0, 1e30, 0.95],
}


@functools.cache
def _good() -> tuple[bytes, ...]:
    frames = [
        tf.io.encode_jpeg(np.full([48, 64, 3], 20 * level, np.uint8)).numpy() for level in range(4)
    ]
    keyframes = [keyframe(40_000), keyframe(80_000, TWO_PEOPLE[:2]), keyframe(120_000, [])]
    return tuple(
        record.encode(segment(name, keyframes[:count], num_frames=4, frames=frames))
        for name, count in (("v", 3), ("video é", 1))
    )


@functools.cache
def _read(folder: str):
    path = os.path.join(folder, "map.pbtxt")
    write_label_map(path, LabelMap({1: "class 1", 2: "class 2", 3: "class 3"}))
    parser = KeyframeParser(_CLIP, 3, path)
    given = options("none")

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def read(serialized):
        parsed = parser.segment(serialized)
        indices = tf.range(tf.size(parsed.keyframe_timestamps))
        return tf.map_fn(
            lambda index: make_example(parser.keyframe(parsed, index), _CLIP, given).clips,
            indices,
            fn_output_signature=tf.TensorSpec([3, 8, 12, 3], tf.uint8),
        )

    return read


def make(generator: random.Random) -> bytes:
    """An entry of a TFRecord file."""
    data = generator.choice(_good())
    if generator.random() < 0.3:
        return mutate(data, _WORDS, generator)
    example = tf.train.SequenceExample.FromString(data)
    for _ in range(1 + int(generator.expovariate(1.5))):
        _change(example, generator)
    return example.SerializeToString()


def _change(example, generator: random.Random) -> None:
    """Damages a column, so that the record still parses as a SequenceExample."""
    lists, context = example.feature_lists.feature_list, example.context.feature
    if generator.random() < 0.25:
        key = generator.choice(sorted(context))
        if generator.random() < 0.3:
            del context[key]
        else:
            _change_values(context[key], generator)
        return
    key = generator.choice(sorted(lists))
    steps = lists[key].feature
    kind = generator.randrange(6)
    at = generator.randrange(len(steps) + 1)
    if kind == 0:
        del lists[key]
    elif kind == 1:
        del steps[at:]
    elif kind == 2:
        steps.add().bytes_list.value.append(b"x")
    elif kind == 3 and at < len(steps):
        steps.add().CopyFrom(steps[at])
    elif at < len(steps):
        _change_values(steps[at], generator)


def _change_values(feature, generator: random.Random) -> None:
    kind = feature.WhichOneof("kind")
    if kind is None or generator.random() < 0.1:
        kind = generator.choice(sorted(_COUNTS))
        getattr(feature, kind).value.append(_COUNTS[kind])
        return
    values = getattr(feature, kind).value
    at = generator.randrange(len(values) + 1)
    action = generator.randrange(4)
    if action == 0 and at < len(values):
        del values[at]
    elif action == 1:
        values.append(generator.choice(_ODD[kind]))
    elif action == 2 and at < len(values) and kind == "bytes_list":
        values[at] = mutate(values[at], [b"\xff\xd9", b"\xff\xc4", b"\0", b"\xff"], generator)
    elif at < len(values):
        values[at] = generator.choice(_ODD[kind])


def check(data: bytes, folder: str) -> bool:
    """Whether there is a value; False for a UserError."""
    path = os.path.join(folder, "case.tfrecord")
    # To find the file takes longer than all the rest: of one case in ten.
    named = zlib.crc32(data) % 10 == 0
    if named:
        with tf.io.TFRecordWriter(path) as writer:
            writer.write(data)
    with contextlib.suppress(ValueError):
        record.decode(data)
    try:
        with explained([path] if named else []):
            clips = _read(folder)(data)
    except UserError as error:
        text = str(error)
        assert "\n" not in text and len(text) < 1500, text
        assert not named or path in text or text.startswith("keyframe "), text
        return False
    assert clips.shape[1:] == [3, 8, 12, 3]
    try:
        check_keys(path, data)  # what the graph takes, the check outside of it takes
    except UserError as error:  # but that of protobuf reads parts that TensorFlow skips
        assert "is not a tf.train.SequenceExample" in str(error), error
    return True
