"""Counts for the print at the start of training."""

import dataclasses
import json
import os

import numpy as np
import pytest
from small_records import keyframe, segment, write, write_set

from avatx.data.records.data_statistics import count_videos, describe
from avatx.data.records.record_check import check_file
from avatx.errors import UserError


def test_small_sets_are_counted(tmp_path):
    path = write(
        tmp_path / "a.tfrecord",
        [segment("v", [keyframe(0), keyframe(1_000_000), keyframe(2_000_000, [])])],
    )
    found = describe([path], "keyframes")
    assert (
        found.num_files,
        found.num_examples,
        found.num_keyframes_without_people,
        found.num_boxes,
    ) == (1, 3, 1, 4)
    assert found.labels_of_class == {1: 2, 2: 2, 3: 2}
    text = dict(found.lines("training data", {1: "stand", 2: "walk", 3: "sit"}))
    assert text["training data"] == (
        "3 keyframes in 1 files, 1 without people; 4 people, 6 labels of 3 classes"
    )
    assert text["training data labels"] == "stand 2, walk 2, sit 2"
    more = dataclasses.replace(found, labels_of_class={1: 2, 2: 3000, 3: 5})
    assert dict(more.lines("data"))["data labels"] == "2 3,000, 3 5, 1 2"  # the most frequent first


def test_keyframes_that_are_there_twice_are_told(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.tfrecord", [segment("v", [keyframe(0), keyframe(1_000_000)])])
    write(tmp_path / "c.tfrecord", [segment("w", [keyframe(0)])])
    found = describe([str(tmp_path / "*.tfrecord")], "keyframes")
    assert (found.num_examples, found.num_repeated) == (5, 2)
    assert dict(found.lines("data"))["data repeats"].startswith("2 keyframes are there more than")
    once = describe([str(tmp_path / "[bc].tfrecord")], "keyframes")
    assert once.num_repeated == 0 and "data repeats" not in dict(once.lines("data"))


def test_large_sets_are_counted_by_the_manifest(tmp_path):
    pattern = write_set(tmp_path, num_files=2)
    assert describe([pattern], "keyframes", scanned_bytes=0).num_examples is None
    shards = [
        {
            "shard": f"set-{index:02d}",
            "keyframes": 6,
            "bytes": os.path.getsize(tmp_path / f"set-{index:02d}.tfrecord"),
        }
        for index in range(2)
    ]
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"records": {"set": {"shards": shards}}}))
    assert describe([pattern], "keyframes", scanned_bytes=0).num_examples == 12
    write(tmp_path / "set-01.tfrecord", [segment("v", [keyframe(0)])])  # made by something else
    assert describe([pattern], "keyframes", scanned_bytes=0).num_examples is None
    manifest.write_text(json.dumps({"records": {"set": {"shards": shards[:1]}}}))
    assert describe([pattern], "keyframes", scanned_bytes=0).num_examples is None
    manifest.write_text("not ours")
    assert describe([pattern], "keyframes", scanned_bytes=0).num_examples is None
    assert describe([pattern], "keyframes", scanned_bytes=0).lines("x")[0][1].startswith("2 files")


def test_files_that_are_no_records_are_named(tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(1000))
    path = str(tmp_path / "a")
    for read in (
        lambda: describe([path], "keyframes"),
        lambda: describe([path], "videos"),
        lambda: check_file(path),
    ):
        with pytest.raises(UserError, match="a: not a TFRecord file"):
            read()


def labelled(video_id, class_id):
    """A video of two frames."""
    one = segment(video_id, [], num_frames=2)
    return dataclasses.replace(
        one, clip_class_ids=[class_id], clip_class_names=[f"class {class_id}"]
    )


def test_labelled_videos_are_counted_too(tmp_path):
    write(tmp_path / "a.tfrecord", [labelled("u", 2), labelled("v", 1), labelled("w", 2)])
    write(tmp_path / "b.tfrecord", [])
    paths = [str(tmp_path / name) for name in ("a.tfrecord", "b.tfrecord")]
    found = describe(paths, "videos")
    assert (found.unit, found.num_files, found.num_examples) == ("videos", 2, 3)
    assert found.labels_of_class == {1: 1, 2: 2}
    assert found.num_boxes is None and found.num_keyframes_without_people is None
    assert found.lines("data", {2: "wave"}) == (
        ("data", "3 videos in 2 files of 2 classes"),
        ("data labels", "wave 2, 1 1"),
    )
    assert count_videos(paths) == [3, 0]
    assert describe(paths, "videos", scanned_bytes=0).num_examples is None
    shards = [
        {"shard": path[-10:-9], "records": records, "keyframes": 7, "bytes": os.path.getsize(path)}
        for path, records in zip(paths, (5, 6), strict=True)
    ]
    (tmp_path / "manifest.json").write_text(json.dumps({"records": {"set": {"shards": shards}}}))
    assert describe(paths, "videos", scanned_bytes=0).lines("data") == (
        ("data", "11 videos in 2 files"),
    )
    assert count_videos(paths) == [5, 6]  # the manifest is believed


def test_missing_frames_are_counted_at_the_start_of_training(tmp_path):
    """A hole in the frames of a record is a hole of its clips."""
    whole = segment("v", [keyframe(1_000_000)])
    distance = int(whole.timestamps[1] - whole.timestamps[0])
    path = write(tmp_path / "a.tfrecord", [whole])
    found = describe([path], "keyframes", clip=(4, 1e6 / distance))
    assert (found.missing.number, found.missing.num_frames) == (0, 4)
    assert [name for name, _ in found.lines("data")] == ["data", "data labels"]
    keep = np.abs(whole.timestamps - 1_000_000) > 1.5 * distance
    holed = dataclasses.replace(
        whole,
        timestamps=whole.timestamps[keep],
        frames=[frame for frame, kept in zip(whole.frames, keep, strict=True) if kept],
    )
    path = write(tmp_path / "b.tfrecord", [holed])
    found = describe([path], "keyframes", clip=(4, 1e6 / distance))
    assert (found.missing.number, found.missing.num_frames) == (3, 4)
    name, text = found.lines("data")[-1]
    assert name == "data frames" and text.startswith("3 of 4 frames of clips (75 %) are missing")
