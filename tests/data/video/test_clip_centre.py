"""Which frames a clip shows, at rates that do not divide: half a step cannot hide."""

import numpy as np
import pytest
import tensorflow as tf
from small_records import keyframe, options, segment, write

from avatx.data import times
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.video import clip_sampling


def test_wanted_times_of_an_even_clip():
    """4 frames at 8 a second: the third is the keyframe, 125 ms apart."""
    found = clip_sampling.wanted_times(1_000_000, 4, 8.0)
    assert found.tolist() == [750_000, 875_000, 1_000_000, 1_125_000]


def test_wanted_times_of_an_odd_clip():
    """5 frames: the keyframe lies midway between the third and the fourth."""
    found = clip_sampling.wanted_times(1_000_000, 5, 8.0)
    assert found.tolist() == [687_500, 812_500, 937_500, 1_062_500, 1_187_500]


def test_wanted_times_are_rounded_one_by_one():
    """Steps of 142,857.14 us: no error adds up."""
    found = clip_sampling.wanted_times(0, 8, 7.0)
    assert found.tolist() == [-571_429, -428_571, -285_714, -142_857, 0, 142_857, 285_714, 428_571]


def test_seconds_become_the_nearest_microsecond():
    found = times.to_microseconds([0.0000014, 0.0000016, 902.0000009, -0.0000016])
    assert found.tolist() == [1, 2, 902_000_001, -2]
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    "num_frames, clip_rate, expected",
    [
        # Frames lie at 100 i ms, the keyframe at 1030 ms.
        # Wanted: 530, 655, 780, 905, 1030, 1155, 1280, 1405 ms.
        (8, 8.0, [5, 7, 8, 9, 10, 12, 13, 14]),
        # 3 frames of 0.4 s: 430, 830, 1230 ms.
        (3, 2.5, [4, 8, 12]),
        # 5 frames of 1 / 6 s: 613.3, 780, 946.7, 1113.3, 1280 ms.
        (5, 6.0, [6, 8, 9, 11, 13]),
    ],
)
def test_frames_of_a_clip_from_records(tmp_path, num_frames, clip_rate, expected):
    stored = segment("v", [keyframe(1_030_000)], num_frames=30, frame_rate=10.0)
    path = write(tmp_path / "a.tfrecord", [stored])
    clip = ClipShape(num_frames, clip_rate, 8, 8)
    batch = next(iter(build_dataset(KeyframeSource(options(path), clip), 1, training=False)))
    shown = np.rint(batch.clips.numpy()[0, :, 4, 4, 0] / 2).astype(int)
    assert shown.tolist() == expected


def test_a_frame_between_two_is_the_earlier_one_of_a_tie():
    frames = np.array([0, 40_000, 80_000])
    wanted = np.array([-5, 0, 19_999, 20_000, 20_001, 60_000, 60_001, 99_999])
    assert clip_sampling.nearest_frames(frames, wanted).tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert clip_sampling.nearest_frames(np.array([7]), wanted).tolist() == [0] * 8


def test_a_clip_needs_its_whole_span(tmp_path):
    """Of 8 frames at 8 a second, the first lies 500 ms before and the last 375 ms after."""
    from avatx.data.records.input_errors import explained
    from avatx.errors import UserError

    def read(margin):
        # The span goes from -margin to 2.9 s + margin.
        stored = segment("v", [keyframe(time)], num_frames=30, frame_rate=10.0, margin=margin)
        path = write(tmp_path / "a.tfrecord", [stored])
        clip = ClipShape(8, 8.0, 8, 8)
        with explained([path]):
            return next(iter(build_dataset(KeyframeSource(options(path), clip), 1, training=False)))

    time = 300_000  # wanted from -200 ms on
    read(199_000)
    with pytest.raises(UserError, match="need -0.2 to 0.675 s"):
        read(198_999)
    time = 2_900_000  # wanted up to 3.275 s
    read(374_000)
    with pytest.raises(UserError, match="need 2.4 to 3.275 s"):
        read(373_999)


def test_flow_comes_with_its_frame(tmp_path):
    """The optical flow shown is that of the frame shown, not that of its place in the record."""
    from avatx.data.video import optical_flow

    stored = segment("v", [keyframe(1_030_000)], num_frames=30, frame_rate=10.0)
    stored.flow = [
        optical_flow.encode(np.full([48, 64, 2], (3 * index, 250 - 3 * index), np.uint8))
        for index in range(30)
    ]
    path = write(tmp_path / "a.tfrecord", [stored])
    clip = ClipShape(8, 8.0, 8, 8, channels=5)
    batch = next(iter(build_dataset(KeyframeSource(options(path), clip), 1, training=False)))
    shown = batch.clips.numpy()[0, :, 4, 4].astype(int)
    expected = np.array([5, 7, 8, 9, 10, 12, 13, 14])
    np.testing.assert_allclose(shown[:, 0], 2 * expected, atol=1)
    np.testing.assert_allclose(shown[:, 3], 3 * expected, atol=1)
    np.testing.assert_allclose(shown[:, 4], 250 - 3 * expected, atol=1)


def test_graph_and_numpy_agree_on_one_frame():
    from avatx.data.input.keyframe_parsing import nearest_frames

    found = nearest_frames(tf.constant([7], tf.int64), tf.constant([0, 7, 9], tf.int64))
    assert found.numpy().tolist() == [0, 0, 0]
