"""Known motion gives known flow; levels and JPEG lose little; the order and ends of a video."""

import sys

import numpy as np
import pytest

from avatx.data.video import optical_flow
from avatx.data.video.optical_flow import FlowEncoder, ForwardFlow, to_levels, to_pixels, with_flow
from avatx.errors import UserError

HEIGHT, WIDTH = 72, 100


def texture(seed=0):
    """[HEIGHT + 40, WIDTH + 40, 3] uint8, smooth enough to be followed."""
    noise = np.random.default_rng(seed).normal(size=[HEIGHT + 40, WIDTH + 40, 3])
    for axis in (0, 1):
        for _ in range(2):
            noise = sum(np.roll(noise, shift, axis) for shift in (-2, -1, 0, 1, 2)) / 5
    return np.uint8(np.clip(128 + 120 * noise / np.abs(noise).max(), 0, 255))


def moved(x, y, seed=0):
    """The texture, `x` pixels to the right and `y` downwards of where it is at (0, 0)."""
    return texture(seed)[20 - y : 20 - y + HEIGHT, 20 - x : 20 - x + WIDTH]


def inner(flow):
    """Without the border, where what comes in was not seen before."""
    return flow[10:-10, 10:-10]


@pytest.mark.parametrize("method", optical_flow.METHODS)
def test_a_moved_picture_has_the_flow_of_its_motion(method):
    forward = ForwardFlow(method)
    assert forward.add(moved(0, 0)) is None
    flow = to_pixels(forward.add(moved(3, -2)))
    assert flow.shape == (HEIGHT, WIDTH, 2)
    # 0.08 is half a level.
    np.testing.assert_allclose(np.median(inner(flow), axis=(0, 1)), [3, -2], atol=0.12)
    np.testing.assert_allclose(inner(flow).mean(axis=(0, 1)), [3, -2], atol=0.2)


def test_each_frame_has_the_flow_to_the_next_and_the_last_its_reverse_to_the_one_before():
    places = [(0, 0), (3, 0), (3, 4), (1, 4)]
    frames = [(index / 25, moved(*place)) for index, place in enumerate(places)]
    given = list(with_flow(iter(frames), "dis"))
    assert [time for time, _ in given] == [time for time, _ in frames]
    flows = []
    for (_, frame), (_, both) in zip(frames, given, strict=True):
        assert both.dtype == np.uint8
        np.testing.assert_array_equal(both[..., :3], frame)
        flows.append(np.median(inner(to_pixels(both[..., 3:])), axis=(0, 1)))
    np.testing.assert_allclose(flows, [[3, 0], [0, 4], [-2, 0], [-2, 0]], atol=0.15)


def test_with_flow_is_a_frame_behind_and_no_more():
    taken = []

    def frames():
        for index in range(5):
            taken.append(index)
            yield float(index), moved(index, 0)

    for index, (time, _) in enumerate(with_flow(frames(), "dis")):
        assert time == index and len(taken) == min(index + 2, 5)


def test_a_lone_frame_does_not_move_and_no_frame_has_no_flow():
    ((_, both),) = with_flow([(0.0, moved(0, 0))], "dis")
    assert np.all(both[..., 3:] == 128)
    assert list(with_flow([], "dis")) == []
    assert FlowEncoder("dis").finish() == []


def test_levels_are_those_of_kinetics_i3d():
    pixels = np.array([-np.inf, -25, -20, -10, 0, 0.2, 10, 20, 1000, np.nan], np.float32)
    assert to_levels(pixels).tolist() == [0, 0, 0, 64, 128, 129, 191, 255, 255, 128]
    inside = np.linspace(-20, 20, 999, dtype=np.float32)
    level = 40 / 255
    assert np.abs(to_pixels(to_levels(inside)) - inside).max() <= 0.5001 * level
    np.testing.assert_array_equal(to_levels(to_pixels(np.arange(256, dtype=np.uint8))), range(256))


def test_the_jpeg_of_a_flow_loses_little_and_keeps_x_and_y_apart():
    forward = ForwardFlow("dis")
    forward.add(moved(0, 0))
    levels = forward.add(moved(6, -9))
    encoded = optical_flow.encode(levels)
    decoded = optical_flow.decode(encoded)
    assert decoded.shape == levels.shape and len(encoded) < levels.size
    error = np.abs(decoded.astype(int) - levels)
    assert error.mean() < 0.6 and np.percentile(error, 99) <= 4
    odd = np.full([31, 45, 2], [250, 3], np.uint8)  # no multiple of JPEG's blocks
    assert np.abs(optical_flow.decode(optical_flow.encode(odd)).astype(int) - odd)[:24].max() <= 1


def test_the_encoder_gives_one_flow_a_frame():
    encoder = FlowEncoder("farneback")
    frames = [(float(x), moved(x, 0)) for x in (0, 2, 5)]
    for _, frame in frames:
        encoder.add(frame)
    encoded = encoder.finish()
    assert len(encoded) == 3
    for one, (_, both) in zip(encoded, with_flow(frames, "farneback"), strict=True):
        assert one == optical_flow.encode(both[..., 3:])
    assert encoder.provenance["method"] == "farneback" and encoder.provenance["limit"] == 20


def test_mistakes_are_one_line(monkeypatch):
    with pytest.raises(UserError, match="^optical_flow is 'tvl1', expected dis or farneback"):
        ForwardFlow("tvl1")
    small = ForwardFlow("dis")
    small.add(np.zeros([4, 5, 3], np.uint8))
    with pytest.raises(UserError, match="4 x 5 pixels are too small for it; use farneback"):
        small.add(np.zeros([4, 5, 3], np.uint8))
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match="pip install opencv-python-headless"):
        ForwardFlow("dis")
