"""The benchmarks' library: counts, statistics and what is written."""

import json
import pathlib
import sys

import numpy as np
import pytest
from measuring import memory, report, resident
from measuring.flops import Convolution, trunk_convolutions, trunk_flops
from measuring.resident import Resident
from measuring.timing import Timing, measure, ratio_of_pairs, take_turns


def test_one_convolution_by_hand():
    # 5 x 7 x 7 cells become 3 x 4 x 4; each sums 3 x 3 x 3 x 2 products for each of 4 channels.
    one = Convolution("", (5, 7, 7), 2, (3, 3, 3), (2, 2, 2), 4)
    assert one.output_size == (3, 4, 4)
    assert one.flops == 2 * 48 * 54 * 4


def test_the_trunk_of_the_paper():
    assert trunk_flops((64, 400, 400)) / 1e9 == pytest.approx(697.0, abs=0.05)


def test_trunk_convolutions_in_order():
    found = trunk_convolutions((64, 224, 224))
    assert len(found) == 3 + 7 * 6
    stem, last = found[0], found[-1]
    assert (stem.input_depth, stem.depth, stem.output_size) == (3, 64, (32, 112, 112))
    assert (last.input_size, last.input_depth, last.depth) == ((16, 14, 14), 528, 128)
    # Mixed_3c takes what the four branches of Mixed_3b give: 64 + 128 + 32 + 32.
    (first_of_3c,) = (one for one in found if one.name == "Mixed_3c/Branch_0")
    assert first_of_3c.input_depth == 256
    assert len(trunk_convolutions((8, 64, 64), final_endpoint="Conv3d_2c_3x3")) == 3


def test_median_and_quartiles():
    timing = Timing((4.0, 1.0, 3.0, 2.0, 100.0))
    assert timing.median == 3.0
    assert timing.spread == (2.0, 4.0)
    assert Timing((7.0,)).spread == (7.0, 7.0)
    assert timing.as_dict()["repeats_ms"] == [4000.0, 1000.0, 3000.0, 2000.0, 100000.0]


def test_turns_alternate_and_a_step_may_time_itself():
    order = []

    def first():
        order.append("a")
        return 0.25

    timings = take_turns({"a": first, "b": lambda: order.append("b")}, warm_up=1, repeats=2)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert timings["a"].seconds == (0.25, 0.25)
    assert len(timings["b"].seconds) == 2 and 0 <= timings["b"].seconds[0] < 0.25


def test_no_repeat_is_refused():
    with pytest.raises(ValueError, match="repeats is 0"):
        measure(lambda: None, 1, 0)


def test_a_slow_minute_does_not_change_the_ratio_of_pairs():
    ours, peer = Timing((1.0, 10.0, 1.0)), Timing((2.0, 20.0, 2.0))
    assert ratio_of_pairs(peer, ours) == 2.0


def test_what_is_written(tmp_path, capsys):
    path = tmp_path / "out.json"
    rows = [{"what": "a", "ms": 1.5, "all": [1, 2]}, {"what": "longer", "times": 1234.5}]
    report.publish("name", {"batch_size": 3}, rows, str(path), ["a note"])
    written = json.loads(path.read_text())
    assert written["benchmark"] == "name" and written["settings"] == {"batch_size": 3}
    assert written["results"] == rows and written["notes"] == ["a note"]
    assert {"processor", "usable_cores", "commit", "load_average_1min"} <= set(written["machine"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["what", "ms", "times"]
    assert lines[3].split() == ["a", "1.5", "-"]
    assert lines[4].split() == ["longer", "-", "1,234"]
    assert lines[5] == "a note"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is reset on Linux only")
def test_peak_memory_is_that_since_the_reset():
    np.ones(30_000_000).sum()  # 240 MB, given back
    memory.reset_peaks()
    before = memory.host_peak()
    held = np.ones(12_500_000)  # 100 MB
    grown = memory.host_peak() - before
    assert 90e6 < grown < 160e6, len(held)


BENCHMARKS = str(pathlib.Path(resident.__file__).parents[1])
WORKER = """
import sys
sys.path.insert(0, {path!r})
import numpy as np
from measuring.resident import serve
serve({{"step": lambda: print("more noise")}}, lambda: {{"x": np.arange(3)}}, "worker")
"""


def test_a_resident_worker(tmp_path):
    code = WORKER.format(path=BENCHMARKS)
    worker = Resident([sys.executable, "-c", code], str(tmp_path / "log"), {})
    assert worker.name == "worker"
    assert 0 <= worker.seconds("step") < 10
    assert worker.outputs(str(tmp_path / "out.npz"))["x"].tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="KeyError: 'other'"):
        worker.seconds("other")
    worker.close()
