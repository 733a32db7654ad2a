"""What is measured, how it is split, and what config comes of it."""

import json

import numpy as np
import pytest

from avatx import config, dispatch
from avatx.data.annotations.ava_csv import read_annotations
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.project.anchors import fit_anchors, iou_with
from avatx.project.choices import choose_clip
from avatx.project.create import FILES, create_project
from avatx.project.machine import Machine
from avatx.project.measures import VideoFacts, measure
from avatx.project.split import split_table

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
    with pytest.raises(UserError, match="holds a pipeline.config"):
        make(videos)
    make(videos, overwrite=True, from_scratch=True)
    loaded = config.load(str(videos / "out" / "pipeline.config"))
    assert loaded.train_config.fine_tune_checkpoint == ""


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
        file.write(line + "\n" + "video_id,timestamp,x1,y1,x2,y2,action,person\n")
    with pytest.raises(UserError, match=said) as error:
        make(videos)
    assert "1 more bad rows" in str(error.value)
    assert not (videos / "out").exists()
    told = []
    project = make(videos, skip_bad_rows=True, log=told.append)
    assert "2 bad rows are left out, the first at line 46" in told[0]
    assert len(project.split.train) + len(project.split.val) == 45


@pytest.mark.parametrize(
    "options, said",
    [
        ({"validation_share": 1.0}, "validation_share 1"),
        ({"weights": "nowhere/i3d"}, "there is no nowhere/i3d.index"),
        ({"label_map": "nowhere.pbtxt"}, "nowhere.pbtxt"),
    ],
)
def test_a_mistake_leaves_nothing(videos, options, said):
    with pytest.raises(UserError, match=said):
        make(videos, **options)
    assert not (videos / "out").exists()


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
