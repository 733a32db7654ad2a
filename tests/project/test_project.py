"""What is measured, how it is split, and what config comes of it."""

import json
import os
import pathlib
import re
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from avatx import config, dispatch
from avatx.config import schema
from avatx.data.annotations.ava_csv import read_annotations
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.records.remote_files import match_files
from avatx.data.video.video_times import VideoTimes
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.project.anchors import fit_anchors, iou_with
from avatx.project.arguments import FRAME_RATE, NUM_FRAMES
from avatx.project.choices import choose_clip
from avatx.project.create import FILES, create_project
from avatx.project.machine import Machine
from avatx.project.measures import VideoFacts, measure
from avatx.project.split import given_split, split_table
from avatx.protos.pipeline_pb2 import PipelineConfig

CPU, GPU = Machine(0, 24 << 30), Machine(80 << 30, 100 << 30)


def table(rows, empty=()):
    """Rows of (video, second, class, person); all boxes are alike."""
    videos, times, classes, people = zip(*rows, strict=True)
    boxes = [(0.25, 0.5, 0.75, 0.6 + person / 100) for person in people]
    return AvaTable.from_columns(
        videos, times, boxes, classes, person_id=people, empty_keyframes=empty
    )


def test_iou_by_hand():
    sides, anchors = np.array([[40.0, 20.0]]), np.array([[20.0, 20.0], [40.0, 40.0]])
    np.testing.assert_allclose(iou_with(sides, np.zeros((1, 2)), anchors), [[0.5, 0.5]])
    # 10 pixels to the side: of the first anchor 20 x 10 lie in the box, of the second 40 x 20.
    np.testing.assert_allclose(
        iou_with(sides, np.array([[0.0, 10.0]]), anchors), [[200 / 1000, 800 / 1600]]
    )


def test_anchors_find_the_kinds_of_boxes():
    small, large = np.tile([[20.0, 10.0]], (50, 1)), np.tile([[160.0, 80.0]], (7, 1))
    found = fit_anchors(np.concatenate([small, large]))
    np.testing.assert_allclose(found.scales, [200**0.5, 12800**0.5])
    assert found.aspect_ratios == (0.5,)
    assert (found.mean_iou, found.lowest_iou) == (1, 1)
    wide = np.tile([[10.0, 20.0]], (50, 1))
    found = fit_anchors(np.concatenate([small, wide]))
    assert found.aspect_ratios == (0.5, 2.0) and len(found.scales) == 1


def test_measures_by_hand():
    rows = [("a", t, 1, 7) for t in (0, 1, 2, 3)] + [("a", t, 2, 8) for t in (0, 1, 6, 7, 8)]
    found = measure(table(rows, [("a", 4.0), ("a", 5.0)]), {"a": VideoFacts(100, 200, 10.0, 9.0)})
    assert (found.num_keyframes, found.num_empty_keyframes, found.keyframe_seconds) == (9, 2, 1)
    assert sorted(found.people.tolist()) == [0, 0, 1, 1, 1, 1, 1, 2, 2]
    assert found.labels == {1: 4, 2: 5}
    assert found.action_seconds == 3  # of 4, 2 and 3
    np.testing.assert_allclose(found.box_sides(100, 200)[0], [50, 200 * 0.17])


@pytest.mark.parametrize(
    "machine, video_rate, frames, rate",
    [(CPU, 5, 8, 5), (CPU, 25, 8, 25 / 6), (GPU, 25, 48, 25), (GPU, 60, 64, 30), (GPU, 5, 8, 5)],
)
def test_a_clip_covers_the_action(machine, video_rate, frames, rate):
    rows = [("a", t, 1, 7) for t in (0, 1, 4, 5)]  # 2 s and 2 s
    facts = {"a": VideoFacts(100, 200, video_rate, 9.0)}
    found = choose_clip(measure(table(rows), facts), machine)
    assert found[0] == frames and found[1] == pytest.approx(rate, abs=1e-3)


def test_the_split_is_by_video_and_keeps_classes_learnable():
    rows = [(f"v{i}", t, 1, 1) for i in range(10) for t in range(5)]
    rows += [("v3", t, 2, 1) for t in range(5)]  # of one video alone
    rows += [(f"v{i}", t, 3, 1) for i in (4, 5, 6, 7, 8) for t in range(5)]
    split = split_table(table(rows, [("v9", 7.0)]), 0.2, 2.0)
    train, val = set(split.train.video_names), set(split.val.video_names)
    assert len(train) == 8 and len(val) == 2 and not train & val
    assert "v3" in train
    assert (split.val.class_id == 3).sum() == 5  # a fifth of 25
    assert len(split.train) + len(split.val) == len(rows)
    assert len(split.train.empty_keyframes) + len(split.val.empty_keyframes) == 1


def test_one_video_is_split_by_time_with_a_gap():
    rows = [("v", t, 1, 1) for t in range(20)]
    split = split_table(table(rows), 0.25, 1.6)
    assert split.val.timestamp.tolist() == [15, 16, 17, 18, 19]
    assert split.train.timestamp.tolist() == list(range(14))  # 14 is less than 1.6 s before 15
    assert "one video" in split.told
    with pytest.raises(UserError, match="too little to split"):
        split_table(table(rows[:2]), 0.25, 1.6)


def test_both_parts_of_a_split_have_labels():
    rows = [("a", t, 1, 1) for t in range(6)]
    of_one = split_table(table(rows, [("b", 0.0), ("b", 1.0), ("a", 5.5)]), 0.2, 2.4)
    assert of_one.val.timestamp.tolist() == [5] and of_one.train.timestamp.tolist() == [0, 1, 2]
    assert of_one.train.empty_keyframes == [("b", 0.0), ("b", 1.0)]
    assert of_one.val.empty_keyframes == [("a", 5.5)]
    assert "one video with labels" in of_one.told
    # Fifty videos of which two have labels, and a share that is less than one of the two.
    many = [(f"v{i}", 0.0) for i in range(48)]
    of_two = split_table(table([*rows, ("c", 1, 1, 1)], many), 0.1, 2.4)
    assert len(of_two.val) and len(of_two.train)
    assert len(of_two.val.empty_keyframes) == 5  # a tenth of 48
    # Where the share's own place leaves nothing far enough before it, a later one may.
    late = split_table(table(rows), 0.9, 2.4)
    assert late.val.timestamp.tolist() == [3, 4, 5] and late.train.timestamp.tolist() == [0]
    with pytest.raises(UserError, match="6 moments from 0 to 5 s: too little .* 500 s, a clip"):
        split_table(table(rows), 0.2, 500.0)


def test_a_given_split_has_no_keyframe_twice():
    rows = [("a", t, 1, 1) for t in (0, 1, 2)]
    other = table([("a", 3, 1, 1), ("b", 0, 1, 1)], [("b", 1.0)])
    told = given_split(table(rows), other).told
    assert told.startswith("as it was given; 1 of its videos are trained on at other times")
    assert given_split(table(rows), table([("b", 0, 1, 1)])).told == "as it was given"
    for shared in (table([("b", 1, 1, 1)], [("a", 2.0)]), table([("a", 2, 2, 5), ("b", 1, 1, 1)])):
        with pytest.raises(UserError, match="1 of 2 keyframes are .* first 2 s of video 'a'"):
            given_split(table(rows), shared)


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in "abcde":
        with VideoWriter(str(folder / f"{name}.mp4"), 8, 96, 128) as writer:
            for i in range(32):
                writer.write(np.full((96, 128, 3), i, np.uint8))
    (tmp_path / "mine.pbtxt").write_text(
        'item { id: 1 name: "turn left" } item { id: 2 name: "sit" }'
    )
    lines = [
        f"{name},{t},0.{1 + i},0.2,0.{3 + i},0.8,{1 + i % 2},{i}"
        for name in "abcde"
        for t in (1, 2, 3)
        for i in range(3)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def make(videos, **options):
    options = {"label_map": str(videos / "mine.pbtxt"), **options}
    return create_project(
        [str(videos / "videos")], str(videos / "mine.csv"), str(videos / "out"), **options
    )


def test_a_project_from_videos_and_csv(videos, monkeypatch):
    monkeypatch.setattr("avatx.project.create.this_machine", lambda: CPU)
    project = make(videos)
    assert sorted(path.name for path in (videos / "out").iterdir()) == sorted(FILES)
    train, val = (read_annotations(videos / "out" / f"{name}.csv") for name in ("train", "val"))
    assert (len(train), len(val)) == (36, 9) and not set(train.video_names) & set(val.video_names)
    loaded = config.load(str(videos / "out" / "pipeline.config"))
    model = loaded.model.action_faster_rcnn
    assert (model.num_classes, model.clip.num_frames, model.clip.frame_rate) == (2, 8, 4)
    resizer = model.image_resizer.fixed_shape_resizer
    assert (resizer.height, resizer.width) == (96, 128)
    steps = loaded.train_config.data_augmentation_options
    # "turn left" is not what a mirrored picture shows.
    assert [step.WhichOneof("preprocessing_step") for step in steps] == ["random_crop_image"]
    assert loaded.train_config.fine_tune_checkpoint == str(videos / "out" / "weights" / "i3d")
    page = (videos / "out" / "README.md").read_text()
    assert page.count("avatx data records") == 2 and "avatx weights i3d" in page
    assert "| 1 | turn left | 24 | 6 |" in page
    assert len(project.commands) == 5
    with Image.open(videos / "out" / "choices.jpg") as picture:
        assert picture.size[0] == 1100
    assert "(choices.jpg)" in page
    with pytest.raises(UserError, match="holds pipeline.config"):
        make(videos)
    make(videos, overwrite=True, from_scratch=True)
    loaded = config.load(str(videos / "out" / "pipeline.config"))
    assert loaded.train_config.fine_tune_checkpoint == ""


@pytest.mark.parametrize("name", FILES)
def test_a_users_file_of_the_same_name_is_not_replaced(videos, name):
    (videos / "out").mkdir()
    (videos / "out" / name).write_text("mine")
    with pytest.raises(UserError, match=f"holds {name}; give a new folder or `overwrite`"):
        make(videos)
    assert (videos / "out" / name).read_text() == "mine"
    assert os.listdir(videos / "out") == [name]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "argument, name",
    [
        ("annotations", "train.csv"),
        ("validation_annotations", "val.csv"),
        ("label_map", "label_map.pbtxt"),
    ],
)
def test_what_is_read_is_never_replaced(videos, argument, name, overwrite):
    (videos / "out").mkdir()
    given = {"annotations": "mine.csv", "label_map": "mine.pbtxt"}
    (videos / "out" / name).write_text((videos / given.get(argument, "mine.csv")).read_text())
    before = (videos / "out" / name).read_text()
    os.symlink(videos / "out", videos / "link")
    given = {one: str(videos / path) for one, path in given.items()}
    given[argument] = str(videos / "link" / name)
    with pytest.raises(
        UserError, match=f"out/{name}: is one of the files that are read .`{argument}`"
    ):
        create_project(
            [str(videos / "videos")], output=str(videos / "out"), overwrite=overwrite, **given
        )
    assert (videos / "out" / name).read_text() == before


@pytest.mark.parametrize(
    "line, said",
    [
        ("a,9,0.1,0.2,0.3,0.8,1,1", "line 46: timestamp 9 s is past the end"),
        ("z,1,0.1,0.2,0.3,0.8,1,1", "line 46: unknown video 'z'"),
        ("a,1,0.5,0.2,0.3,0.8,1,1", "line 46: box inverted"),
        ("a,1,0.1,0.2,0.3,0.8,5,1", "line 46: unknown class 5"),
    ],
)
def test_a_bad_row_is_told_or_left_out(videos, line, said):
    with open(videos / "mine.csv", "a") as file:
        file.write(f"{line}\n{line[:-1]}2\n")
    with pytest.raises(UserError, match=said) as error:
        make(videos)
    assert "1 more bad rows" in str(error.value)
    assert not (videos / "out").exists()
    told = []
    project = make(videos, skip_bad_rows=True, log=told.append)
    assert "2 bad rows are left out, the first: line 46: " in told[0]
    assert len(project.split.train) + len(project.split.val) == 45


def test_why_a_video_is_not_there_is_told(videos):
    with open(videos / "mine.csv", "a") as file:
        file.write("a.mp4,1,0.1,0.2,0.3,0.8,1,1\n")
    with pytest.raises(UserError, match="line 46: unknown video 'a.mp4'; did you mean 'a'?"):
        make(videos)
    shutil.copy(videos / "videos" / "a.mp4", videos / "videos" / "a.mkv")
    with pytest.raises(UserError, match="line 1: video 'a' is there 2 times: "):
        make(videos)


@pytest.mark.parametrize("which", ["mine.csv", "val.csv"])
def test_a_bad_row_is_told_before_a_video_is_opened(videos, which, monkeypatch):
    opened = []
    monkeypatch.setattr(VideoTimes, "_measure", lambda times, path: opened.append(path))
    rows = (videos / "mine.csv").read_text()
    (videos / "val.csv").write_text(rows)
    (videos / which).write_text(f"video,time,x1,y1,x2,y2,action,person\n{rows}")
    with pytest.raises(UserError, match=f"{which}, line 1: .*looks like a header"):
        make(videos, validation_annotations=str(videos / "val.csv"))
    assert not opened


@pytest.mark.parametrize(
    "options, said",
    [
        ({"validation_share": 1.0}, "validation_share 1"),
        ({"validation_share": float("nan")}, "validation_share nan: expected"),
        ({"num_frames": 0}, "num_frames 0: expected 1 to 10000"),
        ({"num_frames": 10_001}, "num_frames 10001: expected"),
        ({"frame_rate": -1.0}, "frame_rate -1: expected 0.001 to 1000"),
        ({"frame_rate": float("nan")}, "frame_rate nan: expected"),
        ({"frame_rate": float("inf")}, "frame_rate inf: expected"),
        ({"weights": "nowhere/i3d"}, "there is no nowhere/i3d.index"),
        ({"label_map": "nowhere.pbtxt"}, "nowhere.pbtxt"),
    ],
)
def test_a_mistake_leaves_nothing(videos, options, said):
    with pytest.raises(UserError, match=said):
        make(videos, **options)
    assert not (videos / "out").exists()


def test_the_numbers_that_are_taken_are_those_of_a_config():
    (clip,) = (
        one
        for one in schema.all_messages(PipelineConfig.DESCRIPTOR)
        if one.full_name == "avatx.Clip"
    )
    for name, limits in (("num_frames", NUM_FRAMES), ("frame_rate", FRAME_RATE)):
        found = schema.range_of(clip.fields_by_name[name])
        assert (found.low, found.high) == pytest.approx(limits)


@pytest.mark.parametrize("name", ["zażółć/o two é", "q'q\"q", "st[1]* #x", "a$", "b\\c"])
def test_an_output_of_any_name_is_what_its_config_says(videos, name):
    output = str(videos / name)
    create_project([str(videos / "videos")], str(videos / "mine.csv"), output)
    loaded = config.load(f"{output}/pipeline.config")
    assert loaded.train_config.fine_tune_checkpoint == f"{output}/weights/i3d"
    assert loaded.train_input_reader.label_map_path == f"{output}/label_map.pbtxt"
    pattern = loaded.eval_input_reader.tf_record_input_reader.input_path
    assert list(pattern) == [f"{output}/records/val-*.tfrecord"]
    os.mkdir(f"{output}/records")
    for number in range(2):
        pathlib.Path(f"{output}/records/val-{number}.tfrecord").touch()
    assert len(match_files(pattern)) == 2
    readme = pathlib.Path(output, "README.md").read_text()
    for command in re.findall("^    (avatx train .*)$", readme, re.MULTILINE):
        assert f"{output}/pipeline.config" in shlex.split(command)


@pytest.mark.parametrize("name", ["a,b", "a$HOME", "${NO}", "a\nb", "\udce9", "mine.csv/x"])
def test_an_output_that_a_config_cannot_name_is_refused(videos, name, monkeypatch):
    monkeypatch.chdir(videos)
    before = sorted(path.name for path in videos.iterdir())
    for output in (name, f"new/{name}"):
        if "/x" in output and output.startswith("new"):
            continue
        with pytest.raises(UserError, match="^output .*(holds|cannot be made)") as error:
            create_project(["videos"], "mine.csv", output)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="^output '~x': holds '~'"):
        create_project(["videos"], "mine.csv", "~x")
    assert sorted(path.name for path in videos.iterdir()) == before


def test_a_line_end_in_the_name_of_the_annotations_stays_in_the_comment(videos):
    (videos / "two\nlines {.csv").write_bytes((videos / "mine.csv").read_bytes())
    create_project([str(videos / "videos")], str(videos / "two\nlines {.csv"), str(videos / "out"))
    assert "# lines {.csv.\n" in (videos / "out" / "pipeline.config").read_text()


def test_a_config_that_cannot_be_leaves_no_folder(videos, monkeypatch):
    monkeypatch.setattr("avatx.project.create.config_text", lambda *_, **__: "model { x }\n")
    with pytest.raises(UserError, match=r"new/one/pipeline.config:1.*; it is not written"):
        create_project([str(videos / "videos")], str(videos / "mine.csv"), str(videos / "new/one"))
    assert not (videos / "new").exists()


def test_a_broken_video_is_told_or_left_out(videos):
    (videos / "videos" / "b.mp4").write_bytes(b"")
    with open(videos / "mine.csv", "a") as file:
        file.write("b,2.5\n")
    with pytest.raises(UserError, match="b.mp4: cannot be read .*broken videos out by `skip_bad_r"):
        make(videos)
    told = []
    project = make(videos, skip_bad_rows=True, log=told.append)
    assert "1 videos cannot be read and are left out with their 9 rows" in told[0]
    assert f"for one {videos}/videos/b.mp4: cannot be read" in told[0]
    parts = project.split.train, project.split.val
    assert sum(map(len, parts)) == 36 and not any(part.empty_keyframes for part in parts)
    assert "b" not in project.measures.videos


@pytest.mark.parametrize(
    "box", ["0.1,0.2,0.101,0.201", "0,0,1,1", "0,0.5,1,0.501", "0.5,0,0.501,1"]
)
def test_boxes_all_of_one_extreme_shape(videos, box):
    rows = [f"{name},{t},{box},1,0" for name in "ab" for t in (1, 2)]
    (videos / "mine.csv").write_text("\n".join(rows) + "\n")
    project = make(videos)
    told = any("too small to be found" in line for line in project.told)
    assert told == (box.split(",")[1] in ("0.2", "0.5"))  # a thousandth of 96 pixels tall
    loaded = config.load(str(videos / "out" / "pipeline.config"))
    grid = loaded.model.action_faster_rcnn.first_stage_anchor_generator.grid_anchor_generator
    y1, x1, y2, x2 = (float(value) for value in np.array(box.split(","), float)[[1, 0, 3, 2]])
    area = (y2 - y1) * 96 * (x2 - x1) * 128
    sizes = [scale * grid.height for scale in grid.scales]
    assert min(sizes) == pytest.approx(area**0.5, rel=0.35)
    ratio = (x2 - x1) * 128 / ((y2 - y1) * 96)
    assert min(abs(one / ratio - 1) for one in grid.aspect_ratios) < 0.25


def test_boxes_without_an_area_in_the_csv_that_is_written(videos):
    lines = (videos / "mine.csv").read_text()
    (videos / "mine.csv").write_text(
        f"a,1,0.1,0.2,0.1001,0.2001,1,9\nb,1,0.5,0.2,0.4,0.8,1,1\n{lines}"
    )
    with pytest.raises(
        UserError, match="line 1: box without area, to the three decimals.*; 1 more"
    ):
        make(videos)
    assert len(make(videos, skip_bad_rows=True).measures.boxes) == 45
    (videos / "mine.csv").write_text("a,1,0.1,0.2,0.1001,0.2001,1,9\n")
    with pytest.raises(UserError, match="mine.csv: holds no box"):
        make(videos, skip_bad_rows=True, overwrite=True)


def test_what_cannot_be_measured_is_told(videos):
    (videos / "val.csv").write_text("e,1,0.1,0.2,0.3,0.8,1,1\ne,2\n")
    lines = (videos / "mine.csv").read_text().splitlines()
    (videos / "mine.csv").write_text("\n".join(line for line in lines if line[0] != "e") + "\n")
    project = make(videos, validation_annotations=str(videos / "val.csv"), num_frames=100)
    assert "no validation label, so that they are not measured: 2 (sit)" in project.told
    assert any("a clip lasts 12.5 s and the longest video 4.0 s" in line for line in project.told)
    for text, said in (("e,1\ne,2\n", "val.csv: holds no box"), ("a,1\n", "val.csv: holds no")):
        (videos / "val.csv").write_text(text)
        with pytest.raises(UserError, match=said):
            make(videos, validation_annotations=str(videos / "val.csv"), overwrite=True)
    (videos / "val.csv").write_text("a,1,0.1,0.2,0.3,0.8,1,1\n")
    with pytest.raises(UserError, match="^validation_annotations: 1 of 1 keyframes"):
        make(videos, validation_annotations=str(videos / "val.csv"), overwrite=True)


def coco(path, seconds):
    """An export of COCO whose boxes are at these seconds of video a."""
    images = [
        {"id": i, "file_name": f"a/{8 * one}.jpg", "width": 128, "height": 96, "video_id": 1}
        for i, one in enumerate(seconds)
    ]
    boxes = [
        {
            "id": i,
            "image_id": i,
            "category_id": 1,
            "bbox": [5, 5, 20, 30],
            "attributes": {"action": "walk"},
        }
        for i in range(len(seconds))
    ]
    path.write_text(
        json.dumps(
            {
                "videos": [{"id": 1, "name": "a", "fps": 8}],
                "categories": [{"id": 1, "name": "person"}],
                "images": images,
                "annotations": boxes,
            }
        )
    )


def test_a_mistake_in_an_export_names_the_export(videos, tmp_path):
    export = videos / "export.json"
    folders, output = [str(videos / "videos")], str(videos / "out")
    coco(export, [0, 1, 2, 3, 9])
    with pytest.raises(UserError) as error:
        create_project(folders, str(export), output)
    assert str(error.value).startswith(f"{export}: timestamp 9 s is past the end of the video")
    assert "a,0009," in str(error.value) and "line" not in str(error.value)
    told = []
    create_project(folders, str(export), output, skip_bad_rows=True, log=told.append)
    assert any(f"{export}: 1 bad rows are left out, the first: timestamp 9" in one for one in told)
    (videos / "sit.pbtxt").write_text('item { id: 1 name: "sit" }')
    with pytest.raises(
        UserError, match=r"export.json: none of its actions, 'walk', is in .*sit.pbtxt"
    ):
        create_project(
            folders, str(export), output, label_map=str(videos / "sit.pbtxt"), overwrite=True
        )


def test_a_folder_is_no_annotations(videos):
    (videos / "imported").mkdir()
    shown = (
        "annotations .*imported: is a folder; expected .* gt/gt.txt in it, or in each folder in it"
    )
    for said in (f"{shown}$", f"{shown}; give .*imported/annotations.csv$"):
        with pytest.raises(UserError, match=said):
            create_project([str(videos / "videos")], str(videos / "imported"), str(videos / "out"))
        (videos / "imported" / "annotations.csv").write_text("")
    (videos / "imported" / "gt").mkdir()
    (videos / "imported" / "gt" / "gt.txt").write_text("1,1,10,10,20,20,1\n")
    with pytest.raises(UserError, match="tools/import_annotations.py --frame_rate, whose csv"):
        create_project([str(videos / "videos")], str(videos / "imported"), str(videos / "out"))


def test_the_command(videos, capsys, monkeypatch):
    monkeypatch.chdir(videos)
    arguments = [
        "init",
        "--videos",
        "videos",
        "--annotations",
        "mine.csv",
        "--output",
        "o",
        "--json",
    ]
    assert dispatch.run(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"][0] == "o/pipeline.config"
    assert told["measured"]["num_boxes"] == 45 and told["measured"]["people_at_most"] == 3
    assert told["measured"]["videos"]["a"]["frame_rate"] == 8
    with pytest.raises(UserError, match="^--frame_rate .*: expected"):
        dispatch.run([*arguments, "--overwrite", "--frame_rate", "1e15"])
