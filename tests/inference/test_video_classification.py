"""Clips of a whole video, and the mean of their scores."""

import numpy as np
import pytest

from avatx.data.video.frame_encoding import stored_size
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.inference.video_classification import center_crop, classify, resampled


@pytest.mark.parametrize("rate", [5.0, 10.0, 25.0])
def test_resampling_takes_the_nearest_frame_the_earlier_of_two(rate):
    times = np.cumsum([0.0, 0.1, 0.1, 0.05, 0.3, 0.1, 0.02])
    got = list(resampled(zip(times, range(len(times)), strict=True), rate))
    wanted = np.arange(0, times[-1] + 1e-6, 1 / rate)
    assert got == [int(np.argmin(np.round(np.abs(times - time), 9))) for time in wanted]


def test_nothing_to_resample():
    assert not list(resampled([], 10.0))


def test_sizes_and_crops():
    assert stored_size((480, 640), 256) == (256, 341)
    assert stored_size((100, 200), 256) == (100, 200)
    frame = np.arange(10 * 20).reshape(10, 20)
    np.testing.assert_array_equal(center_crop(frame, 4, 6), frame[3:7, 7:13])
    np.testing.assert_array_equal(center_crop(frame, 20, 20), frame[:, 5:15])


def test_long_videos_are_averaged_over_their_parts_by_length(tmp_path):
    path = str(tmp_path / "film.mp4")
    with VideoWriter(path, 10, 32, 32) as writer:
        for brightness in range(0, 250, 25):
            writer.write(np.full([32, 32, 3], brightness, np.uint8))
    lengths, told = [], []

    def scores_of(clip):
        lengths.append(clip.shape[1])
        assert clip.shape[2:] == (16, 16, 3) and clip.dtype == np.uint8
        return clip.reshape(1, -1).mean(axis=1, keepdims=True)

    scores, num_frames, stopped = classify(
        path,
        scores_of,
        frame_rate=10,
        crop=(16, 16),
        max_frames=4,
        progress=lambda *seconds: told.append(seconds),
    )
    assert told == [(0.4, 1.0), (0.8, 1.0), (1.0, 1.0)]
    assert lengths == [4, 4, 2] and num_frames == 10 and stopped is None
    assert scores[0] == pytest.approx(np.arange(0, 250, 25).mean(), abs=2)


def test_a_video_that_breaks_off_says_so(tmp_path):
    path = tmp_path / "film.mp4"
    noise = np.random.default_rng(0)
    with VideoWriter(str(path), 10, 32, 32) as writer:
        for _ in range(40):
            writer.write(noise.integers(0, 256, [32, 32, 3], np.uint8))
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    _, num_frames, stopped = classify(
        str(path), lambda clip: np.ones([1, 3]), frame_rate=10, crop=(16, 16)
    )
    assert 0 < num_frames < 40 and stopped


def test_what_is_no_video(tmp_path):
    (tmp_path / "film.mp4").write_text("no film")
    with pytest.raises(UserError, match="film.mp4"):
        classify(str(tmp_path / "film.mp4"), None, frame_rate=10, crop=(16, 16))


def test_frames_are_taken_as_for_training_as_far_as_that_is_known(tmp_path):
    path = str(tmp_path / "film.mp4")
    with VideoWriter(path, 10, 64, 96) as writer:
        for index in range(20):
            frame = np.full([64, 96, 3], 10 * index, np.uint8)
            frame[:, :32], frame[:, 64:] = 0, 255  # a third each
            writer.write(frame)

    def classified(known):
        seen = []
        classify(
            path,
            lambda clip: seen.append(clip[0]) or np.ones([1, 3]),
            frame_rate=10,
            crop=(28, 28),
            frame_settings=known,
        )
        return seen[0]

    usual = classified(None)
    np.testing.assert_array_equal(classified({"shorter_side": None}), usual)
    np.testing.assert_array_equal(classified({"shorter_side": 32}), usual)  # 28 x 256 / 224
    assert usual[-1][:, 4].max() < 40 and usual[-1][:, -5].min() > 215  # 48 pixels wide
    whole = classified({"shorter_side": 0, "optical_flow": "", "video_start_seconds": 900.0})
    assert abs(int(whole[-1][:, 4].max()) - 190) < 20  # the middle third alone
    thin = classified({"shorter_side": 32, "max_frame_rate": 2.0})
    levels = [int(frame[14, 14].mean()) for frame in thin]
    assert len(set(levels)) == 4 and len(levels) == 16


def test_the_smaller_half_of_an_odd_margin_is_above_and_to_the_left():
    frame = np.arange(5 * 8).reshape(5, 8)
    np.testing.assert_array_equal(center_crop(frame, 2, 3), frame[1:3, 2:5])
    np.testing.assert_array_equal(center_crop(frame, 4, 4), frame[:4, 2:6])
    np.testing.assert_array_equal(center_crop(frame, 10, 10), frame[:, 1:6])  # as much as there is
