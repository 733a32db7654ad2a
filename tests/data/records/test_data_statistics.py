"""Counts for the print at the start of training."""

import json
import os

import pytest
from small_records import keyframe, segment, write, write_set

from avatx.data.records.data_statistics import describe
from avatx.data.records.record_check import check_file
from avatx.errors import UserError


def test_small_sets_are_counted(tmp_path):
    path = write(
        tmp_path / "a.tfrecord",
        [segment("v", [keyframe(0), keyframe(1_000_000), keyframe(2_000_000, [])])],
    )
    found = describe([path])
    assert (
        found.num_files,
        found.num_keyframes,
        found.num_keyframes_without_people,
        found.num_boxes,
    ) == (1, 3, 1, 4)
    assert found.labels_of_class == {1: 2, 2: 2, 3: 2}
    text = dict(found.lines("training data", {1: "stand", 2: "walk", 3: "sit"}))
    assert text["training data"] == (
        "3 keyframes in 1 files, 1 without people; 4 people, 6 labels of 3 classes"
    )
    assert text["training data labels"] == "stand 2, walk 2, sit 2"


def test_large_sets_are_counted_by_the_manifest(tmp_path):
    pattern = write_set(tmp_path, num_files=2)
    assert describe([pattern], scanned_bytes=0).num_keyframes is None
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
    assert describe([pattern], scanned_bytes=0).num_keyframes == 12
    manifest.write_text(json.dumps({"records": {"set": {"shards": shards[:1]}}}))
    assert describe([pattern], scanned_bytes=0).num_keyframes is None
    manifest.write_text("not ours")
    assert describe([pattern], scanned_bytes=0).num_keyframes is None
    assert describe([pattern], scanned_bytes=0).lines("x")[0][1].startswith("2 files")


def test_files_that_are_no_records_are_named(tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(1000))
    for read in (describe, lambda paths: check_file(paths[0])):
        with pytest.raises(UserError, match="a: not a TFRecord file"):
            read([str(tmp_path / "a")])
