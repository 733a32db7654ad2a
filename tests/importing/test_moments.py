"""At which moment of its video an annotated frame is."""

import numpy as np
import pytest
from made_exports import (
    SEQINFO,
    imported_coco,
    imported_cvat,
    imported_via,
    of_coco,
    of_cvat,
    write_video,
)
from PIL import Image

from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.importing.read import read_export


def write_slow_then_fast(path, num=30):
    """A second a frame for ten frames, then ten frames a second; the times."""
    times = np.concatenate([np.arange(10.0), 10 + np.arange(num - 10) / 10])
    with VideoWriter(str(path), 10, 48, 64) as writer:
        for time in times:
            writer.write(np.zeros((48, 64, 3), np.uint8), time=time)
    return times


@pytest.mark.parametrize("tool", ["cvat", "cvat with a step", "coco", "mot"])
def test_a_frame_of_a_video_of_variable_rate_is_at_its_own_time(tmp_path, tool):
    """Two seconds of it, one of a slow part and one of a fast one."""
    (tmp_path / "videos").mkdir()
    shown = write_slow_then_fast(tmp_path / "videos" / "a.mp4")
    videos, frames = [str(tmp_path / "videos")], (4, 24)
    if tool == "coco":
        data = of_coco(frames, 10, listed=range(30))
        result = imported_coco(tmp_path, data, videos=videos)
    elif tool == "mot":
        (tmp_path / "seqinfo.ini").write_text(SEQINFO.replace("MOT16-99", "a"))
        (tmp_path / "gt.txt").write_text(
            "".join(f"{frame + 1},4,11,6,20,40,1,1,1\n" for frame in frames)
        )
        result = read_export(str(tmp_path / "gt.txt"), videos=videos)
    else:
        step = {"size": 8, "frame_filter": "step=4"} if "step" in tool else {"size": 30}
        part = of_cvat(frames, stop_frame=29, **step)
        result = imported_cvat(tmp_path, [part], videos=videos, frame_rate=None)
    np.testing.assert_allclose(result.table.timestamp, shown[[4, 24]], atol=1e-4)
    # Whoever gives a rate has it.
    export = next(path for path in tmp_path.iterdir() if path.name in EXPORTS)
    given = read_export(str(export), videos=videos, frame_rate=10, every=0)
    assert given.table.timestamp.tolist() == [0.4, 2.4]


EXPORTS = ("annotations.xml", "coco.json", "gt.txt")


def test_keyframes_of_a_video_of_variable_rate_are_seconds_apart(tmp_path):
    (tmp_path / "videos").mkdir()
    write_slow_then_fast(tmp_path / "videos" / "a.mp4", 61)
    part = of_cvat(range(61), size=61, stop_frame=60)
    result = imported_cvat(tmp_path, [part], videos=[str(tmp_path / "videos")], frame_rate=None)
    np.testing.assert_allclose(result.table.timestamp, np.arange(16), atol=0.101)


def write_frames(folder, numbers):
    folder.mkdir(parents=True)
    for number in numbers:
        Image.new("RGB", (64, 48), (number, 0, 0)).save(folder / f"{number:06d}.png")


@pytest.mark.parametrize("first", [0, 1, 3])
@pytest.mark.parametrize("with_folder", [True, False])
def test_numbers_in_coco_s_names_are_those_of_a_folder_of_frames(tmp_path, first, with_folder):
    """Whatever number a folder begins with, its picture is shown when its box is said to be."""
    numbers = range(first, first + 30)
    write_frames(tmp_path / "videos" / "a", numbers)
    wanted = first + 7
    data = of_coco([wanted], 10, listed=[] if first == 3 else numbers)
    videos = [str(tmp_path / "videos")] if with_folder else []
    result = imported_coco(tmp_path, data, videos=videos)
    if first == 3 and not with_folder:  # the one image that is listed: nobody can know
        assert result.table.timestamp.tolist() == [1] and "counted from 0" in result.notes[0]
        return
    settings = FrameSettings(folder_frame_rate=10)
    with VideoReader(str(tmp_path / "videos" / "a"), frame_settings=settings) as reader:
        shown = {int(frame[0, 0, 0]): time for time, frame in reader.frames()}
    assert result.table.timestamp.tolist() == [shown[wanted]]


def test_a_frame_index_counts_from_0(tmp_path):
    data = of_coco([7], 10, listed=range(1, 30))
    for image in data["images"]:
        image["frame_index"] = image["id"]
    assert imported_coco(tmp_path, data).table.timestamp.tolist() == [0.7]


def numbered(frames, field, first, video="a", listed=()):
    """As `of_coco`; `field` has the frames' numbers, those in the file names say nothing."""
    data = of_coco(frames, 10, listed=listed)
    data["videos"][0]["name"] = video
    for image in data["images"]:
        image[field] = image["id"] + first
        image["file_name"] = "a/picture.jpg"
    return data


def both(one, other):
    """One file of two, whose videos are two."""
    for entry in (*other["images"], *other["annotations"]):
        entry["id"] += 1000
        entry.update({name: entry[name] + 1000 for name in ("image_id",) if name in entry})
    for image in other["images"]:
        image.update(video_id=2, file_name="b/picture.jpg")
    other["videos"][0]["id"] = 2
    return {
        **one,
        **{name: one[name] + other[name] for name in ("videos", "images", "annotations")},
    }


@pytest.mark.parametrize("field", ["frame_index", "frame_id", "frame"])
@pytest.mark.parametrize("first", [0, 1])
def test_the_number_of_a_video_s_frames_tells_what_a_field_counts_from(tmp_path, field, first):
    (tmp_path / "videos").mkdir()
    write_slow_then_fast(tmp_path / "videos" / "a.mp4", num=30)
    # The first frame is not listed, the last one is.
    data = numbered([7], field, first, listed=[*range(1, 30)])
    result = imported_coco(tmp_path, data, videos=[str(tmp_path / "videos")])
    if first == 0 and field == "frame_index":
        assert result.table.timestamp.tolist() == [7]
    elif first == 0:  # 1 to 29 of 30: that is what a file looks like that counts from 1, too
        assert "counted from 1" in " ".join(result.notes)
    else:
        assert result.table.timestamp.tolist() == [7] and "counted" not in " ".join(result.notes)


def test_frames_of_the_folder_tell_it_too(tmp_path):
    write_frames(tmp_path / "videos" / "a", range(1, 31))
    data = numbered([7], "frame_index", 1, listed=[29])
    result = imported_coco(tmp_path, data, videos=[str(tmp_path / "videos")])
    assert result.table.timestamp.tolist() == [0.7]


def test_a_frame_0_tells_it(tmp_path):
    data = numbered([0, 17], "frame_id", 0)
    assert imported_coco(tmp_path, data).table.timestamp.tolist() == [0, 1.7]


def test_frame_ids_from_1_on_are_taken_as_counted_from_1_and_that_is_said(tmp_path):
    result = imported_coco(tmp_path, numbered([0, 17], "frame_id", 1))
    assert result.table.timestamp.tolist() == [0, 1.7]
    assert "`frame_id` of 'a' begins with 1 and is taken as counted from 1" in result.notes[0]
    result = imported_coco(tmp_path, numbered([5, 17], "frame_id", 1))
    assert result.table.timestamp.tolist() == [0.6, 1.8]
    assert "begins with 6 and is taken as counted from 0" in result.notes[0]


@pytest.mark.parametrize("first", [0, 1])
def test_one_video_of_a_file_tells_how_the_others_are_counted(tmp_path, first):
    (tmp_path / "videos").mkdir()
    write_slow_then_fast(tmp_path / "videos" / "a.mp4", num=30)
    known = numbered([0, 29], "frame_id", first)
    data = both(known, numbered([1, 15], "frame_id", first, video="b"))
    result = imported_coco(tmp_path, data, videos=[str(tmp_path / "videos")])
    assert result.table.timestamp.tolist()[-2:] == [0.1, 1.5]
    assert "counted" not in " ".join(result.notes)


def test_numbers_in_names_are_compared_with_the_video(tmp_path):
    (tmp_path / "videos").mkdir()
    shown = write_slow_then_fast(tmp_path / "videos" / "a.mp4", num=30)
    videos = [str(tmp_path / "videos")]
    result = imported_coco(tmp_path, of_coco([7, 30], 10), videos=videos)
    np.testing.assert_allclose(result.table.timestamp, shown[[6, 29]], atol=1e-4)
    result = imported_coco(tmp_path, of_coco([7, 31], 10), videos=videos)
    assert "'a' (frame 32 of 30)" in " ".join(result.notes)
    # At another rate the frames are others, of which there may be more.
    result = imported_coco(tmp_path, of_coco([7, 31], 10), videos=videos, frame_rate=20)
    assert "end before their" not in " ".join(result.notes)


@pytest.mark.parametrize("last, said", [(29, ""), (34, "'a' (frame 35 of 30)")])
@pytest.mark.parametrize("tool", ["cvat", "coco", "mot", "via"])
def test_a_video_that_ends_before_its_annotations_is_named(tmp_path, tool, last, said):
    (tmp_path / "videos").mkdir()
    with VideoWriter(str(tmp_path / "videos" / "a.mp4"), 10, 48, 64) as writer:
        for _ in range(30):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    videos, frames = [str(tmp_path / "videos")], (0, last)
    if tool == "coco":
        result = imported_coco(tmp_path, of_coco(frames, 10), videos=videos)
    elif tool == "cvat":
        part = of_cvat(frames)
        result = imported_cvat(tmp_path, [part], videos=videos, frame_rate=None)
    elif tool == "mot":
        (tmp_path / "seqinfo.ini").write_text(SEQINFO.replace("MOT16-99", "a"))
        rows = [f"{frame + 1},4,11,6,20,40,1,1,1\n" for frame in frames]
        (tmp_path / "gt.txt").write_text("".join(rows))
        result = read_export(str(tmp_path / "gt.txt"), videos=videos)
    else:
        result = imported_via(tmp_path, [frame / 10 for frame in frames], videos)
        said = said and "'a' (3.40 of 3.00 s)"
    notes = [note for note in result.notes if "that end before their annotations" in note]
    assert len(notes) == bool(said) and said in " ".join(notes)


def test_images_without_a_video_are_of_the_only_one(tmp_path):
    """As CVAT has a task's frames in COCO: frame_000010.PNG."""
    data = of_coco([0, 10], 10)
    del data["videos"]
    for image in data["images"]:
        del image["video_id"]
        image["file_name"] = f"frame_{image['id']:06d}.PNG"
    folder = tmp_path / "videos"
    folder.mkdir()
    write_video(folder / "street.mp4", (48, 64), 10)
    result = imported_coco(tmp_path, data, videos=[str(folder)])
    assert result.table.video_names == ["street"] and result.table.timestamp.tolist() == [0, 1]
    assert "frames of 'street', the only one" in result.notes[0]
    write_video(folder / "other.mp4", (48, 64), 10)
    for videos in ([str(folder)], []):
        with pytest.raises(UserError, match="neither a `video_id` .*; expected VIDEO/"):
            imported_coco(tmp_path, data, videos=videos)
