"""How far something is: rate and time left on stderr, and what is slow said once."""

import io
import re
import sys
import time

import pytest

from avatx.inference.video_bar import video_bar
from avatx.progress import Progress, slow


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_seconds_of_video_have_a_rate_and_a_time_left(clock, capsys):
    with video_bar("detecting") as show:
        clock[0] += 10.0
        show(5.0, 65.0)
        clock[0] += 29.0
        show(19.0, 65.0)  # a file gets a line in 30 seconds
        clock[0] += 2.0
        show(20.5, 65.0)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "detecting: 5.0 of 65.0 s of video, 0.5 a second, 120 s left"
    assert second == "detecting: 20.5 of 65.0 s of video, 0.5 a second, 89 s left"


def test_each_video_has_a_rate_of_its_own(clock, capsys):
    with video_bar("looking") as show:
        show(0.0, 10.0, "a.mp4")
        clock[0] += 40.0
        show(10.0, 10.0, "a.mp4")
        show(0.0, None, "b.mp4")
        clock[0] += 40.0
        show(80.0, None, "b.mp4")
    assert capsys.readouterr().err.splitlines() == [
        "a.mp4: 10.0 of 10.0 s of video, 0.25 a second, 0 s left",
        "b.mp4: 80.0 s of video, 2.0 a second",
    ]


def test_on_a_terminal_a_line_takes_the_place_of_the_last_one(clock, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress("drawing", "pictures", 4)
    for _ in range(2):
        clock[0] += 4.0
        progress.add(1)
    progress.end()
    assert terminal.getvalue() == (
        "\r\x1b[Kdrawing: 1 of 4 pictures, 0.25 a second, 12 s left"
        "\r\x1b[Kdrawing: 2 of 4 pictures, 0.25 a second, 8 s left\n"
    )


def test_what_is_slow_is_said_once_and_what_is_not_never(monkeypatch, capfd):
    monkeypatch.setattr("avatx.progress._FIRST", 0.05)
    with slow("loading the model"), slow("loading TensorFlow"):  # the outer one says it
        time.sleep(0.5)
    with slow("not on a terminal", in_files=False):
        time.sleep(0.2)
    assert capfd.readouterr().err == "loading the model ...\n"
    monkeypatch.setattr("avatx.progress._FIRST", 60.0)
    with pytest.raises(ValueError), slow("loading the model"):
        raise ValueError
    with slow("loading the model"):
        pass
    assert capfd.readouterr().err == ""


def test_what_is_slow_is_said_while_stderr_is_held_back(monkeypatch, capfd):
    from avatx import stderr_noise

    monkeypatch.setattr("avatx.progress._FIRST", 0.05)
    with slow("loading the model"), stderr_noise.dropped():
        time.sleep(0.5)
        assert capfd.readouterr().err == "loading the model ...\n"


def test_a_terminal_forgets_what_was_slow(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("avatx.progress._FIRST", 0.05)
    with slow("building", in_files=False):
        time.sleep(2.5)
    lines = terminal.getvalue().split("\r\x1b[K")
    assert lines[0] == lines[-1] == ""  # forgotten at the end
    said = lines[1:-1]
    assert len(said) > 1 and all(re.fullmatch(r"building \.\.\. \d+ s", line) for line in said)
    assert len(set(said)) == len(said)  # each has other seconds
