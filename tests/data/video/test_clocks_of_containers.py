"""Every picture comes, at its time, whatever the container's clock does.

The files are made here; those of `shared/data/real_files` are read as well where they are.
"""

import os
import pathlib
import sys

import numpy as np
import pytest
from coded_video import encode, encoded_packets, read_code, write_packets

from avatx.data.video.picture_clock import PictureClock
from avatx.data.video.reading_event import in_words
from avatx.data.video.video_reader import VideoReader

REAL_FILES = pathlib.Path(__file__).parents[4] / "shared" / "data" / "real_files"
PYRAMID = {
    "x264-params": "bframes=4:b-pyramid=normal:open-gop=1:keyint=24:min-keyint=12:scenecut=0"
}


def check_every_picture(path, num_pictures, read=read_code, first=0):
    """All of them, 40 ms apart, and the same ones in spans; returns what was noted."""
    with VideoReader(path) as reader:
        times, codes = [], []
        for time, frame in reader.frames():
            times.append(time)
            codes.append(read(frame))
        assert codes == list(range(first, first + num_pictures))
        np.testing.assert_allclose(times, np.arange(num_pictures) / 25, atol=1.1e-3)
        assert reader.error is None and reader.ended
        assert reader.end_time == pytest.approx(num_pictures * 40_000, abs=2000)
        events = set(reader.events)
        for start in (0.9, num_pictures / 25 * 0.6, num_pictures / 25 - 0.3):
            begin = round(start * 25)
            found = [
                read(frame) for _, frame in reader.frames(begin / 25 - 0.02, begin / 25 + 0.18)
            ]
            expected = range(first + begin, first + min(begin + 5, num_pictures))
            assert found == list(expected)
        return events


# Containers without presentation times, pictures out of order.


@pytest.mark.parametrize(
    "name, codec, options",
    [
        ("pyramid.avi", "libx264", PYRAMID),
        ("xvid.avi", "mpeg4", None),
        ("mpeg2.avi", "mpeg2video", None),
    ],
)
def test_avi_with_b_frames(tmp_path, name, codec, options):
    encode(tmp_path / name, codec, 120, options=options)
    assert check_every_picture(tmp_path / name, 120) == set()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv", "a.ts", "a.avi"])
def test_decoding_times_in_place_of_presentation_times(tmp_path, name):
    packets, extradata = encoded_packets("libx264", 120, max_b_frames=3)
    write_packets(tmp_path / name, "libx264", packets, extradata)
    assert check_every_picture(tmp_path / name, 120) == set()


def test_packed_b_frames(tmp_path):
    """As DivX wrote them: a P and its B in one packet, then a packet that stands for the B."""
    packets, extradata = encoded_packets("mpeg4", 100, max_b_frames=1)
    picture_begins = b"\0\0\1\xb6"

    def is_b(content):
        return content[content.index(picture_begins) + 4] >> 6 == 2

    packed, waiting = [], list(packets)
    while waiting:
        content, is_keyframe = waiting.pop(0)
        if not packed:
            at = content.index(picture_begins)
            content = content[:at] + b"\0\0\1\xb2DivX503b1393p" + content[at:]
        if waiting and is_b(waiting[0][0]):
            packed.append((content + waiting.pop(0)[0], is_keyframe))
            packed.append((picture_begins + b"\x50\xcf", False))
        else:
            packed.append((content, is_keyframe))
    assert len(packed) == 100 and len(packed[1][0]) > len(packets[1][0])
    write_packets(tmp_path / "packed.avi", "mpeg4", packed, extradata)
    assert check_every_picture(tmp_path / "packed.avi", 100) == set()


# The clock starts again.


def join(folder, name, codec, **options):
    """Two recordings of 60 and 70 pictures, one after the other in a file."""
    parts = []
    for first, number in ((0, 60), (60, 70)):
        part = folder / f"{first}_{name}"
        encode(part, codec, number, first=first, **options)
        parts.append(part.read_bytes())
    (folder / name).write_bytes(b"".join(parts))
    return folder / name


@pytest.mark.parametrize(
    "name, codec, file_format",
    [
        ("a.mpg", "mpeg1video", None),
        ("a.vob", "mpeg2video", "vob"),
        ("h264.ts", "libx264", None),
        ("mpeg2.ts", "mpeg2video", None),
    ],
)
def test_joined_recordings(tmp_path, name, codec, file_format):
    path = join(tmp_path, name, codec, file_format=file_format)
    events = check_every_picture(path, 130)
    assert [event.time for event in events if event.kind == "joint"] == [2_400_000]
    assert "its clock starts again at 2.400 s: time goes on there" in in_words(events)
    with VideoReader(path) as reader:
        assert reader.duration is None or reader.duration == pytest.approx(5.2, abs=0.05)


def test_a_clock_that_leaps_ahead_is_a_joint_too(tmp_path):
    """As of recordings of one channel, hours apart."""
    encode(tmp_path / "one.ts", "mpeg2video", 60)
    encode(tmp_path / "other.ts", "mpeg2video", 70, first=60)
    remux_later(tmp_path / "other.ts", tmp_path / "late.ts", 7200)
    joined = (tmp_path / "one.ts").read_bytes() + (tmp_path / "late.ts").read_bytes()
    (tmp_path / "a.ts").write_bytes(joined)
    events = check_every_picture(tmp_path / "a.ts", 130)
    assert [event.time for event in events if event.kind == "joint"] == [2_400_000]


def remux_later(source, target, seconds):
    import av

    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(reading.streams.video[0]):
            if packet.dts is not None:
                packet.pts += round(seconds / packet.time_base)
                packet.dts += round(seconds / packet.time_base)
                packet.stream = stream
                writing.mux(packet)


def clock(**options):
    from fractions import Fraction

    return PictureClock(Fraction(1, 1000), Fraction(40), **options)


@pytest.mark.parametrize(
    "stamps, times",
    [
        ([80, 120, 160], [80, 120, 160]),
        ([80, 120, 9000, 9040], [80, 120, 9000, 9040]),  # a gap is a gap
        ([80, 120, 0, 40, 80], [80, 120, 160, 200, 240]),  # begins again
        ([80, 120, 120, 160], [80, 120, 160, 200]),  # the same twice
        ([80, 120, 0, 200, 240], [80, 120, 160, 200, 240]),  # one stamp is wrong
        ([80, 120, 0, 40, 240, 280], [80, 120, 160, 200, 240, 280]),  # two are
        ([None, None, None], [0, 40, 80]),  # no clock at all
        ([80, None, 160], [80, 120, 160]),
    ],
)
def test_times_by_hand(stamps, times):
    joints = []
    mending = clock(on_joint=joints.append)
    assert [mending.mended(stamp) for stamp in stamps] == times
    assert joints == []  # none was more than a second away


def test_joints_by_hand():
    joints = []
    mending = clock(leaps=True, on_joint=joints.append)
    stamps = [0, 40, 60_000, 60_040, 5_000, 5_040, 15_040, 25_041]
    assert [mending.mended(stamp) for stamp in stamps] == [
        0, 40, 80, 120, 160, 200, 10_200, 10_240,
    ]  # fmt: skip
    assert joints == [80, 160, 10_240]


# Damage.


def test_a_lost_packet_of_a_transport_stream_costs_its_pictures_alone(tmp_path):
    path = tmp_path / "a.ts"
    encode(path, "libx264", 150)
    data = path.read_bytes()
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    pid = 0x100
    of_video = [
        n for n, one in enumerate(packets) if (one[1] & 0x1F) << 8 | one[2] == pid and one[3] & 0x10
    ]
    del packets[of_video[len(of_video) // 2]]
    path.write_bytes(b"".join(packets))
    with VideoReader(path) as reader:
        found = [(time, read_code(frame)) for time, frame in reader.frames()]
        assert reader.ended and reader.error is None
        damaged = [event for event in reader.events if event.kind == "damaged"]
    codes = [code for _, code in found]
    assert len(found) > 130 and codes[:50] == list(range(50))
    assert found[-1] == (pytest.approx(149 / 25, abs=1e-3), 149)
    assert damaged and "damaged packet" in in_words(damaged)[0]


def test_damage_in_the_middle_of_a_file_ends_nothing(tmp_path):
    path = tmp_path / "a.mp4"
    encode(path, "mpeg4", 150)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    with VideoReader(path) as reader:
        found = [(time, read_code(frame)) for time, frame in reader.frames()]
        assert found[-1] == (pytest.approx(149 / 25, abs=1e-3), 149)
        assert reader.ended and reader.error is None


# Where time 0 is.


def test_a_cut_that_keeps_its_clock_is_not_truncated(tmp_path):
    """As `ffmpeg -ss 1.24 -c copy -copyts`: the header's duration counts from the clock's 0."""
    encode(tmp_path / "a.mp4", "libx264", 104)
    remux_later(tmp_path / "a.mp4", tmp_path / "cut.mkv", 1.24)
    assert check_every_picture(tmp_path / "cut.mkv", 104) == set()
    with VideoReader(tmp_path / "cut.mkv") as reader:
        assert reader.duration == pytest.approx(4.16)
    cut = (tmp_path / "cut.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(cut[: len(cut) // 2])
    with VideoReader(tmp_path / "cut.mkv") as reader:
        list(reader.frames())
        assert reader.error.startswith("truncated: the video ends at")


@pytest.mark.parametrize("late, words", [(1.5, "--video_start_seconds 1.5"), (0.04, "")])
def test_sound_before_the_first_picture_is_told(tmp_path, late, words):
    import av

    encode(tmp_path / "a.mp4", "libx264", 30)
    path = tmp_path / "late.mkv"
    with av.open(str(tmp_path / "a.mp4")) as reading, av.open(str(path), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        sound = writing.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 8000, number * 800
            writing.mux(sound.encode(frame))
        for packet in reading.demux(reading.streams.video[0]):
            if packet.dts is not None:
                packet.pts += round(late / packet.time_base)
                packet.dts += round(late / packet.time_base)
                packet.stream = stream
                writing.mux(packet)
    with VideoReader(path) as reader:
        assert next(reader.frames())[0] == 0
        told = in_words(reader.events)
    assert [words in line for line in told] == ([True] if words else [])


def test_a_title_in_any_encoding(tmp_path):
    import av

    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Cafe Zzzz"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    assert data.count(b"Cafe Zzzz") == 1
    path.write_bytes(data.replace(b"Cafe Zzzz", b"Caf\xe9 Z\xfc\xdf\xff"))
    with VideoReader(path) as reader:
        assert len(list(reader.frames())) == 5


# The project's real files.


@pytest.mark.skipif(not REAL_FILES.is_dir(), reason="needs ../shared/data/real_files")
@pytest.mark.parametrize(
    "name, num_pictures, first",
    [
        ("bframes_h264.avi", 200, 0),
        ("joined.mpg", 200, 0),
        ("cut.mkv", 104, 96),
        ("raw.h264", 200, 0),
        ("latin1.avi", 100, 0),
    ],
)
def test_real_files(name, num_pictures, first, monkeypatch):
    monkeypatch.syspath_prepend(os.fspath(REAL_FILES))
    monkeypatch.delitem(sys.modules, "read_number", raising=False)
    from read_number import read_number

    check_every_picture(REAL_FILES / name, num_pictures, read_number, first)
