"""Each field of RecordSettings changes what is stored, in the way that it says."""

import dataclasses
import io
import os

import numpy as np
import pytest
import tensorflow as tf
from coded_video import write_coded_video
from PIL import Image

from avatx.data.annotations.label_map import LabelMap
from avatx.data.records import record
from avatx.data.records.ava_records import create_ava_records
from avatx.data.records.classification_records import create_classification_records
from avatx.data.records.planned_segment import PlannedSegment
from avatx.data.records.record_plan import RecordSettings, fingerprint
from avatx.errors import UserError

FRAME_RATE = 8  # of the video: a frame each 125 ms
PLAIN = {
    "shorter_side": 0,
    "jpeg_quality": 90,
    "seconds_per_record": 10.0,
    "margin_seconds": 0.5,
    "max_frame_rate": 0.0,
    "folder_frame_rate": 16.0,
    "video_start_seconds": 0.0,
    "optical_flow": "",
}
# A field -> another value. Of each there is a test below, named after it.
CHANGED = {
    "shorter_side": 24,
    "jpeg_quality": 35,
    "seconds_per_record": 1.0,
    "margin_seconds": 0.25,
    "max_frame_rate": 3.0,
    "folder_frame_rate": 4.0,
    "video_start_seconds": 0.5,
    "optical_flow": "farneback",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """film.mp4: 48 x 160 pixels, 4 s; frames: a folder of JPEG files of 16 x 20 pixels."""
    folder = tmp_path_factory.mktemp("videos")
    write_coded_video(folder / "film.mp4", FRAME_RATE, 4 * FRAME_RATE)
    (folder / "frames").mkdir()
    generator = np.random.default_rng(0)
    for number in range(12):
        image = generator.integers(0, 255, (16, 20, 3), np.uint8)
        Image.fromarray(image).save(folder / "frames" / f"{number:03d}.jpg", quality=77)
    (folder / "labels.pbtxt").write_text('item { name: "stand" id: 2 }')
    return folder


def records_of(folder, output, rows, **settings):
    (output / "rows.csv").write_text(rows)
    create_ava_records(
        videos=[str(folder)],
        annotations=str(output / "rows.csv"),
        label_map=str(folder / "labels.pbtxt"),
        output=str(output / "set"),
        num_shards=1,
        settings=RecordSettings.from_dict({**PLAIN, **settings}),
        log=lambda line: None,
    )
    path = str(output / "set-00000-of-00001.tfrecord")
    segments = [record.decode(one.numpy()) for one in tf.data.TFRecordDataset(path)]
    return sorted(segments, key=lambda segment: segment.start)


FILM = "film,0001,0.1,0.2,0.5,0.9,2,0\nfilm,0002,0.1,0.2,0.5,0.9,2,0\n"


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    (segment,) = records_of(folder, tmp_path_factory.mktemp("plain"), FILM)
    return segment


def tables(jpeg):
    return Image.open(io.BytesIO(jpeg)).quantization


def tables_of_quality(quality):
    """What libjpeg quantises by at a quality, whatever the picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=quality)
    return tables(buffer.getvalue())


def test_every_setting_is_changed_here():
    names = list(RecordSettings().to_dict())
    assert list(PLAIN) == list(CHANGED) and sorted(PLAIN) == sorted(names)
    for name in names:
        assert f"test_{name}" in globals(), name
        assert PLAIN[name] != CHANGED[name]


def test_nothing_changed(plain):
    """0.5 s before the first keyframe to 0.5 s after the last, both included."""
    assert (plain.start, plain.end) == (500_000, 2_500_000)
    assert plain.timestamps.tolist() == list(range(500_000, 2_500_001, 125_000))
    assert (plain.height, plain.width) == (48, 160)
    assert plain.frame_rate == pytest.approx(8)
    assert plain.flow is None
    assert Image.open(io.BytesIO(plain.frames[0])).size == (160, 48)


def test_shorter_side(folder, tmp_path, plain):
    (segment,) = records_of(folder, tmp_path, FILM, shorter_side=24)
    assert (segment.height, segment.width) == (24, 80)
    assert {Image.open(io.BytesIO(frame)).size for frame in segment.frames} == {(80, 24)}
    (segment,) = records_of(folder, tmp_path, FILM, shorter_side=49)  # never enlarged
    assert segment.frames == plain.frames


@pytest.mark.parametrize("quality", [90, 35])
def test_jpeg_quality(folder, tmp_path, quality):
    (segment,) = records_of(folder, tmp_path, FILM, jpeg_quality=quality)
    for frame in segment.frames:
        assert tables(frame) == tables_of_quality(quality)
    assert segment.provenance["jpeg_quality"] == quality


def test_seconds_per_record(folder, tmp_path):
    first, second = records_of(folder, tmp_path, FILM, seconds_per_record=1.0)
    assert [keyframe.timestamp for keyframe in first.keyframes] == [1_000_000]
    assert [keyframe.timestamp for keyframe in second.keyframes] == [2_000_000]
    assert (second.start, second.end) == (1_500_000, 2_500_000)


def test_margin_seconds(folder, tmp_path):
    (segment,) = records_of(folder, tmp_path, FILM, margin_seconds=0.3)
    assert (segment.start, segment.end) == (700_000, 2_300_000)
    # And the nearest frame on either side, for 0.7 and 2.3 s lie between frames.
    assert segment.timestamps[[0, -1]].tolist() == [625_000, 2_375_000]


def test_max_frame_rate(folder, tmp_path):
    """The first frame of each third of a second, counted from the video's beginning."""
    (segment,) = records_of(folder, tmp_path, FILM, max_frame_rate=3.0)
    expected = [375_000, 750_000, 1_000_000, 1_375_000, 1_750_000, 2_000_000, 2_375_000, 2_750_000]
    assert segment.timestamps.tolist() == expected


def test_folder_frame_rate(folder, tmp_path):
    rows = "frames,0000.5,0.1,0.2,0.5,0.9,2,0\n"
    (segment,) = records_of(folder, tmp_path, rows, margin_seconds=0.25)
    assert segment.timestamps.tolist() == [
        250_000,
        312_500,
        375_000,
        437_500,
        500_000,
        562_500,
        625_000,
        687_500,
    ]
    (segment,) = records_of(folder, tmp_path, rows, margin_seconds=0.25, folder_frame_rate=4.0)
    assert segment.timestamps.tolist() == [250_000, 500_000, 750_000]
    assert segment.frame_rate == pytest.approx(4)


def test_video_start_seconds(folder, tmp_path, plain):
    (segment,) = records_of(folder, tmp_path, FILM, video_start_seconds=0.5)
    # The csv's 0.5 s is the video's first frame: the record begins with it.
    assert segment.timestamps[0] == 500_000
    assert (segment.start, segment.end) == (500_000, 2_500_000)
    assert segment.frames[4:] == plain.frames[: len(segment.frames) - 4]


def test_optical_flow(folder, tmp_path, plain):
    (segment,) = records_of(folder, tmp_path, FILM, optical_flow="farneback")
    assert segment.frames == plain.frames
    assert len(segment.flow) == len(segment.frames)
    assert {Image.open(io.BytesIO(one)).size for one in segment.flow} == {(160, 96)}
    assert segment.provenance["optical_flow"]["method"] == "farneback"


def test_a_folder_of_jpeg_files_is_shrunk_at_the_quality(folder, tmp_path):
    rows = "frames,0000.5,0.1,0.2,0.5,0.9,2,0\n"
    (segment,) = records_of(folder, tmp_path, rows, margin_seconds=0.25)
    files = [path.read_bytes() for path in sorted((folder / "frames").iterdir())]
    assert segment.frames == files[4:12]  # untouched
    (segment,) = records_of(folder, tmp_path, rows, shorter_side=8, jpeg_quality=35)
    assert (segment.height, segment.width) == (8, 10)
    assert tables(segment.frames[0]) == tables_of_quality(35)


# Labelled videos read the settings by a way of their own.


def labelled(folder, output, rows="film.mp4,stand\n", **settings):
    (output / "list.csv").write_text(rows)
    create_classification_records(
        annotations=str(output / "list.csv"),
        videos=[str(folder)],
        output=str(output / "set"),
        num_shards=1,
        settings=RecordSettings.from_dict({**PLAIN, **settings}),
        log=lambda line: None,
    )
    path = str(output / "set-00000-of-00001.tfrecord")
    (segment,) = [record.decode(one.numpy()) for one in tf.data.TFRecordDataset(path)]
    return segment


def test_settings_of_labelled_videos(folder, tmp_path):
    segment = labelled(folder, tmp_path)
    assert segment.timestamps.tolist() == list(range(0, 4_000_000, 125_000))
    assert (segment.start, segment.end) == (0, 4_000_000)
    assert (segment.height, segment.width) == (48, 160)
    assert tables(segment.frames[0]) == tables_of_quality(90)
    segment = labelled(folder, tmp_path, shorter_side=24, jpeg_quality=35, max_frame_rate=3.0)
    assert (segment.height, segment.width) == (24, 80)
    assert Image.open(io.BytesIO(segment.frames[0])).size == (80, 24)
    assert tables(segment.frames[0]) == tables_of_quality(35)
    assert segment.timestamps[:4].tolist() == [0, 375_000, 750_000, 1_000_000]
    segment = labelled(folder, tmp_path, "frames,stand\n", folder_frame_rate=4.0)
    assert segment.timestamps[:3].tolist() == [0, 250_000, 500_000]


def test_a_label_from_start_to_end(folder, tmp_path):
    """start <= time < end, and no neighbour outside."""
    segment = labelled(folder, tmp_path, "file,label,start,end\nfilm.mp4,stand,1.125,2\n")
    assert (segment.start, segment.end) == (1_125_000, 2_000_000)
    assert segment.timestamps.tolist() == list(range(1_125_000, 2_000_000, 125_000))


# What is made again.


@pytest.mark.parametrize("name", list(CHANGED))
def test_another_setting_is_another_shard(name):
    classes = LabelMap({2: "stand"})
    plain = RecordSettings.from_dict(PLAIN)
    changed = RecordSettings.from_dict({**PLAIN, name: CHANGED[name]})
    assert fingerprint([], plain, classes) != fingerprint([], changed, classes)
    assert fingerprint([], plain, classes) == fingerprint(
        [], RecordSettings.from_dict(PLAIN), classes
    )


def test_what_else_a_shard_is_made_from():
    settings, classes = RecordSettings.from_dict(PLAIN), LabelMap({2: "stand"})
    segment = PlannedSegment("a", "x/a.mp4", {"bytes": 3}, 0, 5, ())
    same = fingerprint([segment], settings, classes)
    assert fingerprint([dataclasses.replace(segment, source="y/a.mp4")], settings, classes) == same
    for name, value in (("video_id", "b"), ("identity", {"bytes": 4}), ("start", 1)):
        assert (
            fingerprint([dataclasses.replace(segment, **{name: value})], settings, classes) != same
        ), name
    assert fingerprint([segment], settings, LabelMap({2: "sit"})) != same


@pytest.mark.parametrize(
    "name, good, bad",
    [
        ("shorter_side", [0, 1], [-1]),
        ("jpeg_quality", [1, 100], [0, 101]),
        ("seconds_per_record", [0.001, 999_999.0], [0.0009, 1e6, float("nan")]),
        ("margin_seconds", [0.0], [-0.001, 1e6, float("nan")]),
        ("max_frame_rate", [0.0, 0.5], [-0.5, 1e6, float("nan")]),
        ("folder_frame_rate", [0.001], [0.0, -1.0, 1e6, float("inf")]),
        ("video_start_seconds", [-5.0, 0.0, 900.0], [1e9, -1e9, float("nan")]),
        ("optical_flow", ["", "dis", "farneback"], ["tvl1"]),
    ],
)
def test_a_setting_s_range(name, good, bad):
    for value in good:
        assert RecordSettings.from_dict({name: value}).to_dict()[name] == value
    for value in bad:
        with pytest.raises(UserError, match=f"{name}"):
            RecordSettings.from_dict({name: value})


def test_identity_of_a_folder_of_frames(tmp_path):
    """A frame more, or one that changed, is another video."""
    from avatx.data.video.video_folder import identity

    (tmp_path / "a.jpg").write_bytes(b"123")
    os.utime(tmp_path / "a.jpg", ns=(5, 5_000))
    (tmp_path / "b.jpg").write_bytes(b"12345")
    os.utime(tmp_path / "b.jpg", ns=(5, 3_000))
    assert identity(str(tmp_path)) == {"files": 2, "bytes": 8, "modified": 5_000}
