"""What files of records say of how their frames were taken, without reading a frame."""

import dataclasses

import pytest
import tensorflow as tf
from small_records import keyframe, segment, write

from avatx.data.records import record_frames
from avatx.data.records.record_frames import frames_of_files
from avatx.data.video.frame_settings import FIELDS, FrameSettings

SETTINGS = FrameSettings(256, 12.5, 7.5, "", 900.0)
UNKNOWN = dict.fromkeys(FIELDS)


def records(path, provenance, num_frames=4):
    one = segment("v", [keyframe(0)], num_frames=num_frames)
    return write(path, [dataclasses.replace(one, provenance=provenance), one])


def test_files_say_how_their_frames_were_taken(tmp_path):
    flow = {"method": "farneback"}
    paths = [
        records(tmp_path / "new", SETTINGS.to_provenance()),
        records(tmp_path / "flow", SETTINGS.to_provenance(flow)),
        records(tmp_path / "old", {"shorter_side": 400, "max_frame_rate": 0.0}),
        records(tmp_path / "long", {**SETTINGS.to_provenance(), "source": "x" * 300}),
    ]
    found = frames_of_files(paths)
    assert [path for path, _ in found] == paths
    assert [known for _, known in found] == [
        SETTINGS.to_dict(),
        {**SETTINGS.to_dict(), "optical_flow": "farneback"},
        {**UNKNOWN, "shorter_side": 400, "max_frame_rate": 0.0, "optical_flow": ""},
        SETTINGS.to_dict(),
    ]


def test_what_cannot_be_read_is_not_known(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "noise").write_bytes(bytes(range(200)))
    with tf.io.TFRecordWriter(str(tmp_path / "example")) as writer:
        writer.write(tf.train.Example().SerializeToString())
        writer.write(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
    foreign = records(tmp_path / "foreign", {"shorter_side": "small", "max_frame_rate": -3})
    paths = [str(tmp_path / name) for name in ("empty", "noise", "example", "absent")]
    for _, known in frames_of_files([*paths, records(tmp_path / "plain", {})]):
        assert known == UNKNOWN
    ((_, known),) = frames_of_files([foreign])
    assert known == {**UNKNOWN, "optical_flow": ""}
    assert frames_of_files([]) == []


@pytest.mark.parametrize("size", [1, 127, 128, 16_384])
def test_only_the_beginning_is_read(tmp_path, monkeypatch, size):
    provenance = {**SETTINGS.to_provenance(), "source": "x" * size}
    path = records(tmp_path / "large", provenance, num_frames=200)
    read = []

    class Counting(tf.io.gfile.GFile):
        def read(self, n=-1):
            content = super().read(n)
            read.append(len(content))
            return content

    monkeypatch.setattr(record_frames.tf.io.gfile, "GFile", Counting)
    ((_, known),) = frames_of_files([path])
    assert known == SETTINGS.to_dict()
    assert sum(read) < size + 2000
