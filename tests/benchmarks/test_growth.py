"""benchmark_growth.py: the exponent by hand, and a real run of its cheapest axis."""

import json
import math
import pathlib
import subprocess
import sys

import pytest
from benchmark_growth import exponent

PROGRAM = pathlib.Path(__file__).parents[2] / "benchmarks" / "benchmark_growth.py"


def test_exponent_by_hand():
    assert exponent((2, 4, 8), [1.0, 99.0, 16.0]) == pytest.approx(2.0)  # 4 times the amount
    assert exponent((1, 10), [5.0, 50.0]) == pytest.approx(1.0)
    assert exponent((3,), [7.0]) is None


def test_a_point_is_a_process_of_its_own(tmp_path):
    path, picture = tmp_path / "out.json", tmp_path / "growth.png"
    flags = ["--points", "2", "--warm_up", "0", "--repeats", "1", "--json", path, "--png", picture]
    subprocess.run([sys.executable, PROGRAM, "--axes", "detections", *flags], check=True)
    first, second = json.loads(path.read_text())["results"]
    assert (first["amount"], second["amount"]) == (10, 20)
    assert second["rows"] == 2 * first["rows"]
    # 0.6 MB of scores alone in the second; were it measured behind the first it could be nothing.
    assert first["memory_mb"] > 1 and second["memory_mb"] > 1
    # What it is depends on what else the machine does; of these two times it has to be.
    assert "exponent" not in first
    assert second["exponent"] == pytest.approx(
        math.log2(second["median_ms"] / first["median_ms"]), abs=1e-3
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
