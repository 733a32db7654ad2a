"""Rows that cannot be right are counted and named at any mAP, and change no score."""

import importlib.util
import json
import pathlib
import tracemalloc

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation import impossible_rows as module
from avatx.evaluation.impossible_rows import impossible_rows

ROOT = pathlib.Path(__file__).parents[2]
REAL_FILES = ROOT.parent / "shared" / "data" / "real_files"
MAP = LabelMap({1: "a", 2: "b", 4: "d"})
BOX = [0.1, 0.2, 0.5, 0.6]


def table(classes, boxes, scores=None):
    return AvaTable.from_columns(
        ["v"] * len(classes), [902.0] * len(classes), boxes, classes, score=scores
    )


def test_each_kind_is_counted_and_named():
    nan = float("nan")
    rows = [
        (1, BOX, 0.5),
        (0, BOX, 0.5),
        (-3, BOX, 0.5),
        (3, BOX, 0.5),
        (2, BOX, nan),
        (2, [0.5, 0.2, 0.1, 0.6], 0.5),
        (4, [0.1, 0.2, 0.5, 1.25], 0.5),
        (4, [0.1, nan, 0.5, 0.75], nan),
    ]
    classes, boxes, scores = zip(*rows, strict=True)
    (sentence,) = impossible_rows(table(classes, boxes, scores), MAP, "de.csv")
    assert sentence == (
        "de.csv: 7 of 8 rows cannot be right: 2 of class -3, 0, where ids begin at 1 (are all ids "
        "too low by 4?); 1 of classes that the label map lacks (3); 2 with a score that is no "
        "finite number; 1 with a coordinate that is no finite number; 1 with a box inverted or "
        "without area; 1 with a box outside of the frame (coordinates from 0.1 to 1.25, expected "
        "0 to 1); the first is at v,0902"
    )


def test_nothing_is_said_of_rows_that_may_be_right():
    border = np.float64(np.nextafter(np.float32(1), np.float32(2)))
    boxes = [BOX, [0.0, 0.0, 1.0, border]]
    assert impossible_rows(table([1, 4], boxes, [0.0, -7.5]), MAP, "x") == []
    assert impossible_rows(table([], [], []), MAP, "x") == []
    # AVA's annotations hold 80 classes, its label map 60.
    assert impossible_rows(table([1, 3], [BOX] * 2), MAP, "x") == []
    assert len(impossible_rows(table([1, 0], [BOX] * 2), MAP, "x")) == 1


def test_annotations_in_place_of_detections():
    """Their eighth column, a person's number, is read as a score."""
    (sentence,) = impossible_rows(table([1, 1, 4], [BOX] * 3, [0.0, 1.0, 3.0]), MAP, "gt.csv")
    assert "gt.csv: 1 of 3 rows" in sentence and "are these annotations" in sentence
    assert impossible_rows(table([1, 1], [BOX] * 2, [1.0, 0.0]), MAP, "x") == []
    assert impossible_rows(table([1, 1], [BOX] * 2, [2.0, 0.25]), MAP, "x") == []
    # Whole numbers for as many rows as are looked at at once, and then others.
    scores = np.full(70_000, 2.0)
    scores[-1] = 0.5
    many = table([1] * len(scores), [BOX] * len(scores), scores)
    assert impossible_rows(many, MAP, "x") == []


def evaluated(folder, capfd, detections):
    spec = importlib.util.spec_from_file_location("evaluate_csv", ROOT / "tools/evaluate_csv.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (folder / "map.pbtxt").write_text(
        "".join(f'item {{ name: "{i}" id: {i} }}\n' for i in (1, 2, 4, 7))
    )
    flags = {"annotations": folder / "gt.csv", "detections": folder / detections}
    flags.update(label_map=folder / "map.pbtxt", output=folder / "out.json")
    assert tool.main([f"--{name}={value}" for name, value in flags.items()]) == 0
    result = json.loads((folder / "out.json").read_text())
    return result["mAP"], [line for line in capfd.readouterr().err.split("\n") if "note:" in line]


def test_a_good_map_does_not_hide_them(tmp_path, capfd):
    """Class 1 is found, class 0 is none: mAP is 1 of classes 1 alone, the official one."""
    (tmp_path / "gt.csv").write_text("v,0902,0.1,0.1,0.5,0.5,1\n")
    (tmp_path / "de.csv").write_text(
        "v,0902,0.1,0.1,0.5,0.5,1,0.9\nv,0902,0.1,0.1,0.5,0.5,0,0.95\nv,0902,0.5,0,0.4,1,1,0.99\n"
    )
    value, notes = evaluated(tmp_path, capfd, "de.csv")
    assert value == 1.0 and len(notes) == 1
    assert "de.csv: 2 of 3 rows cannot be right: 1 of class 0, where ids begin at 1" in notes[0]
    assert "1 with a box inverted" in notes[0]


@pytest.mark.skipif(not REAL_FILES.is_dir(), reason="needs ../shared/data/real_files")
def test_detections_one_class_too_low(tmp_path, capfd):
    for name in ("gt.csv", "de.csv", "de_0based.csv"):
        (tmp_path / name).write_bytes((REAL_FILES / name).read_bytes())
    value, notes = evaluated(tmp_path, capfd, "de.csv")
    assert value == pytest.approx(0.6066787340931351, abs=1e-12)
    assert len(notes) == 1 and "45 of 222 rows cannot be right" in notes[0]
    assert "41 of classes that the label map lacks (9); 7 with a box outside" in notes[0]
    value, notes = evaluated(tmp_path, capfd, "de_0based.csv")
    assert value == pytest.approx(0.1279908857008783, abs=1e-12) and len(notes) == 1
    assert "43 of class 0, where ids begin at 1 (are all ids too low by 1?)" in notes[0]
    assert "123 of classes that the label map lacks (3, 6, 8)" in notes[0]


def test_blocks_of_rows_change_nothing(monkeypatch):
    """Most blocks of a large file have no such row."""
    boxes = [[0.5, 0.2, 0.1, 0.6] if at in (7, 8, 19) else BOX for at in range(21)]
    classes = [3 if at == 13 else 1 for at in range(21)]
    detections = table(classes, boxes, [0.5] * 21)
    whole = impossible_rows(detections, MAP, "d.csv")
    assert "4 of 21 rows" in whole[0] and "3 with a box inverted" in whole[0]
    for rows in (1, 3, 7, 20):
        monkeypatch.setattr(module, "_LOOKED_AT_ONCE", rows)
        assert impossible_rows(detections, MAP, "d.csv") == whole


def test_a_good_table_of_a_million_rows_needs_no_memory_of_its_own():
    number = 1_000_000
    good = table([1], [BOX], [0.5]).select(np.zeros(number, int))
    tracemalloc.start()
    assert impossible_rows(good, MAP, "d.csv") == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * number
