"""Every kind of bad row is found on its line, and only those."""

import gzip

import numpy as np
import pytest

from avatx.data.annotations.csv_validation import read_durations, validate_csv
from avatx.data.annotations.label_map import LabelMap
from avatx.data.video.video_times import VideoTimes
from avatx.errors import UserError

LABEL_MAP = LabelMap({1: "bend", 12: "stand"})
GOOD = "v,0902,0.1,0.2,0.5,0.6,12"
BAD = {
    "v,0902,0.1,0.2,0.5,0.6": "6 columns",
    "v,0902,0.1,0.2,0.5,0.6,12,1,1": "9 columns",
    "v,0902,0.1,0.2,1.5,0.6,12": "outside [0, 1]",
    "v,0902,-0.1,0.2,0.5,0.6,12": "outside [0, 1]",
    "v,0902,0.5,0.2,0.1,0.6,12": "inverted",
    "v,0902,0.1,0.6,0.5,0.6,12": "without area",
    "v,0902,0.1,0.2,0.5,0.6,13": "unknown class 13",
    "v,0902,0.1,0.2,0.5,zero,12": "y2 is 'zero'",
    "v,0902,0.1,0.2,0.5,0.6,stand": "class id is 'stand'",
    "v,nine,0.1,0.2,0.5,0.6,12": "timestamp is 'nine'",
    "w,0902,0.1,0.2,0.5,0.6,12": "unknown video 'w'",
    "v,1801,0.1,0.2,0.5,0.6,12": "past the end",
    "v,1801": "past the end",
    "v,-1,0.1,0.2,0.5,0.6,12": "before the start",
    "v,902.0,0.10,0.2,0.5,0.6,12": "repeats line 1",
    "v,0902,nan,0.2,0.5,0.6,12": "not finite",
    "v,0902,0.1,0.2,0.5,0.6,12,0.9": "person id",
}


def write(tmp_path, lines):
    path = tmp_path / "a.csv"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_every_bad_row_is_reported_with_its_line(tmp_path):
    lines = [GOOD]
    for i, bad in enumerate(BAD):
        lines += ["", f"v,{903 + i},0.1,0.2,0.5,0.6,1", bad]
    result = validate_csv(write(tmp_path, lines), label_map=LABEL_MAP, durations={"v": 1800.0})
    assert [bad.line for bad in result.bad_rows] == list(range(4, len(lines) + 1, 3))
    for bad, (text, problem) in zip(result.bad_rows, BAD.items(), strict=True):
        assert bad.text == text and problem in bad.problem


def test_what_is_just_right(tmp_path):
    """The whole frame, from the first moment to the last, and the least class id."""
    lines = ["v,0,0,0,1,1,1", "v,0.0,0.2,0.2,0.200001,0.200001,1", "v,1800,0,0,1,1,1", "v,1800"]
    assert not validate_csv(write(tmp_path, lines), durations={"v": 1800.0}).bad_rows


def test_a_row_with_two_mistakes_is_reported_twice(tmp_path):
    result = validate_csv(
        write(tmp_path, ["w,1,0.5,0.2,1.5,0.1,9"]), durations={}, label_map=LABEL_MAP
    )
    assert [bad.line for bad in result.bad_rows] == [1] * 4


def test_detections(tmp_path):
    lines = [GOOD + ",0.5", GOOD + ",0.25", GOOD + ",nan", GOOD + ",high", GOOD + ",0.50"]
    result = validate_csv(write(tmp_path, lines), kind="detections")
    assert [bad.line for bad in result.bad_rows] == [3, 4, 5]


def test_statistics(tmp_path):
    lines = [
        GOOD + ",1",
        "v,0902,0.1,0.2,0.5,0.6,1,1",
        "v,0902,0.2,0.2,0.5,0.6,1,2",
        "v,903.5,0.1,0.2,0.5,0.6,1,1",
        "w,0010",
        "w,0011",
        "w,11.0",  # is reported, and the same keyframe
    ]
    (tmp_path / "b.gz").write_bytes(gzip.compress(write(tmp_path, lines).read_bytes()))
    bad_rows, statistics = validate_csv(tmp_path / "b.gz", label_map=LABEL_MAP)
    assert [bad.line for bad in bad_rows] == [7]
    assert (statistics.videos, statistics.keyframes, statistics.empty_keyframes) == (2, 4, 2)
    assert (statistics.boxes, statistics.labels) == (3, 4)
    assert statistics.labels_per_class == {1: 3, 12: 1}
    assert (statistics.first_timestamp, statistics.last_timestamp) == (10.0, 903.5)


def test_an_empty_or_absent_file_is_an_error(tmp_path):
    for path in (write(tmp_path, []), tmp_path / "absent.csv", tmp_path):
        with pytest.raises(UserError, match=str(path)):
            validate_csv(path)


def test_durations_come_from_the_videos(tmp_path):
    import av

    with av.open(str(tmp_path / "a.b.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    durations = VideoTimes([tmp_path])
    assert durations["a.b"] == pytest.approx(2.5, abs=0.11)
    assert "a" not in durations and "broken" in durations
    assert durations["broken"] is None and list(durations.broken) == [str(tmp_path / "broken.mp4")]

    rows = [f"a.b,{t},0.1,0.2,0.5,0.6,12" for t in (0, 2.3, 2.7)] + ["c,1,0.1,0.2,0.5,0.6,12"]
    path = tmp_path / "rows"
    path.write_text("\n".join(rows))
    assert [bad.line for bad in validate_csv(path, durations=durations).bad_rows] == [3, 4]


def test_durations_from_a_csv(tmp_path):
    assert read_durations(write(tmp_path, ["v,900.5", "w,3"])) == {"v": 900.5, "w": 3.0}
    for bad in ("v", "v,x", "v,1,2", "v,-3"):
        with pytest.raises(UserError, match="line 2"):
            read_durations(write(tmp_path, ["v,900.5", bad]))


def test_how_many_videos_are_left_to_open_is_said(tmp_path, monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def measure(times, path):
        now[0] += 40.0

    monkeypatch.setattr(VideoTimes, "_measure", measure)
    for name in "abc":
        (tmp_path / f"{name}.mp4").touch()
    rows = [f"{name},1,0.1,0.1,0.5,0.5,1,1" for name in "abbcz"]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    validate_csv(tmp_path / "rows.csv", durations=VideoTimes([tmp_path]))
    assert "opening: 1 of 3 videos, 0.025 a second, 80 s left\n" in capsys.readouterr().err
