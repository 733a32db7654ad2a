"""Small exports, each as its tool's own documentation has them, to rows worked out by hand."""

import json

import numpy as np
import pytest
from made_exports import SEQINFO, imported_coco, imported_cvat, of_coco, of_cvat, write_video

from avatx.data.annotations.ava_csv import read_annotations
from avatx.data.annotations.label_map import read_label_map
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


def test_a_user_s_attribute_may_be_called_as_a_tool_s(tmp_path):
    write_video(tmp_path / "room.mp4", (32, 64), 10)
    project = json.loads(json.dumps(VIA).replace('"stand"', '"alone"'))
    name = next(key for key, one in project["attribute"].items() if "alone" in json.dumps(one))
    project["attribute"][name]["aname"] = "Group"
    (tmp_path / "project.json").write_text(json.dumps(project))
    result = read_export(str(tmp_path / "project.json"), videos=[str(tmp_path)])
    assert "alone" in result.label_map.names.values()


def test_coco(tmp_path):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(COCO))
    result = read_export(str(path))
    assert rows(result) == [
        ("yard", 0, [0.1, 0.1, 0.6, 0.3], "jump", 1),
        ("yard", 1, [0.0, 0.5, 1.0, 1.0], "running", 2),
    ]
    # All frames are listed, and people are in three of them: nobody says that 2 s was looked at.
    assert result.table.empty_keyframes == [] and "frames" in " ".join(result.notes)
    assert result.lost["boxes between the keyframes"] == 1
    assert result.lost["crowds (iscrowd)"] == 1
    assert result.lost["segmentation"] == 1


@pytest.mark.parametrize("crowd, number", [(True, 1), (False, 0), (1, 1), (0, 0)])
def test_coco_s_crowds_may_be_booleans(tmp_path, crowd, number):
    content = json.loads(json.dumps(COCO))
    content["annotations"][3]["iscrowd"] = crowd
    (tmp_path / "coco.json").write_text(json.dumps(content))
    result = read_export(str(tmp_path / "coco.json"))
    assert result.lost.get("crowds (iscrowd)", 0) == number


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


def times(result):
    return result.table.timestamp.tolist(), [time for _, time in result.table.empty_keyframes]


def test_frames_of_a_cvat_task_with_a_step(tmp_path):
    # CVAT: frame is the number in the video, size counts the task's frames.
    step5 = of_cvat(range(0, 60, 5), size=12, frame_filter="step=5")
    assert times(imported_cvat(tmp_path, [step5])) == ([0, 1, 2, 3, 4, 5], [])
    step3 = of_cvat(range(0, 60, 3), size=20, frame_filter="step=3")
    assert times(imported_cvat(tmp_path, [step3])) == ([0, 0.9, 2.1, 3, 3.9, 5.1], [])
    # From frame 100 each tenth: 110 and 130 are frames that somebody looked at.
    part = of_cvat([100, 120], size=4, start_frame=100, stop_frame=139, frame_filter="step=10")
    assert times(imported_cvat(tmp_path, [part])) == ([10, 12], [])  # she is there in between
    walks, left = part[0], part[1].replace("</track>", "")
    left = left.replace('<box frame="120"', '<box frame="110" outside="1"/><box frame="120"')
    left += '<box frame="130" outside="1"/></track>'
    assert times(imported_cvat(tmp_path, [(walks, left)])) == ([10, 12], [11, 13])


def test_frames_of_a_cvat_project_are_counted_on(tmp_path):
    first, second = of_cvat([0, 10]), of_cvat([70, 80])
    second = (
        second[0].replace("<id>1", "<id>2").replace("a.mp4", "b.mp4"),
        second[1].replace('task_id="1"', 'task_id="2"'),
    )
    result = imported_cvat(tmp_path, [first, second], every=0)
    assert [row[:2] for row in rows(result)] == [("a", 0), ("a", 1), ("b", 1), ("b", 2)]
    # Another subset begins at 0 again.
    second = second[0].replace("</task>", "<subset>test</subset></task>"), second[1]
    result = imported_cvat(tmp_path, [first, second], every=0)
    assert [row[:2] for row in rows(result)] == [("a", 0), ("a", 1), ("b", 7), ("b", 8)]


def test_what_is_annotated_once_a_second_is_all_kept(tmp_path):
    sparse = of_coco(range(0, 1800, 30), 29.97)
    assert len(imported_coco(tmp_path, sparse).table) == 60
    beside = of_coco(range(5, 60, 10), 10)
    assert times(imported_coco(tmp_path, beside)) == ([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], [])
    # CVAT's exporter lists every frame; nobody looked at those between.
    result = imported_coco(tmp_path, of_coco(range(5, 60, 10), 10, listed=range(60)))
    assert times(result) == ([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], [])
    assert "6 of its 60 frames" in result.notes[0]
    with pytest.raises(UserError, match="coco.json.*2 boxes between.*a smaller `every`"):
        imported_coco(tmp_path, of_coco([3, 4], 10, listed=range(30)))


def test_a_header_of_mot_is_said_to_be_one(tmp_path):
    folder = tmp_path / "MOT17-04"
    (folder / "gt").mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(SEQINFO)
    (folder / "gt" / "gt.txt").write_text("frame,id,left,top,width,height\n1,1,2,3,4,5\n")
    with pytest.raises(UserError, match="line 1: .*looks like a header"):
        read_export(str(folder))


def test_two_videos_of_one_name_are_not_mixed(tmp_path):
    first, second = of_cvat([0, 10]), of_cvat([0, 10])
    second = (
        second[0].replace("<id>1", "<id>2").replace("a.mp4", "b/a.mp4"),
        second[1].replace('task_id="1"', 'task_id="2"'),
    )
    with pytest.raises(UserError, match="'a.mp4' and 'b/a.mp4' would both be video 'a'"):
        imported_cvat(tmp_path, [first, second])
    same = (second[0].replace("b/a.mp4", "a.mp4"), second[1])
    assert len(imported_cvat(tmp_path, [first, same]).table)  # two tasks of one film

    data = of_coco([0, 10], 10)
    del data["videos"]
    for image, folder in zip(data["images"], ("one/a", "two/a"), strict=True):
        del image["video_id"]
        image["file_name"] = f"{folder}/{image['id']:06d}.jpg"
    with pytest.raises(UserError, match="'one/a' and 'two/a' would both be video 'a'"):
        imported_coco(tmp_path, data, frame_rate=10)
    data = of_coco([0, 10], 10)
    data["videos"].append({"id": 2, "name": "two/a.avi", "fps": 10})
    data["images"][1]["video_id"] = 2
    with pytest.raises(UserError, match="'a .video_id 1.' and 'two/a.avi .video_id 2.'"):
        imported_coco(tmp_path, data)

    write_video(tmp_path / "room.mp4", (32, 64), 10)
    project = json.loads(json.dumps(VIA))
    project["file"]["2"] = {"fid": "2", "fname": "other/room.mp4", "type": 4, "loc": 1, "src": ""}
    project["view"]["2"] = {"fid_list": ["2"]}
    project["metadata"]["1_b"]["vid"] = "2"
    (tmp_path / "project.json").write_text(json.dumps(project))
    with pytest.raises(UserError, match="'room.mp4' and 'other/room.mp4' would both be"):
        read_export(str(tmp_path / "project.json"), videos=[str(tmp_path)])


def test_mot_s_sequence_lies_beside_the_file_or_above(tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    (folder / "gt.txt").write_text("1,4,11,6,20,40,1,1,1\n")
    (tmp_path / "seqinfo.ini").write_text(SEQINFO.replace("MOT16-99", "above"))
    assert read_export(str(folder / "gt.txt")).table.video_names == ["above"]
    (folder / "seqinfo.ini").write_text("\ufeff" + SEQINFO.replace("MOT16-99", "100%"))
    assert read_export(str(folder / "gt.txt")).table.video_names == ["100%"]


def test_mot_once_a_second(tmp_path):
    folder = tmp_path / "walk"
    (folder / "gt").mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(SEQINFO)
    lines = "".join(f"{frame},4,11,6,20,40,1,1,1\n" for frame in (3, 8, 13, 28))
    (folder / "gt" / "gt.txt").write_text(lines)
    assert times(read_export(str(folder))) == ([0.4, 1.4, 2.4, 5.4], [])


@pytest.mark.parametrize(
    "category, attributes, expected",
    [
        ("walk", {}, ["walk"]),
        ("person", {"action": "walk"}, ["walk"]),
        ("person", {"action": "walk", "phoning": True}, ["phoning", "walk"]),
        ("walk", {"phoning": True}, ["phoning", "walk"]),
        ("walk", {"phoning": False}, ["walk"]),
        ("worker", {"action": "walk"}, ["walk"]),
    ],
)
def test_what_cvat_writes_beside_a_box_is_no_action(tmp_path, category, attributes, expected):
    # CVAT's exporter: occluded and rotation of each box, track_id and keyframe of a track's.
    own = {"occluded": True, "rotation": 30.0, "track_id": 1, "keyframe": True, "outside": False}
    own.update(is_crowd=True, z_order=1, source="manual")
    result = imported_coco(tmp_path, of_coco([0, 10], 10, category, **own, **attributes))
    assert sorted(result.label_map.names.values()) == expected
    assert result.lost["occluded of a box"] == result.lost["rotation of a box"] == 2
    assert "keyframe" not in str(result.lost)
    chosen = of_coco([0, 10], 10, category, **own, **attributes)
    result = imported_coco(tmp_path, chosen, action_attributes=["occluded"])
    assert list(result.label_map.names.values()) == ["occluded"]


def test_a_cvat_label_is_the_action_beside_bookkeeping(tmp_path):
    meta, track = of_cvat([0, 10])
    track = track.replace('label="person"', 'label="walk"')
    track = track.replace('name="action">walk', 'name="person_id">7')
    result = imported_cvat(tmp_path, [(meta, track)])
    assert list(result.label_map.names.values()) == ["walk"]


def test_outside_boxes_of_coco_are_nobody(tmp_path):
    data = of_coco([0, 10], 10)
    data["annotations"][1]["attributes"] = {"action": "walk", "outside": True}
    assert times(imported_coco(tmp_path, data)) == ([0], [1])


def test_a_label_map_without_the_actions(tmp_path):
    (tmp_path / "other.pbtxt").write_text('item { name: "sit" id: 1 }')
    arguments = {"label_map": str(tmp_path / "other.pbtxt")}
    data = of_coco([0, 10, 20], 10)
    with pytest.raises(UserError, match="coco.json: .*'walk'.*other.pbtxt.*'sit'.*`label_map`"):
        imported_coco(tmp_path, data, **arguments)
    data["annotations"][0]["attributes"] = {"action": "sit"}
    data["annotations"][1]["attributes"] = {"age": "7"}
    result = imported_coco(tmp_path, data, **arguments)
    # Somebody is at 1 and 2, so that they are no moments without people.
    assert times(result) == ([0], [])
    assert result.lost == {
        "attribute 'age'": 1,
        "people at a keyframe without an action": 1,
        "labels 'walk', which the label map lacks": 1,
        "moments at which no person has an action that can be written": 2,
    }


def test_a_crowd_is_not_nobody(tmp_path):
    data = of_coco([0, 10], 10)
    data["annotations"][1]["iscrowd"] = 1
    assert times(imported_coco(tmp_path, data)) == ([0], [])
    meta, track = of_cvat([0, 10])
    track = track.replace('<box frame="10"', '<box frame="9" outside="1"/><polygon frame="10"')
    track = track.replace("</box></track>", "</polygon></track>")
    assert times(imported_cvat(tmp_path, [(meta, track)])) == ([0], [])


@pytest.mark.parametrize("argument", [{"every": -1}, {"every": float("nan")}, {"frame_rate": 0}])
def test_arguments_out_of_range(tmp_path, argument):
    with pytest.raises(UserError, match=f"^{next(iter(argument))} .*expected a number from"):
        imported_coco(tmp_path, COCO, **argument)


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
        ("a.json", json.dumps({**COCO, "annotations": [{"id": 8}]}), r"a.json: .*0. .id 8.: image"),
        ("a.csv", "v,1,0,0,1,1,1,1\n", "needs no import"),
        ("gt.txt", "1,2,3\n", "do not say the frame rate"),
        ("absent.json", None, "absent.json: cannot be read"),
        ("b.json", json.dumps({**COCO, "annotations": []}), "b.json: no person with an action"),
        ("b.json", json.dumps({**COCO, "images": COCO["images"] * 2}), r"images\[21\] .id 0.: id"),
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


def test_coco_without_sizes_takes_the_video_s(tmp_path):
    write_video(tmp_path / "a.mp4", (48, 64), 10)
    data = of_coco([0, 2], 10)
    stated = imported_coco(tmp_path, data, videos=[str(tmp_path)])
    for image in data["images"]:
        del image["width"], image["height"]
    asked = imported_coco(tmp_path, data, videos=[str(tmp_path)])
    np.testing.assert_array_equal(asked.table.boxes, stated.table.boxes)
    with pytest.raises(UserError, match="do not say the frame size of video 'a'.*give `videos`"):
        imported_coco(tmp_path, data)
    data["images"][0]["width"] = 64
    with pytest.raises(UserError, match="height is absent"):
        imported_coco(tmp_path, data, videos=[str(tmp_path)])
