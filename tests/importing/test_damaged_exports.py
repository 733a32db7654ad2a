"""A small export of each format with one field after the other damaged: a table, or one line."""

import copy
import csv
import io
import json
import math
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from avatx.data.annotations.ava_csv_writer import can_stand_in_csv
from avatx.errors import UserError
from avatx.importing import video_facts
from avatx.importing.read import read_export

SECONDS = 10.0  # that a file of two boxes may take; a loop over frame numbers takes minutes
ABSENT = object()
VALUES = (
    *(ABSENT, None, "", "abc", "5,0", "1_0", "nan", "../x", "a,b", 'a"b', "a\nb", "\ud800"),
    *(-1, 0, 1.5, 1e10, 1e308, math.inf, math.nan, 10**6, 10**400, True),
    *([], {}, [1], [[]], {"a": 1}, [math.nan] * 5, [1e308] * 4),
)
TEXTS = (
    *("", "abc", "5,0", "1_0", "-1", "0", "0.5", "1.5", "nan", "inf", "1e10", "1e308", "1e400"),
    *("1000000", "10000000000", "9" * 5000, "true", "../x", "a,b", 'a"b', "step=0", "step=1e9"),
    *("[", "[]", "{}", "null", "[1]", "[[]]", '{"a": {}}', "[2, 1, 1]", "١"),
)

COCO = {
    "videos": [{"id": 1, "name": "a", "fps": 10}],
    "images": [
        {"id": 1, "file_name": "a/000000.jpg", "width": 64, "height": 48},
        {"id": 2, "file_name": "x.jpg", "width": 64, "height": 48, "video_id": 1, "frame_id": 10},
    ],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": [
        {"image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 30], "track_id": 3, "iscrowd": 0,
         "attributes": {"action": "walk", "sit": True, "occluded": False}},
        {"id": 2, "image_id": 2, "category_id": 1, "bbox": [5, 5, 20, 30], "segmentation": [],
         "attributes": {"action": "walk", "track_id": 3, "outside": False}},
    ],
}  # fmt: skip

VIA = {
    "project": {"pname": "x"},
    "config": {},
    "attribute": {"1": {"aname": "action", "type": 4, "options": {"0": "walk", "1": "sit"}}},
    "file": {"1": {"fid": "1", "fname": "a.mp4", "type": 4}},
    "view": {"1": {"fid_list": ["1"]}},
    "metadata": {
        "1_a": {"vid": "1", "flg": 0, "z": [1.0], "xy": [2, 5, 5, 20, 30], "av": {"1": "0"}},
        "1_b": {"vid": "1", "flg": 0, "z": [2.0], "xy": [2, 5, 5, 20, 30], "av": {"1": "1"}},
        "1_c": {"vid": "1", "flg": 0, "z": [1.0, 2.0], "xy": [], "av": {}},
    },
}

CVAT = """<annotations><version>1.1</version><meta><task><id>1</id><name>a</name><size>60</size>
<start_frame>0</start_frame><stop_frame>59</stop_frame><frame_filter>step=1</frame_filter>
<subset>s</subset><labels><label><name>person</name><attributes><attribute><name>action</name>
<input_type>select</input_type></attribute></attributes></label></labels><original_size>
<width>64</width><height>48</height></original_size><source>a.mp4</source></task></meta>
<track id="0" label="person" task_id="1"><box frame="0" outside="0" occluded="0" keyframe="1"
xtl="5" ytl="5" xbr="25" ybr="40" rotation="0"><attribute name="action">walk</attribute></box>
<box frame="10" outside="0" occluded="1" keyframe="1" xtl="5" ytl="5" xbr="25" ybr="40">
<attribute name="action">sit</attribute></box></track></annotations>"""

SEQUENCE = {"name": "a", "frameRate": "10", "seqLength": "60", "imWidth": "64", "imHeight": "48"}
MOT = (["1", "1", "5", "5", "20", "30", "1", "1", "1"], ["11", *"155", "20", "30", *"111"])


class _Reader:
    """Every video is this one."""

    size, frame_rate = (48, 64), 10.0

    def __init__(self, path):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        pass

    def picture_times(self):
        return np.arange(60) * 100_000


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """Imports a file, which must give a table that can be written or a line that names it."""
    monkeypatch.setattr(video_facts, "VideoReader", _Reader)
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(b"")
    done = {"table": 0, "refused": 0}

    def attempt(path, named, case, **arguments):
        start = time.monotonic()
        try:
            table = read_export(str(path), videos=[str(videos)], **arguments).table
            assert len(table) and np.isfinite(table.boxes).all(), case
            assert table.boxes.min() >= 0 and table.boxes.max() <= 1, case
            assert table.timestamp.min() >= 0 and table.timestamp.max() < 1e12, case
            assert all(map(can_stand_in_csv, table.video_names)), case
            done["table"] += 1
        except UserError as error:
            assert any(name in str(error) for name in named), f"{case}: {error}"
            done["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
        assert time.monotonic() - start < SECONDS, case

    yield attempt
    assert done["table"] and done["refused"]


def _places(value, place=()):
    yield place
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*place, key))


def _damaged(whole, place, value):
    if not place:
        return value
    whole = copy.deepcopy(whole)
    part = whole
    for key in place[:-1]:
        part = part[key]
    if value is ABSENT:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    return whole


@pytest.mark.parametrize("file_format, export", [("coco", COCO), ("via", VIA)])
def test_json(tmp_path, attempt, file_format, export):
    path = tmp_path / "export.json"
    for place in _places(export):
        for value in VALUES[1:] if not place else VALUES:
            path.write_text(json.dumps(_damaged(export, place, value)))
            attempt(path, ["export.json"], (place, value), file_format=file_format)
    path.write_text("[" * 100_000)
    attempt(path, ["export.json"], "deep", file_format=file_format)


def _damaged_elements():
    """(What was done, tree) for each text, attribute and child of each element."""
    for number, element in enumerate(ElementTree.fromstring(CVAT).iter()):
        changes = [("text", text) for text in TEXTS if len(element) == 0]
        changes += [(name, text) for name in element.attrib for text in (None, *TEXTS)]
        changes += [(child, None) for child in range(len(element))]
        for what, text in changes:
            root = ElementTree.fromstring(CVAT)
            changed = list(root.iter())[number]
            if isinstance(what, int):
                del changed[what]
            elif what == "text":
                changed.text = text
            elif text is None:
                del changed.attrib[what]
            else:
                changed.set(what, text)
            yield (element.tag, what, text), ElementTree.ElementTree(root)


def test_cvat(tmp_path, attempt):
    path = tmp_path / "export.xml"
    for case, tree in _damaged_elements():
        tree.write(path)
        attempt(path, ["export.xml"], case)
    for data in (b"", b"\xff\xfe\x00<", b'<?xml version="1.0" encoding="no"?><annotations/>'):
        path.write_bytes(data)
        attempt(path, ["export.xml"], data)


def test_via_csv(tmp_path, attempt):
    path = tmp_path / "export.csv"
    attribute = json.dumps(VIA["attribute"])
    rows = [
        [key, '["a.mp4"]', "0", *(json.dumps(one[name]) for name in ("z", "xy", "av"))]
        for key, one in VIA["metadata"].items()
    ]

    def write(rows, attribute=attribute, end="\n"):
        file = io.StringIO(f"# CSV_HEADER = metadata_id,...{end}# ATTRIBUTE = {attribute}{end}")
        file.seek(0, io.SEEK_END)
        csv.writer(file, lineterminator=end).writerows(rows)
        path.write_bytes(file.getvalue().encode())

    for text in TEXTS:
        write(rows, text)
        attempt(path, ["export.csv"], text)
    for column in range(6):
        for text in (*TEXTS, "0\n#0", '"', "\0", "x" * 200_000):
            write(_damaged(rows, (0, column), text))
            attempt(path, ["export.csv"], (column, text))
        write(_damaged(rows, (0, column), ABSENT))
        attempt(path, ["export.csv"], column)
    write(rows, end="\r\n")
    attempt(path, ["export.csv"], "line ends")


def test_mot(tmp_path, attempt):
    folder = tmp_path / "export"
    (folder / "gt").mkdir(parents=True)

    def write(sequence=SEQUENCE, rows=MOT):
        lines = "".join(f"{name}={value}\n" for name, value in sequence.items())
        (folder / "seqinfo.ini").write_text(f"[Sequence]\n{lines}")
        (folder / "gt" / "gt.txt").write_text("".join(",".join(row) + "\n" for row in rows))
        attempt(folder, ["seqinfo.ini", "gt.txt", str(folder)], (sequence, rows))

    for name in SEQUENCE:
        for value in (ABSENT, "%(x)s", *TEXTS):
            write(_damaged(SEQUENCE, (name,), value))
    for column in range(9):
        for value in (ABSENT, *TEXTS):
            write(rows=_damaged(list(MOT), (0, column), value))


@pytest.mark.parametrize("every", [1e-9, 0, 1e5])
def test_far_apart(tmp_path, attempt, every):
    path = tmp_path / "export.json"
    far = _damaged(COCO, ("images", 1, "frame_id"), 999_999_999)
    path.write_text(json.dumps(far))
    attempt(path, ["export.json"], every, every=every)
    path.write_text(json.dumps(COCO))
    attempt(path, ["export.json"], every, every=every)
    path.write_text("{}")
    attempt(path, ["export.json"], every)
