"""Small exports, each as its tool's own documentation has them, to rows worked out by hand."""

import json

import numpy as np
import pytest

from avatx.data.annotations.ava_csv import read_annotations
from avatx.data.annotations.label_map import read_label_map
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.importing.read import FILES, guess_format, read_export, write_result

# CVAT's documentation, "CVAT for video 1.1": 25 frames a second are the video's, not the file's.
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id><name>street</name><size>51</size><mode>interpolation</mode><overlap>5</overlap>
      <start_frame>0</start_frame><stop_frame>50</stop_frame>
      <labels>
        <label><name>person</name><attributes>
          <attribute><name>action</name><mutable>True</mutable><input_type>select</input_type>
            <default_value>none</default_value><values>none\nstand\nwalk</values></attribute>
          <attribute><name>phoning</name><mutable>True</mutable><input_type>checkbox</input_type>
            <default_value>false</default_value><values>false</values></attribute>
          <attribute><name>age</name><mutable>False</mutable><input_type>number</input_type>
            <default_value>1</default_value><values>1;99;1</values></attribute>
        </attributes></label>
        <label><name>car</name><attributes></attributes></label>
      </labels>
      <original_size><width>200</width><height>100</height></original_size>
      <source>street.mp4</source>
    </task>
    <dumped>2026-11-28 00:00:00</dumped>
  </meta>
  <track id="0" label="person" source="manual">
    <box frame="0" outside="0" occluded="0" keyframe="1" z_order="0"
      xtl="20" ytl="10" xbr="60" ybr="90">
      <attribute name="action">walk</attribute><attribute name="phoning">true</attribute>
      <attribute name="age">30</attribute></box>
    <box frame="10" outside="0" occluded="0" keyframe="1" z_order="0"
      xtl="30" ytl="10" xbr="70" ybr="90">
      <attribute name="action">walk</attribute><attribute name="phoning">true</attribute></box>
    <box frame="25" outside="0" occluded="1" keyframe="1" z_order="0"
      xtl="-10" ytl="10" xbr="50" ybr="95">
      <attribute name="action">stand</attribute><attribute name="phoning">false</attribute></box>
    <box frame="50" outside="1" occluded="0" keyframe="1" z_order="0"
      xtl="40" ytl="10" xbr="50" ybr="95">
      <attribute name="action">stand</attribute><attribute name="phoning">false</attribute></box>
  </track>
  <track id="1" label="car" source="manual">
    <box frame="0" outside="0" occluded="0" keyframe="1" z_order="0"
      xtl="1" ytl="1" xbr="9" ybr="9"/>
  </track>
</annotations>
"""

VIA = {
    "project": {"pid": "x", "rev": "1", "pname": "mine", "vid_list": ["1"]},
    "config": {},
    "attribute": {
        "1": {
            "aname": "action",
            "anchor_id": "FILE1_Z1_XY1",
            "type": 2,
            "options": {"0": "stand", "1": "talk to"},
            "default_option_id": "",
        },
        "2": {"aname": "person_id", "anchor_id": "FILE1_Z1_XY1", "type": 1, "options": {}},
    },
    "file": {"1": {"fid": "1", "fname": "room.mp4", "type": 4, "loc": 1, "src": ""}},
    "view": {"1": {"fid_list": ["1"]}},
    "metadata": {
        "1_a": {"vid": "1", "flg": 0, "z": [1.5], "xy": [2, 16, 8, 32, 24], "av": {"1": "0,1"}},
        "1_b": {
            "vid": "1",
            "flg": 0,
            "z": [2],
            "xy": [2, 0, 0, 16, 32],
            "av": {"1": "1", "2": "9"},
        },
        "1_c": {"vid": "1", "flg": 0, "z": [0, 2], "xy": [], "av": {"1": "1"}},
        "1_d": {"vid": "1", "flg": 0, "z": [2], "xy": [3, 9, 9, 4], "av": {"1": "1"}},
    },
}

COCO = {
    "videos": [{"id": 3, "name": "yard.mp4", "fps": 10}],
    "images": [
        {"id": i, "file_name": f"yard/{i:06d}.jpg", "width": 80, "height": 40, "video_id": 3,
         "frame_index": i}
        for i in range(21)
    ],
    "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "running"}],
    "annotations": [
        {"id": 1, "image_id": 0, "category_id": 1, "bbox": [8, 4, 16, 20], "track_id": 5,
         "iscrowd": 0, "attributes": {"action": "jump", "occluded": False}},
        {"id": 2, "image_id": 4, "category_id": 1, "bbox": [8, 4, 16, 20], "track_id": 5},
        {"id": 3, "image_id": 10, "category_id": 2, "bbox": [40, 0, 40, 40], "track_id": 6,
         "segmentation": [[1, 2, 3, 4]]},
        {"id": 4, "image_id": 10, "category_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1},
    ],
}  # fmt: skip

SEQINFO = """[Sequence]
name=MOT16-99
imDir=img1
frameRate=5
seqLength=11
imWidth=100
imHeight=50
imExt=.jpg
"""


def rows(result):
    table = result.table
    names = result.label_map.names
    return [
        (video, time, [round(float(x), 3) for x in box], names[class_id], person)
        for video, time, box, class_id, person in zip(
            table.video_id,
            table.timestamp,
            table.boxes,
            table.class_id,
            table.person_id,
            strict=True,
        )
    ]


def write_video(path, size, frame_rate):
    height, width = size
    with VideoWriter(str(path), frame_rate, height, width) as writer:
        for _ in range(3):
            writer.write(np.zeros((height, width, 3), np.uint8))


def test_cvat(tmp_path):
    path = tmp_path / "annotations.xml"
    path.write_text(CVAT)
    assert guess_format(str(path)) == "cvat"
    result = read_export(str(path), frame_rate=25)
    assert rows(result) == [
        ("street", 0, [0.1, 0.1, 0.9, 0.3], "phoning", 1),
        ("street", 0, [0.1, 0.1, 0.9, 0.3], "walk", 1),
        ("street", 1, [0.1, 0.0, 0.95, 0.25], "stand", 1),
    ]
    assert result.label_map.names == {1: "phoning", 2: "stand", 3: "walk"}
    assert result.table.empty_keyframes == [("street", 2.0)]
    assert result.lost == {
        "attribute 'age'": 1,
        "boxes between the keyframes": 1,
        "occluded of a box": 1,
        "tracks of 'car', who is no person": 1,
    }
    chosen = read_export(str(path), frame_rate=25, action_attributes=["action"])
    assert set(chosen.label_map.names.values()) == {"walk", "stand"}
    assert chosen.lost["attribute 'phoning'"] == 2


def test_via(tmp_path):
    write_video(tmp_path / "room.mp4", (32, 64), 10)
    path = tmp_path / "project.json"
    path.write_text(json.dumps(VIA))
    result = read_export(str(path), videos=[str(tmp_path)])
    expected = [
        ("room", 1.5, [0.25, 0.25, 1.0, 0.75], "stand", -1),
        ("room", 1.5, [0.25, 0.25, 1.0, 0.75], "talk to", -1),
        ("room", 2, [0.0, 0.0, 1.0, 0.25], "talk to", 1),
    ]
    assert rows(result) == expected
    assert result.lost == {
        "shapes that are no rectangles": 1,
        "stretches of time without a box": 1,
    }
    lines = ["# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,..."]
    lines.append(f"# ATTRIBUTE = {json.dumps(VIA['attribute'])}")
    for key, one in VIA["metadata"].items():
        fields = [key, '["room.mp4"]', "0", *(json.dumps(one[name]) for name in ("z", "xy", "av"))]
        lines.append(",".join('"' + field.replace('"', '""') + '"' for field in fields))
    table = tmp_path / "export.csv"
    table.write_text("\n".join(lines))
    assert guess_format(str(table)) == "via"
    assert rows(read_export(str(table), videos=[str(tmp_path)])) == expected


def test_coco(tmp_path):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(COCO))
    result = read_export(str(path))
    assert rows(result) == [
        ("yard", 0, [0.1, 0.1, 0.6, 0.3], "jump", 1),
        ("yard", 1, [0.0, 0.5, 1.0, 1.0], "running", 2),
    ]
    assert result.table.empty_keyframes == [("yard", 2.0)]
    assert result.lost["boxes between the keyframes"] == 1
    assert result.lost["crowds (iscrowd)"] == 1
    assert result.lost["segmentation"] == 1


@pytest.mark.parametrize("columns", [9, 10])
def test_mot(tmp_path, columns):
    folder = tmp_path / "MOT16-99"
    (folder / "gt").mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(SEQINFO)
    tail = "1,1,0.8" if columns == 9 else "1,-1,-1,-1"
    (folder / "gt" / "gt.txt").write_text(
        f"1,4,11,6,20,40,{tail}\n3,4,11,6,20,40,{tail}\n6,4,21,6,20,40,{tail}\n"
        f"6,9,51,6,20,40,0{tail[1:]}\n11,4,96,6,20,40,{tail}\n"
    )
    result = read_export(str(folder))
    assert rows(result) == [
        ("MOT16-99", 0, [0.1, 0.1, 0.9, 0.3], "person", 1),
        ("MOT16-99", 1, [0.1, 0.2, 0.9, 0.4], "person", 1),
        ("MOT16-99", 2, [0.1, 0.95, 0.9, 1.0], "person", 1),
    ]
    assert result.lost == {
        "boxes between the keyframes": 1,
        "boxes that MOT does not consider (confidence 0)": 1,
    }
    assert "no actions" in result.notes[0]


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(COCO))
    (tmp_path / "mine.pbtxt").write_text('item { name: "jump" id: 4 }')
    result = read_export(str(path), label_map=str(tmp_path / "mine.pbtxt"))
    write_result(result, str(tmp_path / "out"))
    table = read_annotations(tmp_path / "out" / FILES[0])
    assert table.class_id.tolist() == [4]
    assert read_label_map(tmp_path / "out" / FILES[1]).names == {4: "jump"}
    report = json.loads((tmp_path / "out" / FILES[2]).read_text())
    assert report["without_a_place"]["labels 'running', which the label map lacks"] == 1


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("a.xml", "<annotations", "a.xml: is no XML file"),
        ("a.xml", "<html/>", "a.xml: <html> where <annotations>"),
        ("a.xml", '<annotations><image id="0"/></annotations>', "CVAT for images"),
        ("a.xml", "<annotations/>", "neither the size nor the name"),
        ("a.json", "{", "a.json: is no JSON"),
        ("a.json", "[]", "neither VIA 3 nor COCO"),
        ("a.json", '{"metadata": {}, "file": 3}', "is no VIA 3 project"),
        ("a.json", '{"annotations": [], "images": [{}]}', "is no COCO file"),
        ("a.csv", "v,1,0,0,1,1,1,1\n", "needs no import"),
        ("gt.txt", "1,2,3\n", "do not say the frame rate"),
        ("absent.json", None, "absent.json: cannot be read"),
        ("b.json", json.dumps({**COCO, "annotations": []}), "no person with an action"),
    ],
)
def test_a_mistake_is_told_in_a_line(tmp_path, name, text, said):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_export(str(path))


def test_a_frame_rate_that_nobody_says(tmp_path):
    path = tmp_path / "annotations.xml"
    path.write_text(CVAT)
    with pytest.raises(UserError, match="frame rate of video 'street'.*give `videos`"):
        read_export(str(path))
