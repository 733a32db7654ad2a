"""Records and patterns that are refused, at the border of what is not."""

import os

import pytest
import tensorflow as tf
from small_records import all_keys, keyframe, options, segment, write

from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.records import record
from avatx.data.records.input_errors import explained
from avatx.data.records.record_check import check_file
from avatx.data.records.remote_files import match_files, scheme
from avatx.errors import UserError

CLIP = ClipShape(2, 25.0, 8, 8)
BOX = (0.1, 0.2, 0.5, 0.6)


@pytest.mark.parametrize("class_id", [0, 4, -1])
def test_a_class_outside_of_the_model(tmp_path, class_id):
    people = [(BOX, 1, 0), (BOX, class_id, 1)]
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0, people)], num_frames=4)])
    with pytest.raises(UserError, match=f"class id {class_id}; expected 1 to num_classes = 3"):
        with explained([path]):
            next(iter(build_dataset(KeyframeSource(options(path), CLIP), 1, training=False)))


def test_the_last_class_is_one(tmp_path):
    path = write(
        tmp_path / "a.tfrecord", [segment("v", [keyframe(0, [(BOX, 3, 0)])], num_frames=4)]
    )
    assert all_keys(build_dataset(KeyframeSource(options(path), CLIP), 1, training=False)) == [
        ("v", 0.0)
    ]


def test_keyframes_of_a_record_come_in_random_order(tmp_path):
    """Of one record, with a buffer of one: only the record's own order is left to be random."""
    times = [second * 40_000 for second in range(12)]
    stored = segment("v", [keyframe(time) for time in times], num_frames=4)
    path = write(tmp_path / "a.tfrecord", [stored])
    chosen = options(path, shuffle_buffer_size=1, open_segments=1, num_readers=1)
    keys = [
        time
        for _, time in all_keys(
            build_dataset(KeyframeSource(chosen, CLIP), 1, training=True).take(24)
        )
    ]
    first, second = keys[:12], keys[12:]
    assert sorted(first) == sorted(second) == [time / 1e6 for time in times]
    assert first != sorted(first) and first != second


def test_folders_are_no_files(tmp_path):
    for name in ("b.tfrecord", "a.tfrecord"):
        (tmp_path / name).touch()
    (tmp_path / "c.tfrecord").mkdir()
    found = match_files([str(tmp_path / "*.tfrecord")])
    assert [os.path.basename(path) for path in found] == ["a.tfrecord", "b.tfrecord"]
    with pytest.raises(UserError, match="no file matches"):
        match_files([str(tmp_path / "c*")])


@pytest.mark.parametrize(
    "path, name",
    [("s3://b/x", "s3"), ("/a/b", ""), ("GS://b", "gs"), ("c:/x", ""), ("a/b://c", "")],
)
def test_schemes(path, name):
    assert scheme(path) == name


def test_no_wildcard_over_http():
    with pytest.raises(UserError, match="wildcard does not work|cannot load|not installed"):
        match_files(["http://host/train-*.tfrecord"])


@pytest.mark.parametrize("number", [1, 3])
def test_the_record_that_is_wrong_is_named_by_its_number(tmp_path, number):
    """From 1 on; `keys` looks at each, else framing alone."""
    entries = [record.encode(segment("v", [keyframe(0)], num_frames=1))] * 3
    entries[number - 1] = tf.train.SequenceExample().SerializeToString()
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for entry in entries:
            writer.write(entry)
    check_file(path)
    with pytest.raises(UserError, match=f"a.tfrecord: record {number} lacks"):
        check_file(path, keys=True)
