"""Records of an older commit are read, and the command that made them finds them up to date."""

import csv
import glob
import json
import os

import numpy as np
import pytest
import reading_artefacts as reading
import tensorflow as tf

NAMES = {1: "stand", 2: "walk", 4: "talk to (e.g., self)", 5: "wave"}


def people():
    """Second -> rows (x1, y1, x2, y2, class, person) of people.csv, in its order."""
    rows = {}
    with open("people.csv", newline="") as file:
        for _, second, *numbers in csv.reader(file):
            rows.setdefault(int(second), []).append([float(number) for number in numbers])
    return rows


def segments(name):
    files = sorted(glob.glob(f"records/{name}-*.tfrecord"))
    serialized = tf.data.TFRecordDataset(files).as_numpy_iterator()
    return sorted(map(reading.decode_record, serialized), key=lambda segment: segment.start)


@pytest.mark.parametrize(
    "name, seconds, spans",
    [
        ("keyframes", [1, 2, 3, 4], [(0.5, 1.5), (1.5, 3.5), (3.5, 4.5)]),
        ("flow", [1, 2, 4], [(0.5, 4.5)]),
    ],
)
def test_keyframes_are_the_rows_of_the_csv(name, seconds, spans):
    found = segments(name)
    assert [(segment.start / 1e6, segment.end / 1e6) for segment in found] == spans
    keyframes = [keyframe for segment in found for keyframe in segment.keyframes]
    assert [keyframe.timestamp for keyframe in keyframes] == [s * 1_000_000 for s in seconds]
    for second, keyframe in zip(seconds, keyframes, strict=True):
        rows = np.reshape(people().get(second, []), [-1, 6])  # nobody at 3 s
        np.testing.assert_array_equal(keyframe.boxes, rows[:, [1, 0, 3, 2]].astype(np.float32))
        assert list(keyframe.class_ids) == list(rows[:, 4])
        assert list(keyframe.class_names) == [NAMES[class_id] for class_id in rows[:, 4]]
        assert list(keyframe.person_ids) == list(rows[:, 5])
    for segment in found:
        assert (segment.video_id, segment.height, segment.width) == ("film", 48, 64)
        assert len(segment.frames) == len(segment.timestamps)
        assert len(segment.flow or []) == (len(segment.frames) if name == "flow" else 0)
        assert (segment.frame_rate, segment.provenance["jpeg_quality"]) == (8.0, 60)


def test_labelled_videos_are_the_rows_of_the_csv():
    found = segments("actions")
    assert [
        (segment.start / 1e6, segment.clip_class_ids, segment.clip_class_names) for segment in found
    ] == [(0.0, [2], ["walk"]), (1.5, [3], ["wave"]), (3.5, [1], ["stand up"])]
    assert [segment.end / 1e6 for segment in found[:2]] == [1.5, 3.0]
    assert [len(segment.frames) for segment in found] == [12, 12, 13]
    assert [(segment.height, segment.width) for segment in found] == [(36, 48)] * 3


@pytest.mark.parametrize("name", reading.DATA_SETS)
def test_clips_are_those_of_then(name):
    batches = reading.evaluation_batches(reading.DATA_SETS[name])
    with np.load("expected/thumbnails.npz") as expected:
        wanted = [expected[key] for key in expected if key.startswith(name)]
    assert len(batches) == len(wanted)
    for batch, thumbnails in zip(batches, wanted, strict=True):
        # Half a level in 256: another version's JPEG decoder may round differently.
        np.testing.assert_allclose(reading.thumbnails(batch.clips), thumbnails, rtol=1e-5, atol=0.5)


@pytest.mark.parametrize("name", ["keyframes", "flow"])
def test_groundtruth_is_the_people_of_the_csv(name):
    """A person is there once, with all the labels."""
    found = {}
    for batch in reading.evaluation_batches(reading.DATA_SETS[name]):
        count = batch.groundtruth.num_boxes[0]
        video_id = bytes(batch.keyframes.video_id[0]).rstrip(b"\0").decode()
        found[video_id, batch.keyframes.timestamp[0]] = {
            tuple(box): set(np.flatnonzero(labels) + 1)
            for box, labels in zip(
                batch.groundtruth.boxes[0, :count], batch.groundtruth.labels[0, :count], strict=True
            )
        }
    expected = {("film", 3.0): {}} if name == "keyframes" else {}
    for second, rows in people().items():
        keyframe = expected.setdefault(("film", float(second)), {})
        for x1, y1, x2, y2, class_id, _ in rows:
            box = tuple(np.array([y1, x1, y2, x2], np.float32))
            keyframe.setdefault(box, set()).add(int(class_id))
    assert found == expected


def test_labels_of_the_views():
    batches = reading.evaluation_batches(reading.DATA_SETS["actions"])
    of_video = {}
    for batch in batches:
        of_video.setdefault(int(batch.video_index[0]), []).append(int(batch.labels[0]))
    assert sorted(of_video.values()) == [[0] * 6, [1] * 6, [2] * 6]  # 2 clips x 3 crops each


@pytest.mark.parametrize("name", reading.RECORDS)
def test_the_same_command_again_writes_no_shard(name, capsys):
    program, *arguments = reading.RECORDS[name]
    shards = sorted(glob.glob(f"records/{name}-*.tfrecord"))
    before = {path: os.stat(path).st_mtime_ns for path in shards}
    with open("records/manifest.json") as file:
        manifest = json.load(file)["records"]
    assert reading.tool(program)(*arguments) == 0
    assert f"{len(shards)} of {len(shards)} shards are there" in capsys.readouterr().err
    assert {path: os.stat(path).st_mtime_ns for path in shards} == before
    with open("records/manifest.json") as file:
        again = json.load(file)["records"]
    assert set(again) == set(manifest) == {"keyframes", "flow", "actions"}
    assert again[name]["totals"] == manifest[name]["totals"]
    assert again[name]["shards"] == manifest[name]["shards"]
