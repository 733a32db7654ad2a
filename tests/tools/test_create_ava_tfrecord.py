"""The command line: a run, a run killed with kill -9, and what users get wrong."""

import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
TOOL = str(ROOT / "tools" / "create_ava_tfrecord.py")


def _environment():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}


def _main(*arguments):
    """The program in this process, for speed: TensorFlow and Beam take seconds to import."""
    specification = importlib.util.spec_from_file_location("create_ava_tfrecord", TOOL)
    tool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tool)
    return tool.main(list(arguments))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four noisy videos of 12 s, so that a run takes long enough to be killed in its midst."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "videos").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (12, 240, 320, 3), np.uint8)
    for name in "abcd":
        with VideoWriter(
            folder / "videos" / f"{name}.mp4", 25, 240, 320, preset="ultrafast", crf=40
        ) as writer:
            for number in range(300):
                writer.write(noise[number % 12])
    (folder / "rows.csv").write_text(
        "".join(
            f"{name},{second:04d},0.1,0.2,0.5,0.9,12,0\n" for name in "abcd" for second in range(12)
        )
    )
    (folder / "empty.csv").write_text("")
    (folder / "bad.csv").write_text("a,0001,0.1,0.2,0.5,0.9,12,0\na,one,0.1,0.2,0.5,0.9,12,0\n")
    (folder / "others.csv").write_text("x,0001,0.1,0.2,0.5,0.9,12,0\n")
    (folder / "pixels.csv").write_text("a,0001,32,48,160,216,12,0\na,0002,0,0,1,1,12,0\n")
    (folder / "inverted.csv").write_text("a,0001,0.5,0.9,0.1,0.2,12,0\n")
    (folder / "classes.csv").write_text("a,0001,0.1,0.2,0.5,0.9,13,0\n")
    (folder / "labels.pbtxt").write_text('item { name: "stand" id: 12 }\n')
    return folder


def _flags(data, output, *, num_shards=8, **changed):
    flags = {
        "videos": data / "videos",
        "annotations": data / "rows.csv",
        "label_map": data / "labels.pbtxt",
        "output": output,
        "num_shards": num_shards,
        "seconds_per_record": 1,
        **changed,
    }
    return [f"--{name}={value}" for name, value in flags.items()]


def _files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.long
def test_killed_run_leaves_nothing_half_written_and_is_taken_up_again(data, tmp_path, capsys):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert _main(*_flags(data, whole / "train")) == 0
    shown = capsys.readouterr()
    assert "48 keyframes of 4 videos in 48 records, 8 shards" in shown.out
    assert "writing: " in shown.err and " of 48 keyframes, " in shown.err
    expected = {path.name: path.read_bytes() for path in whole.glob("*.tfrecord")}
    assert len(expected) == 8

    process = subprocess.Popen(
        [sys.executable, TOOL, *_flags(data, killed / "train")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
    )
    deadline = time.monotonic() + 200
    state = killed / ".avatx-train"
    while not (len(list(killed.glob("*.tfrecord"))) >= 2 and list(state.glob("*.partial"))):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    there = {path.name: path.read_bytes() for path in killed.glob("*.tfrecord")}
    assert 2 <= len(there) < 8
    assert there.items() <= expected.items()  # whole shards only
    assert not (killed / "manifest.json").exists()

    finished = {path.name.replace(".done.json", ".tfrecord") for path in state.glob("*.done.json")}
    times = {name: (killed / name).stat().st_mtime_ns for name in finished}
    assert _main(*_flags(data, killed / "train")) == 0
    assert f"{len(finished)} of 8 shards are there and unchanged" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in killed.glob("*.tfrecord")} == expected
    assert times == {name: (killed / name).stat().st_mtime_ns for name in finished}
    assert _files(killed) == _files(whole)
    manifest = json.loads((killed / "manifest.json").read_text())
    assert manifest["records"]["train"]["totals"]["keyframes"] == 48


def test_a_missing_video_is_in_the_summary_and_the_exit_code_is_0(data, tmp_path, capsys):
    rows = (data / "rows.csv").read_text() + "gone,0001,0.1,0.2,0.5,0.9,12,0\n"
    (tmp_path / "rows.csv").write_text(rows)
    assert (
        _main(
            *_flags(
                data,
                tmp_path / "out" / "train",
                annotations=tmp_path / "rows.csv",
                max_frame_rate=2,
                seconds_per_record=100,
                num_shards=2,
            )
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert "MISSING: 1 keyframes of 1 videos" in shown
    assert "gone: 1 keyframes: the video was not found" in shown


@pytest.mark.parametrize(
    "changed,more,expected",
    [
        ({"videos": "/nowhere"}, [], "/nowhere: no such folder of videos"),
        ({"annotations": "{data}/missing.csv"}, [], "missing.csv"),
        ({"annotations": "{data}/empty.csv"}, [], "empty.csv holds no keyframe"),
        ({"annotations": "{data}/bad.csv"}, [], "bad.csv, line 2"),
        ({"annotations": "{data}/others.csv"}, [], "none of the 1 videos"),
        ({"annotations": "{data}/classes.csv"}, [], "no row's class is in"),
        ({"annotations": "{data}/pixels.csv"}, [], "a,0001 has x 32 to 160, y 48 to 216"),
        ({"annotations": "{data}/inverted.csv"}, [], "a,0001 has x 0.5 to 0.1, y 0.9 to 0.2"),
        ({"label_map": "{data}/rows.csv"}, [], "rows.csv"),
        ({"output": "{out}/"}, [], "expected a folder and the beginning of a file name"),
        ({"num_shards": 0}, [], "--num_shards is 0"),
        ({"jpeg_quality": 101}, [], "--jpeg_quality is 101, expected 1 to 100"),
        ({"margin_seconds": "-1"}, [], "--margin_seconds is -1"),
        (
            {},
            ["--keyframe_seconds", "0", "1e9"],
            "--keyframe_seconds 0 1000000000: expected seconds",
        ),
        ({}, ["--num_shard=3"], "--num_shard"),
        ({}, ["--runner=NoSuchRunner"], "NoSuchRunner"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(data, tmp_path, changed, more, expected):
    changed = {name: str(value).format(data=data, out=tmp_path) for name, value in changed.items()}
    output = {"output": str(tmp_path / "train"), **changed}.pop("output")
    with pytest.raises(UserError) as error:
        _main(*_flags(data, **{**changed, "output": output}), *more)
    assert expected in str(error.value) and "\n" not in str(error.value)
    assert _files(tmp_path) == set()


def test_an_error_ends_the_program_with_one_line(data, tmp_path):
    run = subprocess.run(
        [sys.executable, TOOL, *_flags(data, tmp_path / "train", videos="/no")],
        capture_output=True,
        text=True,
        env=_environment(),
        timeout=300,
    )
    assert run.returncode == 2
    assert run.stderr.strip().split("\n")[-1] == "error: /no: no such folder of videos"
    assert "Traceback" not in run.stderr and run.stdout == ""
