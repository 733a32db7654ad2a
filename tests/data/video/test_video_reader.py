"""Frames are found by presentation time, whatever the rate, the clock and the container."""

import functools
import http.server
import os
import threading

import numpy as np
import pytest
from coded_video import (
    NTSC,
    NTSC_FILM,
    coded_frame,
    cut,
    read_code,
    remux,
    variable_times,
    write_coded_video,
)
from PIL import Image

from avatx.data.video.clip_sampling import nearest_frames
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError

NUM_FRAMES = 160
KINDS = {"23.976": NTSC_FILM, "25": 25, "29.97": NTSC, "30": 30, "variable": None}


@pytest.fixture(scope="module", params=KINDS)
def video(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / f"{request.param}.mp4"
    rate = KINDS[request.param]
    times = write_coded_video(
        path, variable_times(NUM_FRAMES) if rate is None else rate, NUM_FRAMES
    )
    return path, times


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return path, write_coded_video(path, NTSC_FILM, NUM_FRAMES)


def _read(reader, *span):
    pairs = list(reader.frames(*span))
    return np.array([time for time, _ in pairs]), [read_code(frame) for _, frame in pairs]


def test_every_frame_comes_once_at_its_time(video):
    path, expected = video
    with VideoReader(path) as reader:
        times, codes = _read(reader)
        assert codes == list(range(NUM_FRAMES))
        np.testing.assert_allclose(times, expected, atol=1e-6)
        assert reader.error is None and reader.size == (48, 160)
        assert reader.duration == pytest.approx(expected[-1], abs=0.4)


def test_a_span_is_the_frames_of_its_time(video):
    path, expected = video
    generator = np.random.default_rng(1)
    with VideoReader(path) as reader:
        for _ in range(12):
            start, end = np.sort(generator.uniform(-0.5, expected[-1] + 0.5, 2))
            times, codes = _read(reader, start, end)
            wanted = np.flatnonzero((expected >= start) & (expected < end))
            assert codes == wanted.tolist()
            np.testing.assert_allclose(times, expected[wanted], atol=1e-6)


def test_nearest_within_a_span_is_nearest_in_the_video(video):
    path, expected = video
    microseconds = np.rint(expected * 1e6).astype(np.int64)
    generator = np.random.default_rng(2)
    with VideoReader(path) as reader:
        for _ in range(6):
            start, end = np.sort(generator.integers(-500_000, microseconds[-1] + 500_000, 2))
            pictures = list(reader.span(int(start), int(end)))
            codes = [read_code(reader.to_rgb(picture)) for _, picture in pictures]
            wanted = generator.integers(start, end + 1, 50)
            here = nearest_frames(np.array([time for time, _ in pictures]), wanted)
            there = nearest_frames(microseconds, wanted)
            # The container's clock may round a tie either way: compare what was really wanted.
            distance = np.abs(microseconds[np.array(codes)[here]] - wanted)
            assert np.all(np.abs(distance - np.abs(microseconds[there] - wanted)) <= 2)


def test_thinning_keeps_the_same_frames_in_every_span(film):
    path, expected = film
    with VideoReader(path, frame_settings=FrameSettings(max_frame_rate=8)) as reader:

        def codes(start, end):
            return {read_code(reader.to_rgb(picture)) for _, picture in reader.span(start, end)}

        whole = codes(0, 7_000_000)
        assert len(whole) == pytest.approx(expected[-1] * 8, abs=2)
        for start in range(0, 5_000_000, 370_000):
            part = codes(start, start + 1_000_000)
            assert part <= whole
            assert len(part) == pytest.approx(10, abs=1)


def test_a_reader_decodes_only_what_is_asked_for(film):
    with VideoReader(film[0]) as reader:
        next(reader.frames())
        assert reader.end_time is None
        _read(reader)
        assert reader.end_time == pytest.approx(NUM_FRAMES / float(NTSC_FILM) * 1e6, abs=2)


def test_resize(film):
    with VideoReader(film[0]) as reader:
        ((_, frame),) = reader.frames(2, 2.04, size=(24, 80))
    assert frame.shape == (24, 80, 3) and frame.dtype == np.uint8
    assert read_code(frame) == 48


@pytest.mark.parametrize(
    "extension,file_format", [("ts", "mpegts"), ("mkv", "matroska"), ("mov", "mov"), ("flv", "flv")]
)
def test_containers_that_start_late_start_at_zero(film, tmp_path, extension, file_format):
    """MPEG-TS begins at 1.4 s; Matroska and FLV round to milliseconds."""
    path = tmp_path / f"film.{extension}"
    remux(film[0], path, file_format)
    with VideoReader(path) as reader:
        times, codes = _read(reader)
        assert codes == list(range(NUM_FRAMES)) and times[0] == 0
        np.testing.assert_allclose(times, film[1], atol=1.1e-3)
        times, codes = _read(reader, 3.01, 3.3)
        assert codes == np.flatnonzero((film[1] >= 3.01) & (film[1] < 3.3)).tolist()
        assert reader.error is None


@pytest.mark.parametrize(
    "name,codec",
    [
        ("film.avi", "mpeg4"),
        ("film.mpg", "mpeg2video"),
        ("film.webm", "libvpx"),
        ("film.h264", "libx264"),
    ],
)
def test_containers_that_state_little(tmp_path, name, codec):
    """AVI has decoding times only, MPEG-PS a time now and then, a raw stream none."""
    import av

    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 48, "yuv420p"
        stream.bit_rate = 2_000_000
        stream.codec_context.max_b_frames = 2
        for number in range(90):
            picture = av.VideoFrame.from_ndarray(coded_frame(number), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with VideoReader(path) as reader:
        times, codes = _read(reader)
        assert codes == list(range(90)) and reader.error is None
        np.testing.assert_allclose(times, np.arange(90) / 25, atol=2e-3)
        times, codes = _read(reader, 1.99, 2.23)
        assert codes == list(range(50, 56))
        np.testing.assert_allclose(times, np.arange(50, 56) / 25, atol=2e-3)


def test_a_pipe_cannot_be_sought_in(film, tmp_path):
    """As a camera: no duration, and every call goes on where the last one stopped."""
    stream, pipe = tmp_path / "film.ts", tmp_path / "pipe"
    remux(film[0], stream, "mpegts")
    os.mkfifo(pipe)

    def feed():
        with open(pipe, "wb") as file:
            file.write(stream.read_bytes())

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    with VideoReader(pipe) as reader:
        assert reader.duration is None
        assert _read(reader)[1] == list(range(NUM_FRAMES))
    feeder.join(10)


def test_a_web_address(film):
    handler = functools.partial(_QuietHandler, directory=str(film[0].parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with VideoReader(f"http://127.0.0.1:{server.server_port}/film.mp4") as reader:
            times, codes = _read(reader, 3, 4)
            assert codes == np.flatnonzero((film[1] >= 3) & (film[1] < 4)).tolist()
        with pytest.raises(UserError, match="nothing.mp4"):
            VideoReader(f"http://127.0.0.1:{server.server_port}/nothing.mp4")
    finally:
        server.shutdown()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


# Of a display matrix (a, b, c, d): (x, y) is shown at (a x + c y, b x + d y).
@pytest.mark.parametrize(
    "matrix, shown",
    [
        ((1, 0, 0, 1), lambda picture: picture),
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),  # as of a telephone: clockwise
        ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
        ((0, -1, 1, 0), lambda picture: np.rot90(picture)),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda picture: picture.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda picture: np.rot90(picture, 2).transpose(1, 0, 2)),
        ((0.5, -0.5, 0.5, 0.5), None),  # of another angle: of some size, nothing is raised
        ((0, 0, 0, 0), lambda picture: picture),
    ],
)
def test_a_display_matrix_is_undone(film, tmp_path, matrix, shown):
    """The matrix in the track's header turns and mirrors what is shown."""
    data = bytearray(film[0].read_bytes())
    begin = data.index(b"tkhd") + 44
    one = 1 << 16
    a, b, c, d = (round(value * one) for value in matrix)
    data[begin : begin + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path = tmp_path / "turned.mp4"
    path.write_bytes(data)
    with VideoReader(film[0]) as reader:
        _, plain = list(reader.frames(0, 2.1))[-1]
    with VideoReader(path) as reader:
        _, frame = list(reader.frames(0, 2.1))[-1]
        half = (reader.size[0] // 2, reader.size[1] // 2)
        _, small = list(reader.frames(0, 2.1, size=half))[-1]
        assert frame.shape[:2] == reader.size and small.shape[:2] == half
    if shown is not None:
        np.testing.assert_array_equal(frame, shown(plain))
        wanted = shown(plain[::2, ::2]).astype(int)
        assert np.abs(small.astype(int) - wanted).mean() < 20


@pytest.mark.parametrize("container", ["mp4", "matroska", "mov", "mpegts", "webm"])
def test_picture_times_are_those_of_the_pictures(video, tmp_path, container):
    """Without decoding where packets tell; to a microsecond, pictures out of order and all."""
    path = tmp_path / f"film.{container}"
    if container == "webm":
        with VideoWriter(str(path), 25, 48, 64) as writer:
            for index in range(NUM_FRAMES):
                writer.write(np.full((48, 64, 3), index, np.uint8))
    else:
        remux(video[0], path, container)
    with VideoReader(path) as reader:
        times = reader.picture_times()
        decoded = [round(time * 1e6) for time, _ in reader.frames()]
    assert len(times) == NUM_FRAMES
    np.testing.assert_array_equal(times, decoded)


def test_a_name_with_a_colon_is_no_protocol(film, tmp_path, monkeypatch):
    (tmp_path / "10:30:00.mp4").write_bytes(film[0].read_bytes())
    monkeypatch.chdir(tmp_path)
    with VideoReader("10:30:00.mp4") as reader:
        assert len(_read(reader)[1]) == NUM_FRAMES


@pytest.mark.parametrize("file_format", ["png", "jpeg", "bmp", "webp", "tiff"])
@pytest.mark.parametrize("extension", ["picture", "mp4"])
def test_a_picture_is_no_film(tmp_path, file_format, extension):
    path = tmp_path / f"a.{extension}"
    picture = Image.fromarray(np.full((48, 64, 3), 90, np.uint8))
    picture.save(path, {"picture": file_format}.get(extension, file_format))
    with pytest.raises(UserError, match=f"a.{extension}: (is a picture|cannot be read as video)"):
        VideoReader(path)


def test_truncated_video_gives_what_is_there(film, tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(film[0].read_bytes())
    cut(path, 0.6)
    with VideoReader(path) as reader:
        times, codes = _read(reader)
        assert 20 < len(codes) < NUM_FRAMES
        # Of the last frames, one that others were predicted from may still be there.
        np.testing.assert_allclose(times, film[1][codes], atol=1e-6)
        assert codes[:-8] == list(range(len(codes) - 8))
        assert reader.error.startswith("truncated: the video ends at") and reader.ended
        last = times[-1]
        assert reader.end_time == pytest.approx((last + 1 / float(NTSC_FILM)) * 1e6, abs=2)
        # Past what is there: nothing but, for the nearest frame, the last one.
        assert _read(reader, last + 1)[1] == []
        assert [
            read_code(reader.to_rgb(picture))
            for _, picture in reader.span(round((last + 1) * 1e6), round((last + 2) * 1e6))
        ] == [codes[-1]]
        assert reader.error


def test_index_at_the_end_cut_off_is_one_error(film, tmp_path):
    path = tmp_path / "film.mp4"
    remux(film[0], path, "mp4")
    cut(path, 0.8)
    with pytest.raises(UserError, match="film.mp4: cannot be read as video"):
        VideoReader(path)


def test_damage_in_the_middle_does_not_raise(film, tmp_path):
    data = bytearray(film[0].read_bytes())
    middle = len(data) * 2 // 3
    data[middle : middle + 400] = bytes(400)
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    with VideoReader(path) as reader:
        times, _ = _read(reader)
        assert 20 < len(times) <= NUM_FRAMES and np.all(np.diff(times) > 0)
        assert reader.ended or reader.error
        assert _read(reader, 0, 0.5)[1] == list(range(12))


@pytest.mark.parametrize(
    "content,expected",
    [(None, "no such file"), (b"", "cannot be read"), (b"not a video " * 100, "cannot be read")],
)
def test_what_is_no_video_is_one_line(tmp_path, content, expected):
    path = tmp_path / "film.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=expected) as error:
        VideoReader(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_sound_alone_is_no_video(tmp_path):
    import av

    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(UserError, match="no video stream"):
        VideoReader(path)


def _write_folder(folder, numbers, extension="png", size=(48, 160)):
    folder.mkdir()
    for number in numbers:
        Image.fromarray(coded_frame(number, *size)).save(folder / f"film_{number:06d}.{extension}")
    return folder


def test_folder_equals_the_video_it_was_dumped_from(tmp_path):
    path = tmp_path / "film.mp4"
    write_coded_video(path, 30, 70)
    folder = tmp_path / "film"
    folder.mkdir()
    with VideoReader(path) as reader:
        for number, (_, frame) in enumerate(reader.frames()):
            Image.fromarray(frame).save(folder / f"film_{number + 1:06d}.png")
        with VideoReader(folder) as dumped:
            assert (dumped.size, dumped.frame_rate) == (reader.size, reader.frame_rate)
            assert dumped.duration == pytest.approx(reader.duration)
            for span in ((None, None), (0.5, 1.1), (2.0, 9.0), (-1, 0.1)):
                ours, theirs = list(dumped.frames(*span)), list(reader.frames(*span))
                assert [time for time, _ in ours] == pytest.approx([time for time, _ in theirs])
                for (_, one), (_, other) in zip(ours, theirs, strict=True):
                    np.testing.assert_array_equal(one, other)
            for start, end in ((-(10**6), 10**5), (10**6, 1_510_000), (3 * 10**6, 4 * 10**6)):
                assert [time for time, _ in dumped.span(start, end)] == [
                    time for time, _ in reader.span(start, end)
                ]


def test_numbers_are_times(tmp_path):
    ten = FrameSettings(folder_frame_rate=10)
    with VideoReader(_write_folder(tmp_path / "one", [1, 2, 5, 9]), frame_settings=ten) as reader:
        times, codes = _read(reader)
        np.testing.assert_allclose(times, [0, 0.1, 0.4, 0.8])
        assert codes == [1, 2, 5, 9] and reader.duration == pytest.approx(0.9)
    with VideoReader(_write_folder(tmp_path / "zero", [0, 1]), frame_settings=ten) as reader:
        np.testing.assert_allclose(_read(reader)[0], [0, 0.1])
    with VideoReader(_write_folder(tmp_path / "later", [3, 4]), frame_settings=ten) as reader:
        np.testing.assert_allclose(_read(reader)[0], [0.2, 0.3])


def test_broken_frame_ends_the_folder(tmp_path):
    folder = _write_folder(tmp_path / "film", range(1, 9), "jpg")
    cut(folder / "film_000005.jpg", 0.5)
    with VideoReader(folder) as reader:
        assert _read(reader)[1] == [1, 2, 3, 4]
        assert "film_000005.jpg" in reader.error
    odd = _write_folder(tmp_path / "odd", [1, 2])
    Image.fromarray(coded_frame(3, 50, 160)).save(odd / "film_000003.png")
    with VideoReader(odd) as reader:
        assert _read(reader)[1] == [1, 2]
        assert "50x160" in reader.error and "48x160" in reader.error


def test_folders_that_are_no_frames(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="without numbered"):
        VideoReader(tmp_path / "empty")
    folder = _write_folder(tmp_path / "twice", [1])
    (folder / "a1.jpg").write_bytes((folder / "film_000001.png").read_bytes())
    with pytest.raises(UserError, match="same number"):
        VideoReader(folder)


def test_a_pipe_that_nobody_writes_into_ends(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: no data for 0.2 seconds"):
        VideoReader(tmp_path / "pipe", wait_seconds=0.2)


def test_a_camera_that_stops_ends(film, tmp_path):
    """What came till then is there, and a line says why there is no more."""
    stream, pipe = tmp_path / "film.ts", tmp_path / "pipe"
    remux(film[0], stream, "mpegts")
    os.mkfifo(pipe)
    over = threading.Event()

    def feed():
        with open(pipe, "wb") as file:
            file.write(stream.read_bytes()[: stream.stat().st_size * 2 // 3])
            file.flush()
            over.wait(30)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        with VideoReader(pipe, wait_seconds=1) as reader:
            _, codes = _read(reader)
            assert 50 < len(codes) < NUM_FRAMES and codes[:-8] == list(range(len(codes) - 8))
            assert reader.error.startswith("no data for 1 seconds after ") and not reader.ended
    finally:
        over.set()
        feeder.join(10)


def test_a_server_that_stops_ends(film, tmp_path):
    stream = tmp_path / "film.ts"
    remux(film[0], stream, "mpegts")
    data, over = stream.read_bytes(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data[: len(data) * 2 // 3])
            self.wfile.flush()
            over.wait(30)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/film.ts"
        with VideoReader(address, wait_seconds=1) as reader:
            assert len(_read(reader)[1]) > 50
            assert "no data for 1 seconds" in reader.error
    finally:
        over.set()
        server.shutdown()
