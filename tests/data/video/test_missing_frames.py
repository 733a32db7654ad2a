"""A nearest frame that is too far is none: the bound, and what counts."""

import numpy as np
import pytest

from avatx.data.video.missing_frames import MissingFrames, clip_bound, keyframe_bound

SECOND = 1_000_000


@pytest.mark.parametrize(
    "clip_rate, video_rate, milliseconds",
    [(25, 25, 20), (25, 30, 20), (25, 24, 20.833), (25, 12.5, 40), (25, 1, 40), (25, 0, 20)],
)
def test_the_bound_of_a_clip(clip_rate, video_rate, milliseconds):
    """Half the clip's frame distance; of slower videos half theirs, never more than the clip's."""
    assert clip_bound(clip_rate, video_rate) / 1000 == pytest.approx(milliseconds + 1, abs=1e-3)


def test_the_bound_of_a_keyframe():
    assert keyframe_bound(30) == pytest.approx(16_668, abs=1)
    assert keyframe_bound(30, 10) == pytest.approx(66_668, abs=1)  # thinned: 100 ms and a frame
    assert keyframe_bound(30, 60) == pytest.approx(16_668, abs=1)


def test_a_whole_video_misses_nothing():
    missing = MissingFrames(8, 12.5)
    for rate in (12.5, 23.976, 25, 29.97):
        times = np.rint(np.arange(0, 10, 1 / rate) * SECOND).astype(np.int64)
        missing.add_segment("v", times, np.array([0, SECOND, 9 * SECOND]), rate)
        missing.add_video("w", times)
    assert missing.number == 0 and missing.num_frames > 96


def test_holes_and_keyframes_before_the_first_frame():
    """Frames at 10 a second from 2 to 3 s and from 4 to 5 s; clips of 4 frames, 100 ms apart."""
    times = np.array([*range(20, 31), *range(40, 51)]) * 100_000
    missing = MissingFrames(4, 10)
    missing.add_segment("v", times, np.array([2_500_000]), 10)
    assert (missing.number, missing.num_frames) == (0, 4)
    missing.add_segment("v", times, np.array([3_000_000]), 10)  # shows up to 3.1 s
    assert (missing.number, missing.num_frames) == (1, 8)
    missing.add_segment("w", times, np.array([3_500_000]), 10)
    assert (missing.number, missing.num_frames) == (5, 12)
    missing.add_segment("v", times, np.array([2_000_000]), 10)  # the border repeats
    assert (missing.number, missing.num_frames) == (5, 16)
    missing.add_segment("w", times, np.array([1_000_000]), 10)
    assert (missing.number, missing.num_frames) == (9, 20)
    assert missing.in_words() == (
        "9 of 20 frames of clips (45 %) are missing, for no frame of the video is within half the "
        "clip's frame distance, 50 ms: another is shown in their place; 8 of them in w"
    )


def test_one_picture_a_second_is_a_row_of_stills():
    times = np.arange(10) * SECOND
    missing = MissingFrames(25, 25)
    missing.add_segment("v", times, np.array([5 * SECOND]), 1)
    assert missing.number == 23  # an odd clip: two of its frames are within 41 ms of the picture
    labelled = MissingFrames(25, 25)
    labelled.add_video("v", times)
    assert labelled.number == 9 * 22
