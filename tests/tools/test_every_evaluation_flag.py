"""Each flag of evaluate_csv, analyze, validate_csv and shuffle_labels: the numbers it changes."""

import importlib.util
import json
import pathlib

import pytest

from avatx.data.annotations import ava_csv
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]

# One person stands at second 1, one sits at second 2; x1, y1, x2, y2.
TRUTH = "v,0001,0.1,0.1,0.5,0.5,12,0\nv,0002,0.1,0.1,0.5,0.5,11,0\n"
# Found at IoU 1 and 0.65; a false one at a keyframe of nobody.
FOUND = (
    "v,0001,0.1,0.1,0.5,0.5,12,0.5\nv,0002,0.1,0.1,0.36,0.5,11,0.4\nv,0009,0.1,0.1,0.5,0.5,12,0.9\n"
)
NAMES = {11: "sit", 12: "stand"}


def load(name):
    folder = "benchmarks" if name == "shuffle_labels" else "tools"
    spec = importlib.util.spec_from_file_location(f"{name}_tool", ROOT / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.csv").write_text(TRUTH)
    (tmp_path / "found.csv").write_text(FOUND)
    (tmp_path / "map").write_text(
        "".join(f'item {{ name: "{n}" id: {i} }}' for i, n in NAMES.items())
    )
    (tmp_path / "stand").write_text('item { name: "stand" id: 12 }')
    (tmp_path / "excluded.csv").write_text("v,0002\n")
    (tmp_path / "train.csv").write_text("v,5,0.1,0.1,0.5,0.5,12,0\n" * 3)
    (tmp_path / "none.csv").write_text("v,0001,0.6,0.6,0.9,0.9,12,0.5\n")
    return tmp_path


BASE = ["--annotations", "truth.csv", "--detections", "found.csv", "--label_map", "map"]


def evaluated(files, *flags):
    assert load("evaluate_csv").main([*BASE, "--output", "out.json", *flags]) == 0
    return json.loads((files / "out.json").read_text())


def analysed(files, *flags):
    assert load("analyze").main([*BASE, "--output", "out", *flags]) == 0
    return json.loads((files / "out" / "analysis.json").read_text())


@pytest.mark.parametrize("run", [evaluated, analysed])
def test_flags_of_the_metric(files, run):
    plain = run(files)
    assert (plain["mAP"], plain["protocol"], plain["iou_threshold"]) == (1, "AVA_2020", 0.5)
    assert (plain["person_AP"], plain["person_AP_75"]) == (1, 0.5)
    assert run(files, "--iou_threshold", "0.7")["mAP"] == 0.5
    # The false one has the higher score: half the precision of class 12.
    older = run(files, "--protocol", "AVA_2019")
    assert (older["mAP"], older["protocol"]) == (0.75, "AVA_2019")
    excluded = run(files, "--excluded", "excluded.csv")
    assert excluded["num_classes_with_groundtruth"] == 1
    assert (excluded["person_AP"], excluded["person_AP_75"]) == (1, 1)
    assert run(files, "--label_map", "stand")["num_classes_with_groundtruth"] == 1
    assert run(files, "--detections", "none.csv")["mAP"] == 0
    assert run(files, "--annotations", "train.csv")["mAP"] == 0


def test_an_analysis_as_json(files, capsys):
    plain = analysed(files)
    capsys.readouterr()
    assert analysed(files, "--json") == plain
    said = json.loads(capsys.readouterr().out)
    assert said["page"] == "out/analysis.html" and said["mAP"] == plain["mAP"]
    assert isinstance(said["findings"], list)


def test_flags_of_the_analysis(files):
    plain = analysed(files)
    assert [row["num_training_labels"] for row in plain["by_class"]] == [None, None]
    trained = analysed(files, "--train_annotations", "train.csv")
    assert [(row["id"], row["num_training_labels"]) for row in trained["by_class"]] == [
        (11, 0),
        (12, 3),
    ]
    assert trained["train_annotations"] == "train.csv" and "train_annotations" not in plain
    assert plain["annotations"] == "truth.csv" and plain["detections"] == "found.csv"
    page = (files / "out" / "analysis.html").read_text()
    assert "Where the errors are" in page
    analysed(files, "--title", "My page")
    page = (files / "out" / "analysis.html").read_text()
    assert "My page" in page and "Where the errors are" not in page
    analysed(files, "--output", "elsewhere")
    assert (files / "elsewhere" / "analysis.html").exists()


@pytest.mark.parametrize("tool", ["evaluate_csv", "analyze"])
def test_mistakes_of_the_metric(files, tool):
    (files / "empty.csv").write_text("")
    for flags, words in (
        (["--iou_threshold", "0"], "iou_threshold is 0.0, expected above 0 and at most 1"),
        (["--iou_threshold", "1.01"], "iou_threshold is 1.01"),
        (["--protocol", "AVA"], "AVA_2020, AVA_2019, AVA_2018"),
        (["--annotations", "empty.csv"], "is empty"),
    ):
        with pytest.raises(UserError, match=words):
            load(tool).main([*BASE, "--output", "out.json", *flags])


def validated(files, capsys, text, *flags):
    (files / "checked.csv").write_text(text)
    code = load("validate_csv").main(["--csv", "checked.csv", *flags])
    return code, [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_flags_of_the_validation(files, capsys):
    code, lines = validated(files, capsys, TRUTH)
    assert code == 0 and lines[-1] == "0 bad rows"
    assert {"videos 1", "keyframes 2", "boxes 2", "labels 2", "timestamps 1 to 2 s"} <= set(lines)
    code, lines = validated(files, capsys, TRUTH, "--label_map", "stand")
    assert code == 1 and lines[-1] == "1 bad row"
    assert lines[0].startswith("checked.csv:2: ") and "12 stand 1" in lines
    code, lines = validated(files, capsys, FOUND)
    assert code == 1 and lines[-1] == "3 bad rows"  # a score is no person id
    assert validated(files, capsys, FOUND, "--kind", "detections")[0] == 0
    (files / "seconds.csv").write_text("v,1.5\n")
    code, lines = validated(files, capsys, TRUTH, "--durations", "seconds.csv")
    assert code == 1 and lines[0].startswith("checked.csv:2: ")
    (files / "videos").mkdir()
    (files / "videos" / "v.mp4").write_bytes(b"no video")
    code, lines = validated(files, capsys, TRUTH, "--videos", "videos")
    assert code == 1 and any("cannot be used" in line for line in lines)


def test_flags_of_the_shuffling(files):
    rows = "".join(
        f"v,{second:04d},0.{x},0.1,0.9,0.5,{second},{x}\n" for second in range(1, 8) for x in (1, 2)
    )
    (files / "labels.csv").write_text(rows)
    found = {}
    for seed in ("0", "0", "1"):
        main = load("shuffle_labels").main
        assert (
            main(["--annotations", "labels.csv", "--output", "shuffled.csv", "--seed", seed]) == 0
        )
        table = ava_csv.read_annotations(files / "shuffled.csv")
        places = list(zip(table.timestamp, table.boxes[:, 1], table.class_id, strict=True))
        assert sorted(table.class_id) == sorted([*range(1, 8)] * 2)  # as often as before
        assert len({place[:2] for place in places}) == 14  # everybody is there
        assert found.setdefault(seed, places) == places
    assert found["0"] != found["1"]
    assert any(second != label for second, _, label in found["0"])
