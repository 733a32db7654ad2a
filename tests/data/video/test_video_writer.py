import os
from fractions import Fraction

import numpy as np
import pytest

from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError

av = pytest.importorskip("av")


def _frames(count, height, width):
    """Smooth pictures whose brightness rises from frame to frame."""
    ramp = np.linspace(0, 60, width)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    shape = (height, width, 3)
    return [np.broadcast_to(ramp + 5 * i, shape).astype(np.uint8) for i in range(count)]


def _decode(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [f.to_ndarray(format="rgb24") for f in frames], [f.time for f in frames]


@pytest.mark.parametrize("rate", [25, Fraction(24000, 1001), Fraction(30000, 1001), 29.97])
def test_frames_come_back_at_their_times(tmp_path, rate):
    frames = _frames(20, 48, 64)
    path = tmp_path / "a.mp4"
    with VideoWriter(path, rate, 48, 64) as writer:
        for frame in frames:
            writer.write(frame)
    decoded, times = _decode(path)
    assert len(decoded) == len(frames)
    for got, want in zip(decoded, frames, strict=True):
        assert np.abs(got.astype(int) - want).mean() < 3
    np.testing.assert_allclose(times, np.arange(20) / float(rate), atol=1e-4)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"


def test_odd_sizes_repeat_the_last_row_and_column(tmp_path):
    frames = _frames(3, 33, 47)
    with VideoWriter(tmp_path / "odd.mp4", 10, 33, 47) as writer:
        for frame in frames:
            writer.write(frame)
    decoded, _ = _decode(tmp_path / "odd.mp4")
    assert decoded[0].shape == (34, 48, 3)
    assert np.abs(decoded[0][:33, :47].astype(int) - frames[0]).mean() < 3


def test_variable_rate_keeps_the_given_times(tmp_path):
    times = [0.0, 0.04, 0.2, 0.21, 1.5]
    with VideoWriter(tmp_path / "v.mp4", 25, 32, 32) as writer:
        for frame, time in zip(_frames(5, 32, 32), times, strict=True):
            writer.write(frame, time=time)
    np.testing.assert_allclose(_decode(tmp_path / "v.mp4")[1], times, atol=1e-4)


def test_index_comes_before_the_pictures(tmp_path):
    with VideoWriter(tmp_path / "f.mp4", 25, 32, 32) as writer:
        writer.write(_frames(1, 32, 32)[0])
    data = (tmp_path / "f.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_an_error_leaves_nothing_behind_and_the_old_file_alone(tmp_path):
    path = tmp_path / "e.mp4"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        with VideoWriter(path, 25, 32, 32) as writer:
            writer.write(_frames(1, 32, 32)[0])
            raise RuntimeError("stop")
    with pytest.raises(ValueError, match="no frame"):
        with VideoWriter(path, 25, 32, 32):
            pass
    assert os.listdir(tmp_path) == ["e.mp4"]
    assert path.read_bytes() == b"old"


def test_missing_folder_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        with VideoWriter(tmp_path / "nowhere" / "x.mp4", 25, 32, 32):
            pass


def test_wrong_frames_are_refused(tmp_path):
    frame = _frames(1, 32, 32)[0]
    with VideoWriter(tmp_path / "w.mp4", 25, 32, 32) as writer:
        for wrong in (frame[:30], frame.astype(np.float32), frame[..., 0]):
            with pytest.raises(ValueError, match="expected uint8"):
                writer.write(wrong)
        writer.write(frame, time=0.5)
        for wrong_time in (None, 0.5, -1.0):
            with pytest.raises(ValueError, match="time"):
                writer.write(frame, time=wrong_time)


def test_same_frames_give_the_same_bytes(tmp_path):
    for name in "ab":
        with VideoWriter(tmp_path / name, 25, 32, 32, num_threads=1) as writer:
            for frame in _frames(6, 32, 32):
                writer.write(frame)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_border_of_an_odd_size_is_repeated(tmp_path):
    """x264 takes even sizes only; what is added must not darken the picture's edge."""
    with VideoWriter(tmp_path / "a.mp4", 10, 31, 45, crf=10) as writer:
        writer.write(np.full([31, 45, 3], 200, np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        (frame,) = container.decode(video=0)
    stored = frame.to_ndarray(format="rgb24").astype(int)
    assert stored.shape == (32, 46, 3)
    assert np.abs(stored - 200).max() < 8


def test_there_is_a_seek_point_every_two_seconds(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 5, 32, 32) as writer:
        for _ in range(25):
            writer.write(np.zeros([32, 32, 3], np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [float(one.pts * one.time_base) for one in packets if one.is_keyframe] == [0, 2, 4]
