"""Which file is the video of an id, and what tells a changed one."""

import os
import shutil

import pytest
from PIL import Image

from avatx.data.video.frame_source import frame_files
from avatx.data.video.video_folder import VideoFolder, identity
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_times import VideoTimes
from avatx.errors import UserError


def touch(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_a_video_is_known_by_its_name_without_extension(tmp_path):
    paths = {
        "a": touch(tmp_path / "one/a.mp4"),
        "b": touch(tmp_path / "one/b.MKV"),
        "c.d": touch(tmp_path / "two/c.d.webm"),
        "deep/e": touch(tmp_path / "two/deep/e.avi"),
    }
    touch(tmp_path / "one/f.txt")
    touch(tmp_path / "two/g/img_1.jpg")  # a folder of frames
    folder = VideoFolder([str(tmp_path / "one"), str(tmp_path / "two")])
    assert {video_id: folder.find(video_id) for video_id in paths} == paths
    assert folder.find("g") == str(tmp_path / "two/g")
    for absent in ("f", "c", "e", "deep/x", "none/e", "a.mp4"):
        assert folder.find(absent) is None


@pytest.mark.parametrize("other", ["one/a.mkv", "two/a.mp4", "two/a/img_1.jpg"])
def test_two_videos_of_one_id_are_refused(tmp_path, other):
    touch(tmp_path / "one/a.mp4")
    touch(tmp_path / other)
    touch(tmp_path / "two/b.mp4")
    folder = VideoFolder([str(tmp_path / "one"), str(tmp_path / "two")])
    with pytest.raises(UserError, match="video 'a' is there 2 times: .*; keep one"):
        folder.find("a")
    assert folder.find("b")


def test_a_folder_has_to_be_there(tmp_path):
    with pytest.raises(UserError, match="no such folder of videos"):
        VideoFolder([str(tmp_path / "absent")])


def test_identity_changes_with_length_and_time(tmp_path):
    path = touch(tmp_path / "a.mp4", b"12345")
    os.utime(path, ns=(0, 7_000))
    first = identity(path)
    assert first["bytes"] == 5
    os.utime(path, ns=(0, 9_000_000_000))
    assert identity(path) != first
    for number, modified in ((1, 3_000), (2, 8_000)):
        os.utime(touch(tmp_path / f"frames/{number}.jpg", b"ab"), ns=(0, modified))
    assert identity(str(tmp_path / "frames")) == {"files": 2, "bytes": 4, "modified": 8_000}


def test_a_broken_link_has_an_identity_and_one_line(tmp_path):
    touch(tmp_path / "frames/000001.jpg")
    for target, name in (("/nowhere/x.mp4", "a.mp4"), ("b.mp4", "b.mp4")):
        os.symlink(target, tmp_path / name)
        assert identity(str(tmp_path / name)) == {"bytes": None, "modified": None}
        with pytest.raises(UserError, match=f"{name}: is a link to {target}, which is not there"):
            VideoReader(tmp_path / name)
    alone = identity(str(tmp_path / "frames"))
    os.symlink("/nowhere/x.jpg", tmp_path / "frames/000002.jpg")
    os.symlink("000003.jpg", tmp_path / "frames/000003.jpg")
    assert identity(str(tmp_path / "frames"))["files"] == 3 != alone["files"]
    assert frame_files(str(tmp_path / "frames")) == [(1, "000001.jpg")]


def test_a_date_is_no_number_of_a_frame(tmp_path):
    picture = Image.new("RGB", (8, 8))
    for name in ("20230101120000123456.jpg", "20230101120000.jpg"):
        (tmp_path / "frames").mkdir()
        picture.save(tmp_path / "frames" / name)
        with pytest.raises(UserError, match=f"{name}: its number is no frame's"):
            VideoReader(tmp_path / "frames")
        shutil.rmtree(tmp_path / "frames")


@pytest.mark.parametrize(
    "asked, said",
    [
        ("Film 1.mp4", "did you mean 'Film 1'?"),
        ("film 1", "did you mean 'Film 1'?"),
        (" Film 1 ", "did you mean 'Film 1'?"),
        ("videos/Film 1.MP4", "did you mean 'Film 1'?"),
        ("C:\\mine\\Film 1.mp4", "did you mean 'Film 1'?"),
        ("e\u0301te\u0301", "did you mean '\u00e9t\u00e9'?"),
        ("frames.mp4", "did you mean 'frames'?"),
        ("other", "there is 'Film 1', 'a.b', 'frames', ... in "),
    ],
)
def test_what_is_there_in_place_of_a_video(tmp_path, asked, said):
    for name in ("Film 1.mp4", "\u00e9t\u00e9.mkv", "a.b.mp4", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "frames").mkdir()
    folder = VideoFolder([str(tmp_path)])
    assert folder.find(asked) is None
    assert said in folder.hint(asked)
    assert f"unknown video {asked!r}; {said}" in VideoTimes([str(tmp_path)]).problem(asked, 1.0)


def test_a_folder_without_any_video(tmp_path):
    assert VideoFolder([str(tmp_path)]).hint("film") == f"; there is no video in {tmp_path}"
