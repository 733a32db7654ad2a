"""How many examples an epoch has, and which of them are a worker's, by hand."""

import json
import os

import pytest
import tensorflow as tf
from small_records import keyframe, options, segment, write

from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.input.source import Share

CLIP = ClipShape(num_frames=1, frame_rate=25.0, height=8, width=8)


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("number", [0, 1, 4, 5, 6, 11])
def test_a_share_of_examples_is_every_nth(number, count):
    """The files are all workers' then."""
    for index in range(count):
        share = Share(index, count, by_file=False)
        own = list(range(index, number, count))
        dataset = tf.data.Dataset.range(number)
        assert share.size(number) == len(own)
        assert list(share.of_examples(dataset).as_numpy_iterator()) == own
        assert (number >= share.fewest) == bool(own)
        assert share.of_files("abc") == "abc"


def test_a_share_of_files_is_every_nth_and_all_that_is_in_them():
    for index, own in enumerate(("ad", "be", "c")):
        share = Share(index, 3, by_file=True)
        assert share.of_files("abcde") == own
        assert (share.size(7), share.fewest) == (7, 1)
        assert len(list(share.of_examples(tf.data.Dataset.range(7)))) == 7


def test_a_manifest_tells_keyframes_and_not_those_with_people(tmp_path):
    """What the manifest says is believed, where it says what is asked."""
    keyframes = [keyframe(0), keyframe(40_000, []), keyframe(80_000)]
    path = write(tmp_path / "a.tfrecord", [segment("v", keyframes, num_frames=3)])
    every = KeyframeSource(options(path), CLIP)
    with_people = KeyframeSource(options(path, drop_keyframes_without_people=True), CLIP)
    assert (every.count(Share()), with_people.count(Share())) == (3, 2)
    shard = {"shard": "a", "keyframes": 7, "bytes": os.path.getsize(path)}
    (tmp_path / "manifest.json").write_text(json.dumps({"records": {"a": {"shards": [shard]}}}))
    assert (every.count(Share()), with_people.count(Share())) == (7, 2)
