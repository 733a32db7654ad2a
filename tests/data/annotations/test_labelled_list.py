"""Which clip carries which label: csv, Kinetics' csv, folders, lists of names."""

import pytest

from avatx.data.annotations.labelled_list import read_class_names, read_csv, read_folders
from avatx.errors import UserError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return str(path)


def spans(clips):
    return [(clip.video_id, clip.label, clip.start, clip.end) for clip in clips]


@pytest.mark.parametrize("heading", ["", "file,label,start,end\n", "\ufefffile,label,start,end\n"])
def test_csv(tmp_path, heading):
    paths = [touch(tmp_path / "a.mp4"), touch(tmp_path / "in" / "b.webm")]
    path = tmp_path / "rows.csv"
    path.write_text(
        heading + 'a.mp4,"playing, badly",1.5,3\n\nin/b.webm,bend,,\nin/b.webm,bend,2\nc.mp4,bend\n'
    )
    clips = read_csv(str(path))
    assert spans(clips) == [
        ("a", "playing, badly", 1_500_000, 3_000_000),
        ("in/b", "bend", 0, None),
        ("in/b", "bend", 2_000_000, None),
        ("c", "bend", 0, None),
    ]
    assert [clip.path for clip in clips] == [paths[0], paths[1], paths[1], None]


def test_columns_go_by_the_heading_and_videos_by_their_folders(tmp_path):
    there = touch(tmp_path / "second" / "a.mp4")
    (tmp_path / "first").mkdir()
    path = tmp_path / "rows.csv"
    path.write_text("label,end,file\nbend,2,a.mp4\n")
    (clip,) = read_csv(str(path), [str(tmp_path / "first"), str(tmp_path / "second")])
    assert (clip.path, clip.start, clip.end) == (there, 0, 2_000_000)


def test_kinetics_own_csv(tmp_path):
    cut = touch(tmp_path / "v" / "playing cricket" / "-abc_000010_000020.mp4")
    other = touch(tmp_path / "v" / "bending_metal" / "x_y_000000_000010.mkv")
    whole = touch(tmp_path / "v" / "long.mp4")
    path = tmp_path / "train.csv"
    path.write_text(
        "label,youtube_id,time_start,time_end,split\n"
        '"playing cricket",-abc,10,20,train\n"bending metal",x_y,0,10,train\n'
        '"bending metal",long,5,15,train\n"bending metal",gone,5,15,train\n'
    )
    clips = read_csv(str(path), [str(tmp_path / "v")])
    assert [clip.path for clip in clips] == [cut, other, whole, None]
    assert [(clip.start, clip.end) for clip in clips] == [
        (0, None),
        (0, None),
        (5_000_000, 15_000_000),
        (0, None),
    ]
    assert clips[3].video_id == "gone_000005_000015"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "no row"),
        ("file,label\n", "no row"),
        (
            "path,class\na.mp4,x\n",
            "line 1: the heading path,class is not known; expected file,label",
        ),
        ("file,class,start,end\na.mp4,x,0,1\n", "line 1: the heading file,class,start,end is not"),
        ("a.mp4\n", "line 1: 1 columns"),
        ("a.mp4;x\n", "separated by ';' (expected commas)"),
        ("file\tlabel\na.mp4\tx\n", "separated by tabs (expected commas)"),
        ("a.mp4,x,1,2,3\n", "line 1: 5 columns"),
        ("a.mp4,x\nb.mp4,\n", "line 2: label is empty"),
        (",x\n", "line 1: file is empty"),
        ("a.mp4,x,one\n", "line 1: start is 'one'"),
        ("a.mp4,x,-1\n", "line 1: start is '-1'"),
        ("a.mp4,x,nan\n", "line 1: start is 'nan'"),
        ("a.mp4,x,0,inf\n", "line 1: end is 'inf'"),
        ("a.mp4,x,3,3\n", "line 1: start 3 is not before end 3"),
        ('a.mp4,x\nb.mp4,"x" y\n', "line 2: not csv"),
        ('a.mp4,x\nb.mp4,"x\n', "line 2: not csv"),
        ('a.mp4,"x\ny"\nb.mp4,\n', "line 3: label is empty"),
        ("a.mp4,x\na.mp4,y\n", "line 2: a from 0 s is on line 1 already"),
        ("label,youtube_id,time_end\nx,a,3\n", "line 1: no column time_start"),
        ("label,youtube_id,time_start,time_end\nx,a,,3\n", "line 2: time_start is empty"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_csv(str(path))
    assert str(path) in str(error.value) and message in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_no_csv(tmp_path):
    with pytest.raises(UserError, match="none.csv: cannot be read"):
        read_csv(str(tmp_path / "none.csv"))
    (tmp_path / "video.mp4").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="video.mp4: not"):
        read_csv(str(tmp_path / "video.mp4"))


def test_folders(tmp_path):
    paths = [touch(tmp_path / "bend" / "1.mp4"), touch(tmp_path / "hand wave" / "2.avi")]
    touch(tmp_path / "bend" / "notes.txt")
    touch(tmp_path / ".hidden" / "3.mp4")
    touch(tmp_path / "4.mp4")
    (tmp_path / "empty").mkdir()
    clips = read_folders(str(tmp_path))
    assert [clip.path for clip in clips] == paths
    assert spans(clips) == [("bend/1", "bend", 0, None), ("hand wave/2", "hand wave", 0, None)]
    with pytest.raises(UserError, match="empty: no video in any sub-folder"):
        read_folders(str(tmp_path / "empty"))
    with pytest.raises(UserError, match="nowhere: no such folder"):
        read_folders(str(tmp_path / "nowhere"))


def test_two_files_of_one_name_are_refused(tmp_path):
    for name in ("1.avi", "1.mp4", "2.mp4"):
        touch(tmp_path / "bend" / name)
    with pytest.raises(UserError, match=r"bend: 1\.avi and 1\.mp4 .*bend/1.*; rename") as error:
        read_folders(str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_plain_list_of_names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("abseiling\nair drumming\n\n")
    assert read_class_names(str(path)).names == {1: "abseiling", 2: "air drumming"}
    for text, message in (
        ("", "empty"),
        ("a\n\nb\n", "line 2"),
        ("a\na\n", "line 2: 'a' is on line 1"),
        ('item {\n name: "a"', "line 1.*pbtxt"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            read_class_names(str(path))
