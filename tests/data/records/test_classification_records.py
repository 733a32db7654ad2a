"""Labelled videos to records: real videos, what is missing and why, runs that are resumed."""

import io
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from coded_video import cut, read_code, variable_times, write_coded_video
from default_options import default
from PIL import Image

from avatx.data.annotations.label_map import read_label_map
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import InputOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.labelled_clip_source import LabelledClipSource, TestViews
from avatx.data.records import record
from avatx.data.records.classification_records import create_classification_records
from avatx.data.records.manifest import summary
from avatx.data.records.record_plan import RecordSettings
from avatx.data.video.frame_settings import FrameSettings, known_of_record
from avatx.errors import UserError

pytest.importorskip("av")
pytest.importorskip("apache_beam")

SETTINGS = RecordSettings(FrameSettings(shorter_side=0), margin_seconds=0.0, jpeg_quality=95)


def codes(segment):
    """The frames that a segment holds, by the numbers painted into them."""
    return [read_code(np.array(Image.open(io.BytesIO(frame)))) for frame in segment.frames]


def segments(folder, name):
    """Video id and start -> segment, of all shards."""
    read = [
        record.decode(entry.numpy())
        for entry in tf.data.TFRecordDataset(sorted(map(str, folder.glob(f"{name}-*.tfrecord"))))
    ]
    return {(segment.video_id, segment.start): segment for segment in read}


def create(folder, **changes):
    lines = []
    arguments = {
        "output": str(folder / "out" / "set"),
        "num_shards": 3,
        "settings": SETTINGS,
        "log": lines.append,
        **changes,
    }
    return create_classification_records(**arguments), lines


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A csv of whole videos, parts of videos, and every kind of trouble; and its records."""
    folder = tmp_path_factory.mktemp("data")
    write_coded_video(folder / "a.mp4", 25, 100)
    times = variable_times(60)
    write_coded_video(folder / "b.mp4", times)
    write_coded_video(folder / "cut.mp4", 25, 200)
    cut(folder / "cut.mp4", 0.6)
    (folder / "text.mp4").write_text("no video at all")
    (folder / "rows.csv").write_text(
        "file,label,start,end\n"
        "a.mp4,wave,,\na.mp4,bend,1,2\na.mp4,bend,3.5,9\na.mp4,bend,7,9\n"
        "b.mp4,bend,,\nb.mp4,wave,0.5,1.5\ncut.mp4,wave,,\ntext.mp4,bend,,\nnone.mp4,bend,,\n"
    )
    entry, _ = create(folder, annotations=str(folder / "rows.csv"))
    return folder, times, entry


def test_records_hold_the_frames_and_times_that_were_labelled(data):
    folder, times, _ = data
    found = segments(folder / "out", "set")
    assert codes(found["a", 0]) == list(range(100))
    assert codes(found["a", 1_000_000]) == list(range(25, 50))  # start <= time < end
    assert codes(found["a", 3_500_000]) == list(range(88, 100))
    np.testing.assert_array_equal(found["a", 0].timestamps, np.arange(100) * 40_000)
    assert codes(found["b", 0]) == list(range(60))
    assert np.abs(found["b", 0].timestamps - times * 1e6).max() <= 1
    inside = np.flatnonzero((times >= 0.5) & (times < 1.5))
    assert codes(found["b", 500_000]) == inside.tolist()
    assert (found["a", 0].start, found["a", 0].end) == (0, 4_000_000)


def test_labels_are_alphabetical_and_in_the_map(data):
    folder, _, _ = data
    names = read_label_map(folder / "out" / "set_label_map.pbtxt").names
    assert names == {1: "bend", 2: "wave"}
    for (video_id, start), segment in segments(folder / "out", "set").items():
        wave = (video_id, start) in (("a", 0), ("b", 500_000), ("cut", 0))
        assert segment.clip_class_ids == [2 if wave else 1]
        assert segment.clip_class_names == ["wave" if wave else "bend"]
        assert not segment.keyframes


def test_manifest_tells_what_is_missing_and_why(data):
    folder, _, entry = data
    reasons = {skip["video_id"]: skip["reason"] for skip in entry["skipped"]}
    assert set(reasons) == {"a", "text", "none"}
    assert reasons["none"] == "the video was not found"
    assert reasons["a"] == "no frame from 7 s to 9 s; the video ends at 4.000 s"
    assert "text" not in reasons["text"].split(":")[0]
    assert entry["totals"]["records"] == 6 and entry["unit"] == "videos"
    assert entry["missing_videos"] == ["none"]
    assert "6 labelled videos" in summary(entry)[0] and "MISSING: 3 videos" in summary(entry)
    # The index of a video that is cut short is in front: it plays up to where it ends.
    kept = segments(folder / "out", "set")["cut", 0]
    assert 20 < len(kept.frames) < 200 and codes(kept) == list(range(len(kept.frames)))
    assert entry["videos"]["cut"]["damage"]
    assert "1 videos break off and were read up to there: cut" in summary(entry)
    written = json.loads((folder / "out" / "manifest.json").read_text())
    assert written["records"]["set"] == entry


def test_a_record_survives_coding(data):
    folder, _, _ = data
    for segment in segments(folder / "out", "set").values():
        serialized = record.encode(segment)
        again = record.decode(serialized)
        assert again.frames == segment.frames and again.clip_class_ids == segment.clip_class_ids
        np.testing.assert_array_equal(again.timestamps, segment.timestamps)
        keys = tf.train.SequenceExample.FromString(serialized)
        assert keys.context.feature["clip/label/index"].int64_list.value == again.clip_class_ids
        assert not [key for key in keys.feature_lists.feature_list if key.startswith("region")]


def test_a_second_run_writes_only_what_changed(data):
    folder, _, entry = data
    csv = folder / "rows.csv"
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*.tfrecord")}
    again, lines = create(folder, annotations=str(csv))
    assert lines == ["3 of 3 shards are there and unchanged"] and again == entry
    assert before == {path: path.stat().st_mtime_ns for path in before}
    other = folder / "other.csv"
    other.write_text(csv.read_text().replace("b.mp4,wave,0.5,1.5", "b.mp4,wave,0.5,1.0"))
    _, lines = create(folder, annotations=str(other))
    assert lines == ["2 of 3 shards are there and unchanged"]
    create(folder, annotations=str(csv))  # as it was, for the other tests


def test_pipeline_reads_what_was_written(data):
    """From mp4 to clips: each view shows the frames that lie nearest to its times."""
    folder, _, _ = data
    clip = ClipShape(num_frames=8, frame_rate=12.5, height=48, width=160)
    dataset = build_dataset(
        LabelledClipSource(
            default(InputOptions, (str(folder / "out" / "set-*.tfrecord"),), num_classes=2),
            clip,
            TestViews(2, 1),
        ),
        1,
        training=False,
    )
    order = [
        record.decode(entry.numpy())
        for path in sorted((folder / "out").glob("*.tfrecord"))
        for entry in tf.data.TFRecordDataset(str(path))
    ]
    seen = 0
    for batch in dataset:
        segment = order[int(batch.video_index[0])]
        assert int(batch.labels[0]) + 1 == segment.clip_class_ids[0]
        times = segment.timestamps - segment.timestamps[0]
        duration = times[-1] + times[-1] // (len(times) - 1)
        begin = int(batch.view[0]) * max(duration - 640_000, 0)
        wanted = (begin + np.arange(8) * 80_000) % duration
        nearest = [int(np.argmin(np.abs(times - time))) for time in wanted]
        first = codes(segment)[0]
        assert [read_code(frame) for frame in batch.clips[0].numpy()] == [
            first + index for index in nearest
        ]
        seen += 1
    assert seen == 2 * len(order)


def test_folders_sizes_rates_and_a_given_label_map(tmp_path):
    os.makedirs(tmp_path / "v" / "hand_wave")
    write_coded_video(tmp_path / "v" / "hand_wave" / "x.mp4", 25, 20)
    names = tmp_path / "names.txt"
    names.write_text("bend\nhand wave\n")
    settings = RecordSettings(
        FrameSettings(shorter_side=24, max_frame_rate=12.5), margin_seconds=0.0
    )
    create(tmp_path, folders=str(tmp_path / "v"), label_map=str(names), settings=settings)
    segment = segments(tmp_path / "out", "set")["hand_wave/x", 0]
    assert codes(segment) == list(range(0, 20, 2))
    assert (segment.height, segment.width) == (24, 80)
    assert known_of_record(segment.provenance) == settings.frame_settings.to_dict()
    assert segment.clip_class_ids == [2] and segment.clip_class_names == ["hand wave"]
    assert not list((tmp_path / "out").glob("*.pbtxt"))
    names.write_text("bend\n")
    with pytest.raises(UserError, match="label 'hand_wave' is not in .*names.txt"):
        create(tmp_path, folders=str(tmp_path / "v"), label_map=str(names))


def test_jpeg_frames_are_stored_as_they_are_and_no_quality_is_made_up(tmp_path):
    """What was not encoded has no quality of ours; what was, has."""
    os.makedirs(tmp_path / "x")
    (tmp_path / "rows.csv").write_text("x,wave\n")
    files = []
    for number in range(4):
        path = tmp_path / "x" / f"{number:03d}.jpg"
        Image.fromarray(np.full([20, 30, 3], 40 * number, np.uint8)).save(path, quality=61)
        files.append(path.read_bytes())
    create(tmp_path, annotations=str(tmp_path / "rows.csv"))
    stored = segments(tmp_path / "out", "set")["x", 0]
    assert stored.frames == files
    assert not {"jpeg_quality", "jpeg_chroma"} & stored.provenance.keys()
    smaller = RecordSettings(FrameSettings(shorter_side=10), margin_seconds=0.0, jpeg_quality=72)
    create(tmp_path, annotations=str(tmp_path / "rows.csv"), settings=smaller)
    facts = segments(tmp_path / "out", "set")["x", 0].provenance
    assert (facts["jpeg_quality"], facts["jpeg_chroma"]) == (72, "4:2:0")


def test_a_label_map_is_local_also_where_the_records_are_not(tmp_path):
    (tmp_path / "rows.csv").write_text("none.mp4,bend\n")
    with pytest.raises(UserError, match="^output_label_map ram://x/set_label_map.pbtxt: .*local"):
        create(tmp_path, annotations=str(tmp_path / "rows.csv"), output="ram://x/set")


def test_nothing_to_read_writes_nothing(tmp_path):
    (tmp_path / "rows.csv").write_text("none.mp4,bend\n")
    with pytest.raises(UserError, match="none of its 1 videos is there; for one, none .*line 1"):
        create(tmp_path, annotations=str(tmp_path / "rows.csv"))
    (tmp_path / "none.mp4").write_text("no video")
    with pytest.raises(UserError, match="no video could be read"):
        create(tmp_path, annotations=str(tmp_path / "rows.csv"))
    assert not list((tmp_path / "out").glob("set*"))
