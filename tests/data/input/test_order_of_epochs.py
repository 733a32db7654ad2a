"""The buffer's order: each epoch and each seed has one of its own.

All examples are in one file, a record each, so that nothing else changes their order.
"""

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_records import grey_frame, keyframe, segment, write

from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import InputOptions
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.input.labelled_clip_source import LabelledClipSource
from avatx.data.records import record

CLIP = ClipShape(num_frames=1, frame_rate=25.0, height=8, width=8)
COUNT = 12


def one_keyframe(number: int) -> record.Segment:
    return segment(f"{number:02d}", [keyframe(0)], num_frames=1, frames=[grey_frame(0)])


def labelled_video(number: int) -> record.Segment:
    return record.Segment(
        video_id=f"{number:02d}",
        start=0,
        end=40_000,
        height=48,
        width=64,
        frame_rate=25.0,
        timestamps=np.array([0]),
        frames=[grey_frame(0)],
        keyframes=[],
        clip_class_ids=[1],
        clip_class_names=["class 1"],
    )


def orders(kind, path: str, seed: int, epochs: int) -> list[tuple]:
    """The video ids of each epoch, in order; nothing is decoded."""
    source = kind(default(InputOptions, (path,), num_classes=3, seed=seed), CLIP)
    assert source.files == [path]  # found, and videos counted, before there is a graph
    if kind is LabelledClipSource:
        assert source.count() == COUNT

    def video_ids(epoch):
        epoch.graph.seed = 1  # as the pipeline does
        return source.of_epoch(epoch).map(lambda example: example.video_id).batch(COUNT)

    batches = tf.data.Dataset.range(epochs).flat_map(video_ids).as_numpy_iterator()
    return [tuple(batch.tolist()) for batch in batches]


@pytest.mark.parametrize(
    "kind, make", [(KeyframeSource, one_keyframe), (LabelledClipSource, labelled_video)]
)
def test_each_epoch_and_each_seed_have_an_order_of_their_own(kind, make, tmp_path):
    path = write(tmp_path / "a.tfrecord", [make(number) for number in range(COUNT)])
    found = orders(kind, path, seed=1, epochs=3) + orders(kind, path, seed=2, epochs=2)
    assert len(found) == len(set(found)) == 5  # of 12! that there are
    assert {tuple(sorted(order)) for order in found} == {
        tuple(b"%02d" % number for number in range(COUNT))
    }
