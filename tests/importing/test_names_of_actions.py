"""Names that hold commas, as some of AVA's own do: each is one action, whatever the tool."""

import json

import pytest
from made_exports import imported_coco, imported_cvat, of_coco, of_cvat, write_video

from avatx.importing.read import read_export

WATCH = "watch (e.g., TV)"
TALK = "talk to (e.g., self, a person, a group)"


def names(result):
    return sorted(result.label_map.names.values())


@pytest.mark.parametrize("name", [WATCH, TALK, "eat, drink"])
def test_an_option_of_cvat(tmp_path, name):
    meta, track = of_cvat([0, 10])
    assert names(imported_cvat(tmp_path, [(meta, track.replace("walk", name))])) == [name]


@pytest.mark.parametrize("kind", [2, 3, 4])
def test_an_option_of_via(tmp_path, kind):
    write_video(tmp_path / "room.mp4", (32, 64), 10)
    options = {"0": WATCH, "1": TALK, "2": "eat, drink", "3": "sit"}
    chosen = "0,1,2" if kind == 2 else "1"
    project = {
        "project": {"vid_list": ["1"]},
        "attribute": {"1": {"aname": "does", "type": kind, "options": options}},
        "file": {"1": {"fid": 1, "fname": "room.mp4", "type": 4}},
        "view": {"1": {"fid_list": [1]}},
        "metadata": {"a": {"vid": "1", "z": [1], "xy": [2, 5, 5, 9, 9], "av": {"1": chosen}}},
    }
    (tmp_path / "via.json").write_text(json.dumps(project))
    found = names(read_export(str(tmp_path / "via.json"), videos=[str(tmp_path)]))
    assert found == (["eat, drink", TALK, WATCH] if kind == 2 else [TALK])


@pytest.mark.parametrize(
    "value, expected",
    [
        (WATCH, [WATCH]),
        (f"{TALK}, sit", ["sit", TALK]),
        ("walk, sit", ["sit", "walk"]),
        (["eat, drink", TALK], ["eat, drink", TALK]),
    ],
)
def test_a_text_or_list_of_coco(tmp_path, value, expected):
    assert names(imported_coco(tmp_path, of_coco([0, 10], 10, action=value))) == expected
