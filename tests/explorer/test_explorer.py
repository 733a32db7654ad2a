"""The folder of a page: what is in its scripts, and what is refused."""

import base64
import importlib.util
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from explored_result import LookingDetector, write_result
from PIL import Image

from avatx.data.records import manifest
from avatx.errors import UserError
from avatx.explorer.explorer import write_explorer
from avatx.explorer.keyframe_file import mosaic
from avatx.explorer.result import read_result
from avatx.inference import batch_manifest
from avatx.inference.boxes_of_video import BoxesSettings

TOOLS = Path(__file__).parents[2] / "tools"


def page_data(folder):
    text = (folder / "data.js").read_text()
    return json.loads(re.fullmatch(r"var avatxData = (.*);\n", text)[1])


def keyframe(folder, index):
    text = (folder / "keyframes" / f"{index:06d}.js").read_text()
    number, content = re.fullmatch(r"avatxKeyframe\((\d+), (.*)\);\n", text).groups()
    assert int(number) == index
    return json.loads(content)


def picture(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_the_page_holds_video_people_and_attention(tmp_path):
    result = read_result(str(write_result(tmp_path / "found")))
    summary = write_explorer(result, str(tmp_path / "page"), detector=LookingDetector())
    assert summary[1:] == (5, 10, 10, None, [])
    names = set(os.listdir(tmp_path / "page"))
    assert {"index.html", "explorer.js", "data.js", "keyframes", "video.mp4"} <= names
    html = (tmp_path / "page" / "index.html").read_text()
    linked = set(re.findall(r'(?:src|href)="([^":]+)"', html))  # but data: addresses
    assert linked == {n for n in names if n.endswith((".js", ".css"))}

    data = page_data(tmp_path / "page")
    (rows, columns) = data["attention"].pop("places")
    assert rows == pytest.approx([16 / 96, 32 / 96]) and columns == pytest.approx([31.5 / 160, 0.2])
    assert data["attention"] == {"layers": 2, "heads": 2, "cells": [4, 3, 5], "keys": True}
    assert [k["t"] for k in data["keyframes"]] == [0, 0.5, 1, 1.5, 2]
    assert data["keyframes"][3]["attention"] == [0, 1]
    assert data["keyframes"][2]["people"][0]["box"] == [0.25, 0.14, 0.9, 0.34]
    assert data["classes"]["79"] == {
        "name": "talk to (e.g., self, a person)",
        "short": "talk to",
        "colour": "#f0e442",  # the name is not AVA's
    }
    # Scores of action 17 are 0.2, 0.3, 0.4: at the border the neighbour counts a third.
    scores = [k["people"][0]["actions"][1] for k in data["keyframes"][:2]]
    assert scores == [[17, 0.2, pytest.approx(0.2333, abs=1e-4)], [17, 0.3, 0.3]]

    content = keyframe(tmp_path / "page", 0)
    assert len(content["frames"]) == len(content["seconds"]) == 4
    # Person 0 is the detector's second detection: cells 7 + t + unit.
    maps = picture(content["people"]["0"]["png"])
    assert maps.shape == (4 * 3, 4 * 5)
    for unit in range(4):
        for moment, value in enumerate((85, 170, 255)):  # of thirds of the largest
            row, column = divmod(7 + moment + unit, 5)
            assert maps[3 * unit + row, 5 * moment + column] == value
    assert np.count_nonzero(maps) == 12
    assert content["people"]["0"]["largest"] == [0.5] * 4
    assert picture(content["keys"]["png"]).shape == (12, 20, 3)


def test_mosaic_lays_moments_beside_and_units_below_each_other():
    maps = np.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2)
    assert mosaic(maps).tolist() == [
        [0, 1, 4, 5, 8, 9],
        [2, 3, 6, 7, 10, 11],
        [12, 13, 16, 17, 20, 21],
        [14, 15, 18, 19, 22, 23],
    ]


def test_without_attention_the_page_says_why(tmp_path):
    result = read_result(str(write_result(tmp_path / "found")))
    summary = write_explorer(result, str(tmp_path / "page"))
    assert summary.num_attended == 0 and "made without a model" in summary.no_attention
    assert page_data(tmp_path / "page")["no_attention"] == summary.no_attention
    assert os.listdir(tmp_path / "page" / "keyframes") == []
    older = LookingDetector(keys=False)
    write_explorer(result, str(tmp_path / "page"), detector=older)  # in place of the first
    assert keyframe(tmp_path / "page", 2)["keys"] is None


def test_groundtruth_lies_at_its_keyframes(tmp_path):
    result = read_result(str(write_result(tmp_path / "found")))
    csv = tmp_path / "truth.csv"
    csv.write_text("film,1,0.1,0.2,0.3,0.9,17,4\nfilm,1,0.1,0.2,0.3,0.9,1,4\nother,0,0,0,1,1,1,1\n")
    write_explorer(result, str(tmp_path / "page"), groundtruth=str(csv))
    truth = [k["truth"] for k in page_data(tmp_path / "page")["keyframes"]]
    assert truth == [None, None, [{"box": [0.2, 0.1, 0.9, 0.3], "classes": [17, 1]}], None, None]
    csv.write_text("other,0,0,0,1,1,1,1\n")
    summary = write_explorer(result, str(tmp_path / "page"), groundtruth=str(csv))
    assert summary.notes == [f"{csv}: has no row of the video 'film', so no annotation is shown"]
    assert page_data(tmp_path / "page")["notes"] == summary.notes


class ToldDetector(LookingDetector):
    """Has to be told where people are, and was always told of one."""

    path, needs_boxes = "told", True

    def detect_with_attention(self, clips, boxes):
        assert np.allclose(boxes[0], [[0.2, 0.1, 0.9, 0.3]])
        return super().detect_with_attention(clips)


def test_a_model_that_has_to_be_told_gets_the_boxes_of_the_result(tmp_path):
    boxes = tmp_path / "people.csv"
    rows = [f"film,{0.5 * k},0.1,0.2,0.3,0.9,1,0.{k + 4}\n" for k in range(5)]
    boxes.write_text("".join(rows))
    told = {"path": str(boxes), "score_threshold": 0.0, "max_number_of_boxes": 64}
    result = read_result(str(write_result(tmp_path / "found", boxes=told)))
    assert (
        write_explorer(result, str(tmp_path / "page"), detector=ToldDetector()).num_attended == 10
    )
    other = boxes.rename(tmp_path / "moved.csv")
    summary = write_explorer(result, str(tmp_path / "page"), detector=ToldDetector())
    assert summary.num_attended == 0 and "file that told it is not there" in summary.no_attention
    summary = write_explorer(
        result, str(tmp_path / "page"), detector=ToldDetector(), boxes=BoxesSettings(str(other))
    )
    assert summary.num_attended == 10
    sees = LookingDetector()
    sees.path = "sees"
    with pytest.raises(UserError, match="the model sees finds people itself; leave `boxes` out"):
        write_explorer(
            result, str(tmp_path / "page"), detector=sees, boxes=BoxesSettings(str(other))
        )


def test_names_cannot_leave_the_script(tmp_path):
    folder = write_result(tmp_path / "found", video_id="</script><b>\u2028 ü")
    write_explorer(read_result(str(folder)), str(tmp_path / "page"))
    text = (tmp_path / "page" / "data.js").read_text()
    assert text.isascii() and text.count("\n") == 1
    assert page_data(tmp_path / "page")["title"] == "</script><b>\u2028 ü"


def test_people_of_an_older_result_are_linked(tmp_path):
    folder = write_result(tmp_path / "found")
    content = json.loads((folder / "detections.json").read_text())
    for entry in content["keyframes"]:
        for person in entry["people"]:
            del person["track"]
        entry["people"].reverse()
    (folder / "detections.json").write_text(json.dumps(content))
    tracks = [[p.track for p in k.people] for k in read_result(str(folder)).keyframes]
    assert tracks == [[1, 2]] * 5


@pytest.mark.parametrize(
    "text, expected",
    [
        ("{", "not JSON"),
        ("[]", r"holds \[\]; expected the object that tools/detect_video.py writes"),
        ("{}", "not what tools/detect_video.py writes"),
        ('{"every": 1, "classes": {}}', "keyframes"),
        ('{"every": 1, "classes": {}, "keyframes": []}', "no keyframe"),
        ('{"every": 0, "classes": {}, "keyframes": []}', "every is 0, no number of seconds"),
        ('{"every": NaN, "classes": {}, "keyframes": []}', "every is nan"),
        ('{"every": 1e999, "classes": {}, "keyframes": []}', "every is inf"),
        (
            '{"every": 1, "classes": {}, "keyframes": [{"timestamp": 0, "people": [1]}]}',
            "TypeError",
        ),
    ],
)
def test_what_is_no_result_is_refused(tmp_path, text, expected):
    (tmp_path / "detections.json").write_text(text)
    with pytest.raises(UserError, match=expected):
        read_result(str(tmp_path))
    with pytest.raises(UserError, match="no detections.json"):
        read_result(str(tmp_path / "nowhere"))


def test_nothing_is_left_or_replaced_on_a_mistake(tmp_path):
    result = read_result(str(write_result(tmp_path / "found", width=200)))
    with pytest.raises(UserError, match="160 x 96 pixels, and the result .* 200 x 96"):
        write_explorer(result, str(tmp_path / "page"))
    result = read_result(str(write_result(tmp_path / "found")))
    with pytest.raises(UserError, match="gone.mp4"):
        write_explorer(result, str(tmp_path / "page"), video=str(tmp_path / "gone.mp4"))
    moved = read_result(str(write_result(tmp_path / "found", video="moved.mp4")))
    with pytest.raises(UserError, match="found/detections.json: its video moved.mp4 is not there"):
        write_explorer(moved, str(tmp_path / "page"))
    unnamed = read_result(str(write_result(tmp_path / "found", video=None)))
    with pytest.raises(UserError, match="found/detections.json: does not say which video it is of"):
        write_explorer(unnamed, str(tmp_path / "page"))
    shorter = read_result(str(write_result(tmp_path / "found", duration=2.1, stopped=None)))
    with pytest.raises(UserError, match="film.mp4: 2.50 s long, and the result .* of 2.10 s; give"):
        write_explorer(shorter, str(tmp_path / "page"))
    with pytest.raises(UserError, match="video_format avi: expected mp4 or webm"):
        write_explorer(result, str(tmp_path / "page"), video_format="avi")
    assert os.listdir(tmp_path) == ["found"]
    with pytest.raises(UserError, match="holds detections.json and is no such page"):
        write_explorer(result, str(tmp_path / "found"))
    assert sorted(os.listdir(tmp_path / "found")) == ["detections.json", "film.mp4"]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")
    with pytest.raises(UserError, match="holds index.html and is no such page"):
        write_explorer(result, str(tmp_path / "site"))
    assert (tmp_path / "site" / "index.html").read_text() == "mine"


def test_the_tool_makes_a_page_of_a_result(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("explore_tool", TOOLS / "explore.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    found, page = str(write_result(tmp_path / "found")), str(tmp_path / "page")
    assert tool.main(["--detections", found, "--output", page]) == 0
    told = capsys.readouterr()
    assert "nowhere, which the result was made with, is not there" in told.err
    assert f"5 keyframes, 10 people in them, attention of 0; open {page}/index.html" in told.out
    with pytest.raises(UserError, match="^--output .*holds detections.json"):
        tool.main(["--detections", found, "--output", found])
    # Each says one thing that it cannot do.
    for flags, said in (
        (["--video", "film.mp4"], "give --detections, or --saved_model and --video"),
        (["--detections", found, "--every", "0.1"], "--every is of a detection"),
        (["--detections", found, "--score_threshold", "0.9"], "--score_threshold is of a detect"),
        (["--detections", found, "--saved_model", "x", "--no_attention"], "is for attention"),
        (["--detections", found, "--boxes", "nowhere", "--no_attention"], "--boxes is for attent"),
        (["--detections", ""], "--detections: is empty"),
    ):
        with pytest.raises(SystemExit):
            tool.main(["--output", page, *flags])
        assert said in capsys.readouterr().err
    with pytest.raises(UserError, match="^--boxes_score_threshold is of --boxes"):
        tool.main(["--detections", found, "--output", page, "--boxes_score_threshold", "0.5"])


def test_a_page_of_a_video_that_was_read_in_part_says_so(tmp_path):
    stopped = "truncated: the video ends at 2.500 of 9.000 seconds"
    found = write_result(tmp_path / "found", stopped=stopped, notes=["dark"])
    summary = write_explorer(read_result(str(found)), str(tmp_path / "page"))
    assert summary.notes == [f"detection stopped early: {stopped}", "dark"]
    assert page_data(tmp_path / "page")["notes"] == summary.notes


def test_the_folder_of_many_results_is_told_from_one_of_records(tmp_path):
    videos = {"film.mp4": {"result": "film"}}
    many, records, broken = tmp_path / "many", tmp_path / "records", tmp_path / "broken"
    for folder in (many, records, broken):
        folder.mkdir()
    batch_manifest.write(str(many), {"videos": videos})
    manifest.write_manifest(str(records), "train", {"shards": {}})
    (broken / manifest.NAME).write_text("{")
    assert batch_manifest.NAME == manifest.NAME  # or there is nothing to tell apart
    with pytest.raises(UserError, match="many: holds a folder a video; give one of them"):
        read_result(str(many))
    with pytest.raises(UserError, match="manifest.json: lists a folder a video; give one of them"):
        read_result(str(many / batch_manifest.NAME))
    for folder in (records, broken):
        with pytest.raises(UserError, match="no detections.json can be read there .* give the out"):
            read_result(str(folder))


def test_the_current_folder_is_refused_before_any_work(tmp_path, monkeypatch):
    found = read_result(str(write_result(tmp_path / "found")))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for output in (".", "..", str(tmp_path / "here")):
        with pytest.raises(UserError, match="is the folder that you are in; give a new one"):
            write_explorer(found, output)
    assert (tmp_path / "here").is_dir()
