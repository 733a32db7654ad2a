"""tools/evaluate_csv.py and tools/validate_csv.py as a user runs them."""

import json
import pathlib
import subprocess
import sys
import time

import pytest

from avatx import progress
from avatx.evaluation import frame_map
from tools import evaluate_csv

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROUNDTRUTH = "v,0902,0.1,0.1,0.5,0.5,12\nv,0903,0.1,0.1,0.5,0.5,12\nv,0903,0.1,0.1,0.5,0.5,2\n"
DETECTIONS = "v,902,0.1,0.1,0.5,0.5,12,0.9\nv,903,0.6,0.6,0.9,0.9,12,0.4\n"
LABEL_MAP = 'item { name: "stand" id: 12 }\nitem { name: "[walk]" id: 14 }\n'


@pytest.fixture
def files(tmp_path):
    for name, text in (("gt.csv", GROUNDTRUTH), ("det.csv", DETECTIONS), ("map", LABEL_MAP)):
        (tmp_path / name).write_text(text)
    return tmp_path


def run(directory, tool, *flags):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / tool), *flags],
        cwd=directory,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )


def evaluate(directory, *flags):
    return run(
        directory,
        "evaluate_csv.py",
        "--annotations",
        "gt.csv",
        "--detections",
        "det.csv",
        "--label_map",
        "map",
        "--output",
        "out.json",
        *flags,
    )


def test_evaluate_csv_writes_the_agreed_json(files):
    done = evaluate(files)
    assert done.returncode == 0, done.stderr
    assert json.loads((files / "out.json").read_text()) == {
        "protocol": "AVA_2020",
        "iou_threshold": 0.5,
        "mAP": 0.5,
        "num_classes_with_groundtruth": 1,
        "person_AP": 0.5,
        "person_AP_75": 0.5,
        "per_class": {
            "12": {
                "name": "stand",
                "ap": 0.5,
                "num_groundtruth": 2,
                "num_detections": 2,
                "num_true_positives": 1,
            },
            "14": {
                "name": "[walk]",
                "ap": None,
                "num_groundtruth": 0,
                "num_detections": 0,
                "num_true_positives": 0,
            },
        },
    }
    assert "n/a" in done.stderr and "[walk]" in done.stderr and "1 of 2 classes" in done.stdout
    assert "person AP (action-agnostic) 0.5000 at IoU 0.5, 0.5000 at IoU 0.75" in done.stdout
    assert "tensorflow" not in done.stderr.lower()


def test_evaluate_csv_flags_reach_the_metric(files):
    (files / "excluded.csv").write_text("v,0903\n")
    assert (
        evaluate(
            files, "--excluded", "excluded.csv", "--protocol", "AVA_2019", "--iou_threshold", "0.75"
        ).returncode
        == 0
    )
    result = json.loads((files / "out.json").read_text())
    assert (result["mAP"], result["protocol"], result["iou_threshold"]) == (1.0, "AVA_2019", 0.75)


def test_evaluate_csv_says_why_the_mean_is_zero(files):
    (files / "det.csv").write_text(DETECTIONS.replace("v,", "w,"))
    done = evaluate(files)
    assert done.returncode == 0 and "w,0902 in the detections, v,0902" in done.stderr


def test_no_detections_score_zero(files):
    (files / "det.csv").write_text("")
    done = evaluate(files)
    assert done.returncode == 0 and "not a single detection" in done.stderr
    assert json.loads((files / "out.json").read_text())["mAP"] == 0.0


@pytest.mark.parametrize(
    "name, content, flags, words",
    [
        ("gt.csv", None, (), "gt.csv cannot be read: No such file"),
        ("gt.csv", "", (), "gt.csv is empty"),
        ("gt.csv", DETECTIONS, (), "gt.csv, line 1: .*detection file"),
        ("det.csv", DETECTIONS + "v,904,0.1,0.1\n", (), "det.csv, line 3: .*4 columns"),
        ("det.csv", GROUNDTRUTH + "v,904,0.1,0.1,0.5,x,12,1\n", (), "det.csv, line 4: y2 is 'x'"),
        ("map", "", (), "map holds no item"),
        ("map", LABEL_MAP * 2, (), "map, line 3: id 12"),
        ("map", LABEL_MAP, ("--protocol", "AVA_2021"), "AVA_2021.*AVA_2018"),
        ("map", LABEL_MAP, ("--iou_threshold", "50"), "iou_threshold"),
        ("map", LABEL_MAP, ("--iou_threshold", "half"), "half"),
        ("map", LABEL_MAP, ("--excluded", "gt.csv"), "gt.csv, line 1: .*7 columns"),
        ("map", LABEL_MAP, ("--output", "absent/out.json"), "absent"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(files, name, content, flags, words):
    import re

    if content is None:
        (files / name).unlink()
    else:
        (files / name).write_text(content)
    before = sorted(files.iterdir())
    done = evaluate(files, *flags)
    assert done.returncode == 2
    assert re.search(words, done.stderr), done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    if "usage" not in done.stderr:
        assert len(done.stderr.splitlines()) == 1
    assert sorted(files.iterdir()) == before


def test_validate_csv(files):
    good = run(files, "validate_csv.py", "--annotations", "gt.csv")
    assert good.returncode == 0 and "0 bad rows" in good.stdout, good.stdout + good.stderr
    bad = run(files, "validate_csv.py", "--annotations", "gt.csv", "--label_map", "map")
    assert bad.returncode == 1 and "1 bad row" in bad.stdout
    assert "gt.csv:3: unknown class 2: v,0903,0.1,0.1,0.5,0.5,2" in bad.stdout
    assert "stand" in bad.stdout and "[walk]" in bad.stdout
    (files / "durations").write_text("v,902.5\n")
    bad = run(
        files,
        "validate_csv.py",
        "--csv",
        "det.csv",
        "--kind",
        "detections",
        "--durations",
        "durations",
    )
    assert bad.returncode == 1 and "det.csv:2: timestamp 903 s is past the end" in bad.stdout
    absent = run(files, "validate_csv.py", "--annotations", "absent.csv")
    assert absent.returncode == 2 and len(absent.stderr.splitlines()) == 1


def test_scoring_that_takes_long_says_so(files, monkeypatch, capfd):
    evaluate = frame_map.evaluate
    monkeypatch.setattr(progress, "_FIRST", 0.05)

    def slowly(*arguments, **rules):
        time.sleep(0.5)
        return evaluate(*arguments, **rules)

    monkeypatch.setattr(frame_map, "evaluate", slowly)
    monkeypatch.chdir(files)
    flags = "--annotations gt.csv --detections det.csv --label_map map --output out.json"
    assert evaluate_csv.main(flags.split()) == 0
    assert "scoring ...\n" in capfd.readouterr().err
