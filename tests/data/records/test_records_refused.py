"""Records and patterns that are refused, at the border of what is not."""

import json
import os

import pytest
import tensorflow as tf
from small_records import all_keys, keyframe, options, segment, write, write_set

from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.records import record
from avatx.data.records.input_errors import explained
from avatx.data.records.record_check import check_file, check_keys
from avatx.data.records.remote_files import match_files, scheme
from avatx.data.records.shard_sizes import check_sizes
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


def test_folders_are_no_files(tmp_path, capfd):
    for name in ("b.tfrecord", "a.tfrecord"):
        (tmp_path / name).touch()
    (tmp_path / "c.tfrecord").mkdir()
    found = match_files([str(tmp_path / "*.tfrecord")])
    assert [os.path.basename(path) for path in found] == ["a.tfrecord", "b.tfrecord"]
    assert "c.tfrecord matches input_path" in capfd.readouterr().err
    match_files([str(tmp_path / "*.tfrecord")])
    assert capfd.readouterr().err == ""  # said once
    with pytest.raises(UserError, match=r"no file matches this .*only the folder .*c\.tfrecord"):
        match_files([str(tmp_path / "c*")])


def test_a_shard_that_is_not_as_long_as_its_manifest_says(tmp_path, capfd):
    pattern = write_set(tmp_path, num_files=2)
    paths = [tmp_path / f"set-{index:02d}.tfrecord" for index in range(2)]
    shards = [{"shard": path.stem, "bytes": path.stat().st_size} for path in paths]
    (tmp_path / "manifest.json").write_text(json.dumps({"records": {"set": {"shards": shards}}}))
    check_sizes([*map(str, paths)])
    whole = paths[1].read_bytes()
    for content in (b"", whole[:-1], whole + whole):
        paths[1].write_bytes(content)
        expected = rf"set-01\.tfrecord: {len(content)} bytes; .*manifest\.json says {len(whole)}; "
        with pytest.raises(UserError, match=expected):
            KeyframeSource(options(pattern), CLIP).files  # noqa: B018
    assert capfd.readouterr().err == ""
    (tmp_path / "manifest.json").unlink()
    paths[1].write_bytes(b"")
    assert len(KeyframeSource(options(pattern), CLIP).files) == 2
    assert "set-01.tfrecord has zero bytes" in capfd.readouterr().err


def damaged(path, change):
    """A file of good records, the last of which `change` has altered."""
    segments = [segment(f"v{i}", [keyframe(0), keyframe(40_000)], num_frames=4) for i in range(2)]
    examples = [tf.train.SequenceExample.FromString(record.encode(one)) for one in segments]
    change(examples[1].context.feature, examples[1].feature_lists.feature_list)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example.SerializeToString())
    return str(path)


def fewer_values(context, lists):
    del lists[record.REGION_XMIN].feature[1].float_list.value[:1]


def fewer_steps(context, lists):
    del lists[record.REGION_TRACK_INDEX].feature[1:]


def empty_frame(context, lists):
    lists[record.IMAGE_ENCODED].feature[2].bytes_list.value[0] = b""


def times_back(context, lists):
    lists[record.IMAGE_TIMESTAMP].feature[2].int64_list.value[0] = 40_000


def keyframes_back(context, lists):
    lists[record.REGION_TIMESTAMP].feature[1].int64_list.value[0] = 0


def inverted(context, lists):
    lists[record.REGION_YMIN].feature[1].float_list.value[2] = 0.95


def not_a_number(context, lists):
    lists[record.REGION_XMAX].feature[0].float_list.value[0] = float("nan")


def two_names(context, lists):
    lists[record.REGION_LABEL_STRING].feature[1].bytes_list.value[0] = b"class 2"


def other_kind(context, lists):
    lists[record.REGION_LABEL_INDEX].feature[1].float_list.value.append(1.0)


def fewer_names(context, lists):
    del lists[record.REGION_LABEL_STRING].feature[1].bytes_list.value[:1]


def broken_frame(context, lists):
    values = lists[record.IMAGE_ENCODED].feature[1].bytes_list.value
    values[0] = values[0][:40]


@pytest.mark.parametrize(
    "change, words",
    [
        (fewer_values, "region/bbox/xmin has 2 values and region/bbox/ymin 3 in step 2"),
        (fewer_steps, "region/track/index has 1 steps and region/timestamp 2"),
        (empty_frame, r"image/encoded 3 \(0 bytes\) is no JPEG file"),
        (times_back, "image/timestamp is not strictly ascending: 40000 comes after 40000"),
        (keyframes_back, "region/timestamp is not strictly ascending: 0 comes after 0"),
        (inverted, r"region/bbox/\* has a box that is inverted or not finite: 0.95 0.3 0.9 0.4"),
        (not_a_number, r"region/bbox/\* has a box that is inverted or not finite: 0.1 0.2 0.5 nan"),
        (two_names, "region/label/.* calls class 1 both 'class 1' and 'class 2'"),
        (other_kind, "record 2: region/label/index, step 2 holds values of float_list"),
        (fewer_names, "region/label/string has 5 values and region/label/index 6"),
        (broken_frame, r"record 2: image/encoded 2 \(40 bytes\) cannot be decoded"),
    ],
)
def test_a_damaged_column_is_named_with_file_and_record(tmp_path, change, words):
    path = damaged(tmp_path / "a.tfrecord", change)
    with pytest.raises(UserError, match=words) as caught, explained([path]):
        all_keys(build_dataset(KeyframeSource(options(path), CLIP), 1, training=False))
    message = str(caught.value)
    assert message.startswith(f"{path}: record ") and "\n" not in message
    assert "record v1@" in message or "record 2: " in message


def test_the_name_of_a_class_that_the_label_map_has_under_another_id(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0)], num_frames=4)])
    write_label_map(tmp_path / "map.pbtxt", LabelMap({1: "class 1", 3: "class 2"}))
    given = options(path, label_map_path=str(tmp_path / "map.pbtxt"))
    with pytest.raises(UserError, match="calls class (3 'class 3'|2 'class 2')"):
        KeyframeSource(given, CLIP).files  # noqa: B018
    write_label_map(tmp_path / "map.pbtxt", LabelMap({1: "class 1", 4: "class 2"}))
    with pytest.raises(UserError, match=r"calls class 2 'class 2', which in .* is class 4"):
        KeyframeSource(given, CLIP).files  # noqa: B018


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


@pytest.mark.parametrize(
    "video_id", [b"v", "vidé".encode(), b"a@3 b", b"a\"\\b'\n", b"\xff\xc3", b"\xc3\xa9" * 120]
)
@pytest.mark.parametrize("name", [b"other", "é".encode(), b"cl\xc3ss\\"])
def test_the_file_is_named_whatever_bytes_the_message_holds(tmp_path, video_id, name):
    """Of a record that only the config finds fault with: reading the file again does not."""
    write_label_map(str(tmp_path / "map.pbtxt"), LabelMap({1: "class 1", 2: "class 2", 3: "c"}))
    good = record.encode(segment("good", [keyframe(0, [(BOX, 1, 0)])], num_frames=4))
    example = tf.train.SequenceExample.FromString(good)
    example.context.feature[record.VIDEO_ID].bytes_list.value[:] = [video_id]
    names = example.feature_lists.feature_list[record.REGION_LABEL_STRING].feature
    names[0].bytes_list.value[:] = [name]
    paths = [str(tmp_path / f"{name}.tfrecord") for name in "ab"]
    for path, entry in zip(paths, (good, example.SerializeToString()), strict=True):
        with tf.io.TFRecordWriter(path) as writer:
            writer.write(entry)
    chosen = options(str(tmp_path / "*.tfrecord"), label_map_path=str(tmp_path / "map.pbtxt"))
    source = KeyframeSource(chosen, CLIP)
    with pytest.raises(UserError, match=r"b\.tfrecord: record ") as raised:
        with explained(paths):
            source._parser.segment(example.SerializeToString())
    assert "\n" not in str(raised.value)
    shown = video_id.decode("utf-8", "replace").replace("\n", " ")
    assert shown[:100] in str(raised.value)


def test_bytes_that_protobuf_takes_and_tensorflow_refuses(tmp_path):
    """A key whose value has an unknown field's number; found by fuzzing."""
    good = record.encode(segment("v", [keyframe(0)], num_frames=2))
    bad = good.replace(b"example/id\x12", b"example/id\x52")
    assert bad != good
    check_keys("a", bad)
    paths = [str(tmp_path / f"{name}.tfrecord") for name in "ab"]
    for path, entries in zip(paths, ([good], [good, bad]), strict=True):
        with tf.io.TFRecordWriter(path) as writer:
            for entry in entries:
                writer.write(entry)
    source = KeyframeSource(options(str(tmp_path / "*.tfrecord")), CLIP)
    with pytest.raises(UserError, match=r"b\.tfrecord: record 2 is not .* that TensorFlow reads"):
        with explained(paths):
            all_keys(build_dataset(source, 1, training=False))


@pytest.mark.parametrize("microseconds", [1_234_567_890, 902_000_333, 3_599_999_999, -40_000, 0])
def test_the_file_is_named_whatever_the_record_s_start(tmp_path, microseconds):
    """Seconds are shown to the last digit: of a record an hour into a video, too."""
    wrong = [keyframe(microseconds, [(BOX, 9, 0)])]
    stored = segment("v", wrong, num_frames=4, first_time=microseconds, margin=0)
    path = write(tmp_path / "b.tfrecord", [stored])
    other = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0)], num_frames=4, margin=7)])
    source = KeyframeSource(options(path), CLIP)
    with pytest.raises(UserError, match=r"b\.tfrecord: record v@.* class id 9") as raised:
        with explained([other, path]):
            source._parser.segment(record.encode(stored))
    shown = str(raised.value).split("v@")[1].split()[0]
    assert round(float(shown) * 1_000_000) == microseconds
