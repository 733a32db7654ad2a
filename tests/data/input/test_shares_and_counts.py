"""How many examples an epoch has, by hand."""

import json
import os

from small_records import keyframe, options, segment, write

from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.keyframe_source import KeyframeSource

CLIP = ClipShape(num_frames=1, frame_rate=25.0, height=8, width=8)


def test_a_manifest_tells_keyframes_and_not_those_with_people(tmp_path):
    """What the manifest says is believed, where it says what is asked."""
    keyframes = [keyframe(0), keyframe(40_000, []), keyframe(80_000)]
    path = write(tmp_path / "a.tfrecord", [segment("v", keyframes, num_frames=3)])
    every = KeyframeSource(options(path), CLIP)
    with_people = KeyframeSource(options(path, drop_keyframes_without_people=True), CLIP)
    assert (every.count(), with_people.count()) == (3, 2)
    shard = {"shard": "a", "keyframes": 7, "bytes": os.path.getsize(path)}
    (tmp_path / "manifest.json").write_text(json.dumps({"records": {"a": {"shards": [shard]}}}))
    assert (every.count(), with_people.count()) == (7, 2)
