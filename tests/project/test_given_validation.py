"""A validation part of the user's: a csv or an export, and the ids of its classes."""

import json

import numpy as np
import pytest
from made_exports import of_coco

from avatx.data.annotations.ava_csv import read_annotations
from avatx.data.annotations.label_map import read_label_map
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.project.create import create_project


@pytest.fixture
def videos(tmp_path):
    (tmp_path / "videos").mkdir()
    for name in "ab":
        with VideoWriter(str(tmp_path / "videos" / f"{name}.mp4"), 10, 48, 64) as writer:
            for i in range(50):
                writer.write(np.full((48, 64, 3), i, np.uint8))
    return tmp_path


def export(path, video, *actions):
    data = of_coco([10 * i for i in range(len(actions))], 10)
    data["videos"][0]["name"] = video
    for image in data["images"]:
        image["file_name"] = image["file_name"].replace("a/", f"{video}/")
    for one, action in zip(data["annotations"], actions, strict=True):
        one["attributes"] = {"action": action}
    path.write_text(json.dumps(data))
    return str(path)


def make(videos, train, val, **options):
    create_project(
        [str(videos / "videos")], train, str(videos / "out"), validation_annotations=val, **options
    )
    names = read_label_map(str(videos / "out" / "label_map.pbtxt")).names
    table = read_annotations(str(videos / "out" / "val.csv"))
    return [(video, names[one]) for video, one in zip(table.video_id, table.class_id, strict=True)]


def test_an_export_has_the_ids_of_the_other_one(videos):
    train = export(videos / "train.json", "a", "sit", "walk", "walk")
    val = export(videos / "val.json", "b", "walk", "jump", "walk")  # alphabetically 2, 1, 2
    told = []
    assert make(videos, train, val, log=told.append) == [("b", "walk"), ("b", "walk")]
    assert any("'jump', which the label map lacks" in line for line in told)


def test_a_csv_and_an_export_need_a_label_map(videos):
    train = export(videos / "train.json", "a", "sit", "walk", "walk")
    (videos / "val.csv").write_text("b,1,0.1,0.1,0.5,0.9,1,1\nb,2,0.1,0.1,0.5,0.9,1,1\n")
    (videos / "map.pbtxt").write_text('item { id: 1 name: "walk" } item { id: 2 name: "sit" }')
    both = train, str(videos / "val.csv")
    for one, other in (both, both[::-1]):
        with pytest.raises(UserError, match="val.csv has ids .*train.json has names.*`label_map`"):
            make(videos, one, other)
    assert not (videos / "out").exists()
    found = make(videos, *both, label_map=str(videos / "map.pbtxt"))
    assert found == [("b", "walk"), ("b", "walk")]
