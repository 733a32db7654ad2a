"""Videos as people have them: found by their ids, read as far as they go, and told about.

The check of the csv and the records say the same of every row.
"""

import os

import numpy as np
import pytest
from coded_video import coded_frame, encode, read_code, write_coded_video
from PIL import Image

from avatx.data.annotations.csv_validation import validate_csv
from avatx.data.records import record, span_reading
from avatx.data.records.ava_records import create_ava_records
from avatx.data.records.classification_records import create_classification_records
from avatx.data.records.data_statistics import describe
from avatx.data.records.manifest import summary
from avatx.data.records.record_plan import RecordSettings
from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_folder import VideoFolder
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_times import VideoTimes
from avatx.errors import UserError


def write_frames(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        Image.fromarray(coded_frame(int(name[-9:-4]))).save(folder / name)


def create(folder, rows, videos=("videos",), frames=FrameSettings(shorter_side=0), **arguments):
    (folder / "rows.csv").write_text("".join(f"{row},0.1,0.2,0.5,0.9,1\n" for row in rows))
    (folder / "labels.pbtxt").write_text('item { name: "stand" id: 1 }\n')
    return create_ava_records(
        videos=[str(folder / name) for name in videos],
        annotations=str(folder / "rows.csv"),
        label_map=str(folder / "labels.pbtxt"),
        output=str(folder / "out" / "train"),
        num_shards=1,
        settings=RecordSettings(frames, margin_seconds=0.5),
        log=lambda line: None,
        **arguments,
    )


def shown(folder, name="train"):
    """(video id, seconds) -> number of the frame that the record has for the keyframe."""
    import io

    import tensorflow as tf

    found = {}
    for path in sorted((folder / "out").glob(f"{name}-*.tfrecord")):
        for serialized in tf.data.TFRecordDataset(str(path)):
            segment = record.decode(serialized.numpy())
            for keyframe in segment.keyframes:
                nearest = int(np.argmin(np.abs(segment.timestamps - keyframe.timestamp)))
                image = np.asarray(Image.open(io.BytesIO(segment.frames[nearest])))
                found[segment.video_id, keyframe.timestamp / 1e6] = read_code(image)
    return found


def skipped(entry):
    return {
        (skip["video_id"], time): skip["reason"]
        for skip in entry["skipped"]
        for time in skip["timestamps"]
    }


@pytest.fixture
def library(tmp_path):
    """Ten seconds by their ids, at 25 frames a second; `pictures` has 30 a second, with holes."""
    videos = tmp_path / "videos"
    (videos / "sub").mkdir(parents=True)
    write_coded_video(videos / "good.mp4", 25, 100)
    encode(tmp_path / "raw.h264", "libx264", 100, options={"preset": "ultrafast"}, max_b_frames=0)
    os.rename(tmp_path / "raw.h264", videos / "camera.dav")
    encode(videos / "disc.m2v", "mpeg2video", 100)
    encode(videos / "no_ending", "mpeg2video", 100, file_format="vob")
    write_coded_video(videos / "sub" / "inner.mkv", 25, 100)
    encode(tmp_path / "one.mpg", "mpeg2video", 60)
    encode(tmp_path / "two.mpg", "mpeg2video", 60, first=60)
    (videos / "joined.mpg").write_bytes(
        (tmp_path / "one.mpg").read_bytes() + (tmp_path / "two.mpg").read_bytes()
    )
    numbers = [*range(31, 91), *range(121, 151)]  # 1 s to 3 s, and 4 s to 5 s
    write_frames(videos / "pictures", [f"img_{number:05d}.png" for number in numbers])
    for name in ("._img_00040.png", "flow_x_00040.png", "flow_y_00040.png"):
        (videos / "pictures" / name).write_bytes(b"no picture")
    (videos / "broken.mp4").write_bytes(b"no video " * 100)
    (videos / "good.txt").write_text("1 2 3")
    return tmp_path


ROWS = {
    "good,1": 25,
    "good,4": 99,  # the last frame is shown till then, and half a frame of grace
    "good,4.03": "past the end",
    "camera,2": 50,
    "camera,4.1": "past the end",
    "disc,3": 75,
    "disc,4.5": "past the end",
    "no_ending,2": 50,
    "sub/inner,1": 25,
    "sub/nothing,1": "not found",
    "joined,1": 25,
    "joined,4": 100,
    "joined,4.9": "past the end",
    "pictures,0.5": "no frame within 0.017 s",
    "pictures,1": 31,
    "pictures,2.95": 89,  # as near as can be to two frames
    "pictures,3.5": "no frame within 0.017 s",
    "pictures,4.5": 136,
    "pictures,6": "past the end",
    "broken,1": "cannot be read as video",
}


def test_every_kind_is_found_and_timed(library):
    entry = create(library, ROWS)
    found, missing = shown(library), skipped(entry)
    for row, expected in ROWS.items():
        video_id, seconds = row.split(",")
        key = video_id, float(seconds)
        if isinstance(expected, int):
            assert found[key] == expected, row
        else:
            assert expected in missing[key], row
    lines = "\n".join(summary(entry))
    assert "  joined: its clock starts again at 2.400 s: time goes on there" in lines
    assert "  pictures: the first frame is number 31, at 1.000 s; 30 of the numbers 31" in lines
    assert "img_*.png (90) are taken, flow_x_*.png (1), flow_y_*.png (1) are not" in lines
    assert "  pictures: 2 keyframes: no frame within 0.017 s of it" in lines
    assert entry["videos"]["joined"]["notes"] == [
        "its clock starts again at 2.400 s: time goes on there"
    ]


def test_the_check_of_the_csv_says_the_same(library):
    entry = create(library, ROWS)
    times = VideoTimes([str(library / "videos")])
    bad = validate_csv(library / "rows.csv", durations=times).bad_rows
    rows = [*ROWS]
    told = {
        (rows[one.line - 1].split(",")[0], float(rows[one.line - 1].split(",")[1])) for one in bad
    }
    missing = {key for key in skipped(entry) if key[0] != "broken"}
    assert told == missing
    assert [os.path.basename(path) for path in times.broken] == ["broken.mp4"]


def test_the_check_knows_videos_that_were_cut(library):
    """AVA cut to its annotated minutes: the first frame is at 900 s of the csv."""
    frames = FrameSettings(shorter_side=0, video_start_seconds=900)
    rows = ["good,899", "good,901", "good,903.92", "good,905"]
    entry = create(library, rows, frames=frames)
    assert shown(library) == {("good", 901.0): 25, ("good", 903.92): 98}
    bad = validate_csv(
        library / "rows.csv", durations=VideoTimes([str(library / "videos")], frames)
    ).bad_rows
    assert [one.line for one in bad] == [1, 4] and len(skipped(entry)) == 2
    assert "before the video's first frame, at 900 s" in bad[0].problem
    durations = {"good": 4.0}
    bad = validate_csv(
        library / "rows.csv", durations=durations, video_start_seconds=900.0
    ).bad_rows
    assert [one.line for one in bad] == [1, 4]


def test_whatever_a_library_raises_is_one_video_missing(library, monkeypatch):
    class Reader(VideoReader):
        def __init__(self, source, **arguments):
            if "disc" in str(source):
                b"\xe9".decode()
            super().__init__(source, **arguments)

    monkeypatch.setattr(span_reading, "VideoReader", Reader)
    entry = create(library, ["good,1", "disc,1", "disc,2", "camera,1"])
    assert shown(library) == {("good", 1.0): 25, ("camera", 1.0): 25}
    assert set(skipped(entry)) == {("disc", 1.0), ("disc", 2.0)}
    assert "cannot be read (UnicodeDecodeError: 'utf-8' codec" in skipped(entry)["disc", 1.0]


def test_a_pipe_is_one_video_missing(library):
    os.mkfifo(library / "videos" / "pipe.mp4")
    entry = create(library, ["good,1", "pipe,1"])
    assert skipped(entry) == {
        ("pipe", 1.0): "a pipe or a device; expected a file or a folder of frames"
    }


# Which file is the video of an id.


def test_other_files_of_an_id_are_no_videos(tmp_path):
    encode(tmp_path / "a.h264", "libx264", 5, options={"preset": "ultrafast"})
    Image.fromarray(coded_frame(3)).save(tmp_path / "a.jpg")
    for name in ("a.txt", "a.json", "a.srt", "._a.mp4", ".a.mp4", "b.txt", "c.nfo"):
        (tmp_path / name).write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    (tmp_path / "a").mkdir()  # a folder without frames
    folder = VideoFolder([str(tmp_path)])
    assert folder.find("a") == str(tmp_path / "a.h264")
    assert folder.find("a.h264") == str(tmp_path / "a.h264")
    assert folder.find("b") is None and folder.find("c") is None
    write_coded_video(tmp_path / "a.mp4", 25, 5)
    assert VideoFolder([str(tmp_path)]).find("a") == str(tmp_path / "a.mp4")
    write_frames(tmp_path / "a" / "x", ["img_00001.png"])
    os.rename(tmp_path / "a" / "x" / "img_00001.png", tmp_path / "a" / "img_00001.png")
    with pytest.raises(UserError, match="is there 2 times"):
        VideoFolder([str(tmp_path)]).find("a")


@pytest.mark.parametrize("video_id", ["../private/x", "a/../../private/x", "{}/private/x", ".."])
def test_no_id_leaves_its_folder(tmp_path, video_id):
    (tmp_path / "private").mkdir()
    (tmp_path / "videos").mkdir()
    write_coded_video(tmp_path / "private" / "x.mp4", 25, 30)
    write_coded_video(tmp_path / "videos" / "good.mp4", 25, 30)
    video_id = video_id.format(tmp_path)
    with pytest.raises(UserError, match=r"rows.csv, line 2: video id .* leads out of .*videos"):
        create(tmp_path, ["good,0", f"{video_id},0"])
    assert not (tmp_path / "out").exists()
    times = VideoTimes([str(tmp_path / "videos")])
    assert "leads out of" in times.problem(video_id, 0.0)
    os.chdir(tmp_path / "videos")
    with pytest.raises(UserError, match="leads out of"):
        VideoFolder(["."]).find(video_id)
    with pytest.raises(UserError, match="leads out of"):
        VideoFolder([".."]).find("../" + video_id)


@pytest.mark.parametrize(
    "row",
    ["../private/x.mp4,a,,", "../private/x,a,,", "{}/private/x.mp4,a,0,1", "{}/private/x,a,,"],
)
def test_no_file_of_a_labelled_list_leaves_its_folder(tmp_path, row):
    (tmp_path / "private").mkdir()
    (tmp_path / "videos").mkdir()
    write_coded_video(tmp_path / "private" / "x.mp4", 25, 30)
    path = tmp_path / "videos" / "list.csv"
    path.write_text(row.format(tmp_path) + "\n")
    with pytest.raises(UserError, match=r"list.csv, line 1: .* leads out of"):
        create_classification_records(
            annotations=str(path), output=str(tmp_path / "out" / "k"), num_shards=1
        )


def test_a_file_of_a_labelled_list_may_be_named_in_full(tmp_path):
    """As other projects' lists name them, within the folder that is given."""
    write_coded_video(tmp_path / "x.mp4", 25, 30)
    (tmp_path / "list.csv").write_text(f"{tmp_path}/x.mp4,run,,\n")
    entry = create_classification_records(
        annotations=str(tmp_path / "list.csv"), output=str(tmp_path / "out" / "k"), num_shards=1,
        log=lambda line: None,
    )  # fmt: skip
    assert entry["totals"]["records"] == 1


def test_kinetics_names_do_not_leave_either(tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "videos").mkdir()
    write_coded_video(tmp_path / "private" / "x_000000_000010.mp4", 25, 30)
    heading = "label,youtube_id,time_start,time_end,split\n"
    path = tmp_path / "videos" / "list.csv"
    for row in ("run,../private/x,0,10,train", "../private,x,0,10,train"):
        path.write_text(heading + row + "\n")
        with pytest.raises(UserError, match=r"list.csv, line 2: .* leads out of"):
            create_classification_records(
                annotations=str(path), output=str(tmp_path / "out" / "k"), num_shards=1
            )


# Folders of frames of several kinds.


def test_frames_of_the_folders_own_name_are_taken(tmp_path):
    folder = tmp_path / "film"
    write_frames(folder, ["film_00001.png", "film_00002.png", "thumb_00001.png"])
    with VideoReader(folder) as reader:
        assert [read_code(frame) for _, frame in reader.frames()] == [1, 2]


def test_frames_of_two_kinds_are_named(tmp_path):
    write_frames(tmp_path / "a", ["left_00001.png", "right_00001.png", "right_00002.png"])
    with pytest.raises(UserError) as error:
        VideoReader(tmp_path / "a")
    assert str(error.value) == (
        f"{tmp_path}/a: left_*.png (1), right_*.png (2) have the same numbers; expected frames of "
        "one kind in a folder, or names that begin with a_ or img_"
    )


def test_a_pipe_among_the_frames_is_none(tmp_path):
    write_frames(tmp_path / "a", ["img_00001.png", "img_00003.png"])
    os.mkfifo(tmp_path / "a" / "img_00002.png")
    with VideoReader(tmp_path / "a") as reader:
        assert [read_code(frame) for _, frame in reader.frames()] == [1, 3]


def test_holes_of_a_large_set_are_said_by_the_manifest(library):
    """At the start of training, where the records are too many to be read through."""
    create(library, ["good,1", "pictures,2.9"])
    pattern = str(library / "out" / "train-*.tfrecord")
    lines = dict(describe([pattern], "keyframes", scanned_bytes=0, clip=(8, 25)).lines("data"))
    noted = "1 video of which some frames are not there, see manifest.json: pictures"
    assert lines["data frames"] == noted
    lines = dict(describe([pattern], "keyframes", clip=(64, 25)).lines("data"))
    assert "are missing" in lines["data frames"] and "in pictures" in lines["data frames"]
