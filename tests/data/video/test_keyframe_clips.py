"""Clips cut from a stream are the clips that the whole video would give, in bounded memory."""

import weakref

import numpy as np
import pytest
import tensorflow as tf

from avatx.data.input import keyframe_parsing
from avatx.data.times import to_microseconds
from avatx.data.video.clip_sampling import nearest_frames, wanted_times
from avatx.data.video.keyframe_clips import keyframe_clips
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import VideoWriter


def numbered_frames(times):
    """Frame i shows i in its first two bytes."""
    for i, time in enumerate(times):
        frame = np.zeros([2, 2, 3], np.uint8)
        frame[0, 0, 0], frame[0, 0, 1] = i % 256, i // 256
        yield float(time), frame


def numbers(frames):
    return frames[..., 0, 0, 0].astype(int) + 256 * frames[..., 0, 0, 1].astype(int)


def variable_rate_times(count, seed=0):
    steps = np.random.default_rng(seed).choice([0.02, 0.04, 0.1, 0.5, 1.7], count - 1)
    return np.concatenate([[0], np.cumsum(steps)]).round(6)


@pytest.mark.parametrize("every", [1.0, 0.1, 2.5, 7.0])
@pytest.mark.parametrize("num_frames, frame_rate", [(16, 12.5), (64, 25), (1, 5), (5, 2)])
@pytest.mark.parametrize(
    "times",
    [
        np.arange(150) / 25,
        np.arange(100) * 1001 / 24000,
        variable_rate_times(60),
        np.zeros(1),
    ],
    ids=["25", "23.976", "variable", "one frame"],
)
def test_stream_gives_what_the_whole_video_gives(times, num_frames, frame_rate, every):
    clips = list(keyframe_clips(numbered_frames(times), every, num_frames, frame_rate))
    assert [clip.timestamp for clip in clips] == pytest.approx(
        np.arange(int(times[-1] / every + 1e-6) + 1) * every
    )
    microseconds = to_microseconds(times)
    for clip in clips:
        keyframe = int(to_microseconds(clip.timestamp))
        wanted = wanted_times(keyframe, num_frames, frame_rate)
        expected = nearest_frames(microseconds, wanted)
        np.testing.assert_array_equal(numbers(clip.frames), expected)
        shown = (microseconds[expected] - keyframe) / 1e6  # at the borders not the wanted time
        np.testing.assert_array_equal(clip.seconds, shown)
        assert numbers(clip.keyframe) == nearest_frames(microseconds, np.array([keyframe]))[0]
        # The rule itself, by brute force: nearest, the earlier one on a tie.
        brute = np.abs(microseconds[np.newaxis] - wanted[:, np.newaxis]).argmin(axis=1)
        np.testing.assert_array_equal(expected, brute)


def test_rule_equals_the_input_pipelines():
    times = to_microseconds(variable_rate_times(80, seed=1))
    for keyframe in [0, 1_000_000, 3_456_789, int(times[-1])]:
        wanted = wanted_times(keyframe, 64, 23.976)
        np.testing.assert_array_equal(
            nearest_frames(times, wanted),
            keyframe_parsing.nearest_frames(tf.constant(times), tf.constant(wanted)),
        )


def test_a_tie_takes_the_earlier_frame():
    frames = nearest_frames(to_microseconds([0.0, 0.04]), to_microseconds([0.02, 0.020001]))
    assert frames.tolist() == [0, 1]


def test_clip_of_a_variable_rate_video_file(tmp_path):
    path = str(tmp_path / "variable.mp4")
    times = variable_rate_times(40)
    with VideoWriter(path, 25, 32, 32) as writer:
        for i, time in enumerate(times):
            writer.write(np.full([32, 32, 3], 6 * i, np.uint8), time)
    with VideoReader(path) as reader:
        decoded = list(reader.frames())
        clips = list(keyframe_clips(reader.frames(), 1.0, 16, 12.5))
    np.testing.assert_allclose([time for time, _ in decoded], times, atol=1e-4)
    microseconds = to_microseconds([time for time, _ in decoded])
    for clip in clips:
        wanted = wanted_times(int(to_microseconds(clip.timestamp)), 16, 12.5)
        for frame, expected in zip(clip.frames, nearest_frames(microseconds, wanted), strict=True):
            np.testing.assert_array_equal(frame, decoded[expected][1])


@pytest.mark.parametrize("every", [0.5, 1.0, 30.0])
def test_memory_is_bounded_by_the_clip(every):
    alive, most = 0, 0

    def dropped():
        nonlocal alive
        alive -= 1

    def frames():
        nonlocal alive, most
        for i in range(3000):
            frame = np.zeros([1, 1, 3], np.uint8)
            weakref.finalize(frame, dropped)
            alive += 1
            yield i / 25, frame
            del frame
            most = max(most, alive)

    for _ in keyframe_clips(frames(), every, 16, 12.5):
        pass
    # A clip spans 1.2 s, 31 frames of this video; keyframes half a second apart share it.
    assert 16 <= most <= 36
