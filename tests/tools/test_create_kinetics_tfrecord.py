"""The command line: the playground's clips to records, again, and what users get wrong."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf

from avatx.data.annotations.label_map import read_label_map
from avatx.errors import UserError

pytest.importorskip("av")
pytest.importorskip("apache_beam")

ROOT = pathlib.Path(__file__).parents[2]


def tool(name, *arguments):
    """A program in this process, for speed: TensorFlow and Beam take seconds to import."""
    specification = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.main([str(argument) for argument in arguments])


def test_playground_to_records(tmp_path, capsys):
    for split, count in (("train", 10), ("val", 3)):
        assert (
            tool(
                "make_playground",
                "--kind",
                "actions",
                "--output",
                tmp_path,
                "--split",
                split,
                "--num_videos",
                count,
                "--num_workers",
                1,
            )
            == 0
        )
    assert "10 clips: 2 answer_phone, 1 bend" in capsys.readouterr().out
    label_map = tmp_path / "actions_label_map.pbtxt"
    assert (
        tool(
            "create_kinetics_tfrecord",
            "--folders",
            tmp_path / "train",
            "--output",
            tmp_path / "actions-train",
            "--num_shards",
            2,
            "--output_label_map",
            label_map,
        )
        == 0
    )
    assert (
        tool(
            "create_kinetics_tfrecord",
            "--folders",
            tmp_path / "val",
            "--output",
            tmp_path / "actions-val",
            "--num_shards",
            1,
            "--label_map",
            label_map,
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "10 labelled videos, 2 shards" in out and "3 labelled videos, 1 shards" in out
    assert len(read_label_map(label_map).names) == 9
    files = sorted(map(str, tmp_path.glob("actions-train-*.tfrecord")))
    assert len(files) == 2 and len(list(tf.data.TFRecordDataset(files))) == 10


def test_mistakes(tmp_path):
    (tmp_path / "rows.csv").write_text("a.mp4,bend\n")
    good = ["--annotations", tmp_path / "rows.csv", "--num_shards", 1]
    with pytest.raises(UserError, match="--output .* is a folder"):
        tool("create_kinetics_tfrecord", *good, "--output", tmp_path)
    with pytest.raises(UserError, match="--num_shards is 0"):
        tool("create_kinetics_tfrecord", *good[:3], 0, "--output", tmp_path / "x")
    with pytest.raises(UserError, match="--output_label_map is for the classes found"):
        tool(
            "create_kinetics_tfrecord",
            *good,
            "--output",
            tmp_path / "x",
            "--label_map",
            "a",
            "--output_label_map",
            "b",
        )
    with pytest.raises(UserError, match="--jpeg_quality is 0"):
        tool("create_kinetics_tfrecord", *good, "--output", tmp_path / "x", "--jpeg_quality", 0)
    with pytest.raises(UserError, match="--max_frame_rate -1"):
        tool("create_kinetics_tfrecord", *good, "--output", tmp_path / "x", "--frame_rate", -1)
    with pytest.raises(UserError, match="--videos is for the files of --annotations"):
        tool(
            "create_kinetics_tfrecord",
            "--folders",
            tmp_path,
            "--videos",
            tmp_path,
            "--num_shards",
            1,
            "--output",
            tmp_path / "x",
        )
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "a.pbtxt", "no folder")):
        with pytest.raises(UserError, match=f"--output_label_map .*{message}"):
            tool(
                "create_kinetics_tfrecord",
                *good,
                "--output",
                tmp_path / "y" / "x",
                "--output_label_map",
                path,
            )
    assert not (tmp_path / "y").exists()


def test_help_is_quick_and_a_source_is_needed():
    command = [sys.executable, str(ROOT / "tools" / "create_kinetics_tfrecord.py")]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "--folders" in shown.stdout and not shown.stderr
    wrong = subprocess.run(
        [*command, "--output", "a/b", "--num_shards", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2 and "--annotations --folders is required" in wrong.stderr
