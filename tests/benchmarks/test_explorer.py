"""benchmark_explorer.py: its numbers by hand, and a real page that plays."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from benchmark_explorer import summary

PROGRAM = pathlib.Path(__file__).parents[2] / "benchmarks" / "benchmark_explorer.py"


def test_a_summary_by_hand():
    frames = [
        [(0, 1.0, True), (16, 2.0, False), (32, 9.0, False), (72, 2.5, True)],
        [(500, 2.0, True), (516, 2.0, False)],
    ]
    (row,) = summary({"a page": frames})
    assert row["frames"] == 6 and row["median_ms"] == 2.0 and row["worst_ms"] == 9.0
    assert row["first_ms"] == 2.5  # of 1, 2 and 2.5
    assert row["interval_ms"] == 16  # none from one repeat to the next
    assert row["late"] == 0.25 and row["repeats_ms"] == [2.25, 2.0]


def test_made_pages_play(tmp_path):
    pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("needs a chromium on the PATH")
    flags = ["--keyframes", "4", "20", "--people", "3", "--seconds", "0.5"]
    flags += ["--warm_up", "0", "--repeats", "1", "--json"]
    subprocess.run([sys.executable, PROGRAM, *flags, tmp_path / "out.json"], check=True)
    short, long = json.loads((tmp_path / "out.json").read_text())["results"]
    assert (short["page"], long["page"]) == ("4 keyframes", "20 keyframes")
    for row in (short, long):
        assert row["frames"] > 3 and row["median_ms"] > 0 and row["interval_ms"] > 0
