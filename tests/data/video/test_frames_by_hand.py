"""Frames as they are stored and read again: sizes, chroma, times, levels of flow, by hand."""

import io

import numpy as np
import pytest
import tensorflow as tf
from coded_video import write_coded_video
from PIL import Image

from avatx.data.input.augmentation import identity_view
from avatx.data.input.clip_decoding import decode_clip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.video import optical_flow
from avatx.data.video.frame_encoding import encode_jpeg, stored_size
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.frame_source import frame_files
from avatx.data.video.video_reader import VideoReader
from avatx.errors import UserError


@pytest.mark.parametrize(
    "size, shorter_side, expected",
    [
        ((480, 640), 240, (240, 320)),
        ((640, 480), 240, (320, 240)),
        ((100, 301), 50, (50, 150)),  # 150.5, to the even
        ((480, 640), 0, (480, 640)),
        ((480, 640), 480, (480, 640)),
        ((480, 640), 481, (480, 640)),
        ((3, 2000), 1, (1, 667)),
    ],
)
def test_stored_size(size, shorter_side, expected):
    assert stored_size(size, shorter_side) == expected


def test_chroma_has_half_the_rows_and_columns():
    encoded = encode_jpeg(np.zeros([32, 48, 3], np.uint8), 90)
    assert Image.open(io.BytesIO(encoded)).size == (48, 32)
    sampling = {layer[0]: layer[1:3] for layer in Image.open(io.BytesIO(encoded)).layer}
    assert sampling == {1: (2, 2), 2: (1, 1), 3: (1, 1)}


def test_a_decoded_pixel_is_rounded():
    """101 in 0.75 of its light is 75.75: 76."""
    encoded = tf.io.encode_jpeg(np.full([16, 16, 3], 101, np.uint8), quality=100).numpy()
    view = identity_view()._replace(color=tf.constant(0.75 * np.eye(3, 4, dtype=np.float32)))
    clip = decode_clip(tf.constant([encoded]), tf.constant([0]), ClipShape(1, 1.0, 16, 16), view)
    assert clip.numpy()[0, 8, 8].tolist() == [76, 76, 76]
    white = tf.io.encode_jpeg(np.full([16, 16, 3], 255, np.uint8), quality=100).numpy()
    brighter = view._replace(color=tf.constant(2 * np.eye(3, 4, dtype=np.float32)))
    clip = decode_clip(tf.constant([white]), tf.constant([0]), ClipShape(1, 1.0, 16, 16), brighter)
    assert clip.numpy()[0, 8, 8].tolist() == [255, 255, 255]  # and not over the end of a byte


def test_levels_of_flow():
    """20 pixels to either side in 256 levels; 0.157 pixels each; no motion is 127.5."""
    pixels = np.array([-25.0, -20.0, -10.0, 0.0, 0.1, 10.0, 20.0, 25.0, np.nan])
    expected = [0, 0, 64, 128, 128, 191, 255, 255, 128]
    assert optical_flow.to_levels(pixels).tolist() == expected
    found = optical_flow.to_pixels(np.array([0, 64, 128, 255], np.uint8))
    np.testing.assert_allclose(found, [-20, -9.96, 0.078, 20], atol=0.01)


def test_flow_is_kept_as_x_over_y():
    levels = np.zeros([16, 24, 2], np.uint8)
    levels[..., 0], levels[..., 1] = 60, 200
    picture = np.asarray(Image.open(io.BytesIO(optical_flow.encode(levels))))
    assert picture.shape == (32, 24)
    assert picture[:12].mean() == pytest.approx(60, abs=2)
    assert picture[20:].mean() == pytest.approx(200, abs=2)
    np.testing.assert_allclose(optical_flow.decode(optical_flow.encode(levels)), levels, atol=2)


@pytest.mark.parametrize("method", optical_flow.METHODS)
def test_flow_of_a_motion_to_the_right_and_down(method):
    """3 pixels to the right and 1 down, for every frame: the last one's is reversed from before."""
    noise = np.random.default_rng(0).integers(0, 255, (30, 40), np.uint8)
    image = np.asarray(Image.fromarray(noise).resize((240, 180), Image.Resampling.BICUBIC))
    forward = optical_flow.ForwardFlow(method)
    flows = []
    for step in range(3):
        frame = image[20 - step : 116 - step, 30 - 3 * step : 158 - 3 * step]
        flows.append(forward.add(np.repeat(frame[..., np.newaxis], 3, axis=-1)))
    flows.append(forward.finish())
    assert flows.pop(0) is None
    for flow in flows:
        x, y = np.median(optical_flow.to_pixels(flow)[20:-20, 20:-20], axis=(0, 1))
        assert (x, y) == pytest.approx((3, 1), abs=0.3)


def test_a_lone_frame_does_not_move():
    forward = optical_flow.ForwardFlow("farneback")
    assert forward.finish() is None
    forward.add(np.zeros([16, 24, 3], np.uint8))
    assert forward.finish().tolist() == [[[128, 128]] * 24] * 16


# Folders of frames.


def folder_of(path, names):
    for index, name in enumerate(names):
        Image.new("RGB", (8, 6), (10 * index,) * 3).save(path / name)
    return str(path)


@pytest.mark.parametrize(
    "numbers, times",
    [([1, 2, 3], [0, 100, 200]), ([0, 1, 2], [0, 100, 200]), ([5, 6, 9], [400, 500, 800])],
)
def test_times_of_numbered_frames(tmp_path, numbers, times):
    """Frame 1 (or 0, where there is one) is at time 0; a number that is absent is a gap."""
    path = folder_of(tmp_path, [f"img_{number:05d}.png" for number in numbers])
    with VideoReader(path, frame_settings=FrameSettings(folder_frame_rate=10.0)) as reader:
        found = [round(1000 * time) for time, _ in reader.frames()]
        assert found == times
        assert reader.duration == pytest.approx(times[-1] / 1000 + 0.1)
        assert reader.end_time == 1000 * times[-1] + 100_000  # its frame is shown, too
        assert (reader.size, reader.frame_rate, reader.ended) == ((6, 8), 10.0, True)


def test_frames_are_in_order_of_their_numbers(tmp_path):
    path = folder_of(tmp_path, ["f10.png", "f9.png", "f2.jpg", "notes.txt.png"])
    assert frame_files(path) == [(2, "f2.jpg"), (9, "f9.png"), (10, "f10.png")]
    with pytest.raises(UserError, match="have the same number"):
        VideoReader(folder_of(tmp_path, ["g2.png"]))


def test_a_span_of_a_folder(tmp_path):
    path = folder_of(tmp_path, [f"{number}.png" for number in range(1, 10)])

    def span(start, end):
        with VideoReader(path, frame_settings=FrameSettings(folder_frame_rate=10.0)) as reader:
            return [time // 1000 for time, _ in reader.span(1000 * start, 1000 * end)]

    assert span(200, 400) == [200, 300, 400]  # no neighbours where frames lie on the ends
    assert span(210, 390) == [200, 300, 400]
    assert span(-500, 50) == [0, 100]
    assert span(750, 5000) == [700, 800]
    assert span(5000, 6000) == [800]


def test_seconds_from_and_to(tmp_path):
    """start <= time < end."""
    write_coded_video(tmp_path / "a.mp4", 10, 20)
    with VideoReader(tmp_path / "a.mp4") as reader:
        assert reader.duration == pytest.approx(2) and reader.frame_rate == pytest.approx(10)
        found = [round(10 * time) for time, _ in reader.frames(0.5, 0.9)]
        assert found == [5, 6, 7, 8]
        assert [round(10 * time) for time, _ in reader.frames(end=0.2)] == [0, 1]
        assert [round(10 * time) for time, _ in reader.frames(start=1.75)] == [18, 19]
        assert next(reader.frames(size=(24, 80)))[1].shape == (24, 80, 3)


def test_a_key_frame_every_two_seconds(tmp_path):
    import av

    write_coded_video(tmp_path / "a.mp4", 8, 60)
    with av.open(str(tmp_path / "a.mp4")) as container:
        keys = [round(8 * frame.time) for frame in container.decode(video=0) if frame.key_frame]
    assert keys[0] == 0 and len(keys) >= 4
    assert max(np.diff(keys)) <= 16


@pytest.mark.parametrize("rate, most, step", [(24, 12, 2), (30, 15, 2), (30, 10, 3), (60, 12, 5)])
def test_every_second_frame_of_twice_the_rate(tmp_path, rate, most, step):
    """Though a third of a microsecond is cut off: frame 2 of 24 a second is at 83 333 us."""
    path = folder_of(tmp_path, [f"{number}.png" for number in range(1, 26)])
    settings = FrameSettings(folder_frame_rate=rate, max_frame_rate=most)
    with VideoReader(path, frame_settings=settings) as reader:
        for first in (0, 5):  # whatever it begins with
            found = [round(time * rate) for time, _ in reader.frames(start=first / rate)]
            assert found == list(range(-(-first // step) * step, 25, step))
