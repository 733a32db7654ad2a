"""Shipped configs by name, and the files that a config names."""

import pathlib
import subprocess
import sys

import pytest

from avatx import config
from avatx.config import files, shipped
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["ava/i3d_gt", "ava/i3d_gt.config", "configs/ava/i3d_gt.config"])
def test_a_shipped_config_is_found_by_its_name_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.load(name) == config.load(str(ROOT / "configs/ava/i3d_gt.config"))


def test_a_file_of_that_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ava").mkdir()
    text = (ROOT / "configs/ava/i3d_gt.config").read_text()
    (tmp_path / "ava/i3d_gt.config").write_text(text.replace("num_classes: 80", "num_classes: 7"))
    assert config.load("ava/i3d_gt.config").model.action_faster_rcnn.num_classes == 7
    assert config.load("ava/i3d_gt").model.action_faster_rcnn.num_classes == 80


def test_the_names_are_those_of_the_files():
    assert "ava/tx_highres_r300" in shipped.names() and "README" not in str(shipped.names())
    assert len(shipped.names()) == len(list(ROOT.glob("configs/*/*.config")))


@pytest.mark.parametrize(
    "name, words",
    [
        ("ava/tx_highres_r30", "did you mean the shipped ava/tx_highres_r300"),
        ("tx_i3d_r300", "did you mean the shipped ava/tx_i3d_r300"),
        ("mine.config", "expected a file, or a shipped config's name such as ava/i3d_gt "),
    ],
)
def test_a_name_that_means_none_says_which_are_near(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^{name}: cannot be read as a pipeline.config: .*{words}"):
        config.load(name)


def test_an_installed_package_holds_them_itself(tmp_path, monkeypatch):
    (tmp_path / "avatx/configs/ava").mkdir(parents=True)
    (tmp_path / "avatx/configs/ava/mine.config").write_text("")
    monkeypatch.setattr(shipped.avatx, "__file__", str(tmp_path / "avatx/__init__.py"))
    assert shipped.names() == ["ava/mine"]
    assert shipped.find("ava/mine") == str(tmp_path / "avatx/configs/ava/mine.config")


def test_named_files_say_what_makes_them():
    loaded = config.load("ava/tx_highres_r300")
    found = {(file.field, file.path): file.remedy for file in files.named_files(loaded)}
    assert sorted(field for field, _ in found) == [
        "eval_config.excluded_timestamps_path",
        "eval_config.label_map_path",
        "eval_input_reader.label_map_path",
        "eval_input_reader.tf_record_input_reader.input_path",
        "train_config.fine_tune_checkpoint",
        "train_input_reader.label_map_path",
        "train_input_reader.tf_record_input_reader.input_path",
    ]
    records = ("train_input_reader.tf_record_input_reader.input_path", "data/ava/train-*.tfrecord")
    assert "tools/create_ava_tfrecord.py --output data/ava/train (" in found[records]
    weights = ("train_config.fine_tune_checkpoint", "data/kinetics/i3d")
    assert "tools/import_i3d_weights.py --output data/kinetics/i3d " in found[weights]


def test_a_classifier_is_told_of_its_own_tool():
    remedies = [file.remedy for file in files.named_files(config.load("kinetics/i3d_rgb"))]
    assert all("create_kinetics_tfrecord.py" in remedy for remedy in remedies)
    assert any("--output records/kinetics-train (" in remedy for remedy in remedies)


def test_what_is_missing_is_told_and_no_error_unless_it_is_required(tmp_path):
    (tmp_path / "runs/demo/data").mkdir(parents=True)
    for name in ("label_map.pbtxt", "train-00000-of-00001.tfrecord"):
        (tmp_path / "runs/demo/data" / name).write_bytes(b"")
    (tmp_path / "weights.index").write_bytes(b"")
    command = [sys.executable, str(ROOT / "tools/check_config.py"), "--json", "--override"]
    command += ["train_config.fine_tune_checkpoint=weights"]
    command += ["--pipeline_config_path", "playground/demo", "--require_files"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("missing: ")]
    assert lines == [
        "missing: eval_input_reader.tf_record_input_reader.input_path = runs/demo/data/"
        "val-*.tfrecord: write them with tools/create_ava_tfrecord.py --output "
        "runs/demo/data/val (docs/data.md)"
    ]
    assert done.returncode == 1, done.stderr
