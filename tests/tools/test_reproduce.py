"""Mistakes on reproduce.py's command line; its runs are tested in tests/reproduction."""

import pathlib
import subprocess
import sys

import pytest

from avatx.errors import UserError
from tools import demo

ROOT = pathlib.Path(__file__).resolve().parents[2]


def reproduce(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/reproduce.py"), "--suite", "playground", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--jobs", "0"], "--jobs 0: expected 1 to "),
        (["--jobs", "-1"], "--jobs -1: expected 1 to "),
        (["--seeds", "0"], "--seeds 0: expected 1 to 100"),
        (["--seeds", "99999999999999999999"], "--seeds 99999999999999999999: expected 1 to 100"),
        (["--rows", "i3d_r46"], "--rows i3d_r46: no such row"),
        (["--override", "train_config.num_stebs=1"], "did you mean 'num_steps'?"),
        (["--report_only"], "no run is done yet"),
        (["--report_only", "--suite", "pets09"], "--suite pets09 needs --data"),
        (["--suite", "pets09", "--data", "nowhere"], "--data nowhere: there is no pets09_s2l1.mp4"),
        (["--experiments", "sizes"], "expected proposals, two_heads,"),
        (["--data", "pets09"], "--data pets09: --suite playground does not read it"),
        (
            ["--suite", "pets09", "--data", "pets09", "--val_videos", "3"],
            "--val_videos 3: --suite pets09 does not read it",
        ),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_begun(tmp_path, arguments, said):
    output = tmp_path / "out put"
    done = reproduce("--output", str(output), *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not output.exists()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--pipeline_config_path", "nowhere.config"], "nowhere.config"),
        (["--override", "model.action_faster_rcnn.nothing=1"], "^--override model.*nothing"),
        (["--train_videos", "0"], "^--train_videos is 0; expected 1 or more"),
        (["--val_videos", "10000"], "^--val_videos is 10000; expected 9999 at most"),
    ],
)
def test_the_demo_s_mistakes_are_told_before_videos_are_made(tmp_path, arguments, said):
    output = tmp_path / "demo"
    with pytest.raises(UserError, match=said):
        demo.main(["--output", str(output), *arguments])
    assert not output.exists()
