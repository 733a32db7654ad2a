"""Each field of ClipShape and TestViews changes what is shown of a video, as it says."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_records import keyframe, options, segment, write

from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import InputOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.input.labelled_clip_source import LabelledClipSource, TestViews
from avatx.data.records import record
from avatx.data.records.input_errors import explained
from avatx.errors import UserError


def test_every_number_is_changed_here():
    for kind in (ClipShape, TestViews):
        for field in dataclasses.fields(kind):
            assert f"test_{field.name}" in globals(), field.name


def one_clip(tmp_path, **changes):
    """[T, H, W, C] of keyframe 1.03 s of a video of 10 frames a second, frame i grey of 2 i."""
    stored = segment("v", [keyframe(1_030_000)], num_frames=30, frame_rate=10.0)
    path = write(tmp_path / "a.tfrecord", [stored])
    shape = ClipShape(**{"num_frames": 4, "frame_rate": 8.0, "height": 8, "width": 8, **changes})
    return next(
        iter(build_dataset(KeyframeSource(options(path), shape), 1, training=False))
    ).clips.numpy()[0]


def shown(clip):
    return np.rint(clip[:, 4, 4, 0] / 2).astype(int).tolist()


def test_num_frames(tmp_path):
    assert shown(one_clip(tmp_path, num_frames=3)) == [8, 10, 11]


def test_frame_rate(tmp_path):
    assert shown(one_clip(tmp_path, frame_rate=3.0)) == [4, 7, 10, 14]


def test_height(tmp_path):
    clip = one_clip(tmp_path, height=24, width=6)
    assert clip.shape == (4, 24, 6, 3) and clip.dtype == np.uint8


test_width = test_height


def test_channels(tmp_path):
    """With 5, records without flow are refused: tests/data/test_clip_centre.py shows those with."""
    assert not ClipShape(4, 8.0, 8, 8).has_flow and ClipShape(4, 8.0, 8, 8, 5).has_flow
    with pytest.raises(UserError, match="optical flow of 0"), explained():
        one_clip(tmp_path, channels=5)


@pytest.mark.parametrize("field", ["num_frames", "frame_rate", "height", "width", "channels"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_shapes_of_nothing(field, value):
    numbers = {"num_frames": 4, "frame_rate": 8.0, "height": 8, "width": 8, "channels": 3}
    with pytest.raises(UserError, match=f"clip {field}"):
        ClipShape(**{**numbers, field: value})


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A video of 20 frames, 48 x 64, frame i grey of level 4 i but for its left half: white."""
    path = tmp_path_factory.mktemp("labelled") / "a.tfrecord"
    frames = []
    for index in range(20):
        image = np.full([48, 64, 3], 4 * index, np.uint8)
        image[:, :32] = 255
        frames.append(tf.io.encode_jpeg(image, quality=100).numpy())
    video = record.Segment(
        video_id="v",
        start=0,
        end=2_000_000,
        height=48,
        width=64,
        frame_rate=10.0,
        timestamps=np.arange(20) * 100_000,
        frames=frames,
        keyframes=[],
        clip_class_ids=[2],
        clip_class_names=["jump"],
    )
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(record.encode(video))
    return str(path)


def views(labelled, num_clips, num_crops):
    # Of 48 x 64 stored pixels a clip of 24 x 24 is a window of as many.
    clip = ClipShape(4, 10.0, 24, 24)
    dataset = build_dataset(
        LabelledClipSource(
            default(InputOptions, (labelled,), 3), clip, TestViews(num_clips, num_crops)
        ),
        1,
        training=False,
    )
    return [batch.clips.numpy()[0] for batch in dataset]


def test_num_clips(labelled):
    """Of 20 frames: from the first, from the middle, from the last that fits."""
    first = [round(int(clip[0, 12, 20, 0]) / 4) for clip in views(labelled, 3, 1)]
    assert first == [0, 8, 16]


def test_num_crops(labelled):
    """Left is white, right is not, the centre is half; all of the video's middle."""
    clips = views(labelled, 1, 3)
    white = [(clip[0, :, :, 0] > 200).mean() for clip in clips]
    assert white == pytest.approx([1, 0.5, 0], abs=0.05)
    assert round(int(clips[2][0, 12, 20, 0]) / 4) == 8


def test_test_views_of_nothing():
    for name in ("num_clips", "num_crops"):
        with pytest.raises(UserError, match=f"{name}: 0; expected at least 1"):
            TestViews(**{"num_clips": 1, "num_crops": 1, name: 0})
    assert TestViews(3, 2).count == 6


def test_label_and_index_of_a_labelled_video(labelled):
    dataset = build_dataset(
        LabelledClipSource(
            default(InputOptions, (labelled,), 3), ClipShape(4, 10.0, 24, 24), TestViews(3, 1)
        ),
        2,
        training=False,
    )
    batches = list(dataset)
    assert np.concatenate([b.labels for b in batches]).tolist() == [1, 1, 1, 1]  # class id 2
    assert np.concatenate([b.view for b in batches])[:3].tolist() == [0, 1, 2]
    assert np.concatenate([b.valid for b in batches]).tolist() == [True, True, True, False]
    assert np.concatenate([b.video_index for b in batches])[:3].tolist() == [0, 0, 0]
