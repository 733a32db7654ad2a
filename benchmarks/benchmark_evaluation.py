"""Times tools/evaluate_csv.py on files as large as AVA's validation set, made on the spot.

    python benchmarks/benchmark_evaluation.py
    python benchmarks/benchmark_evaluation.py --annotations G --detections D --label_map L
    python benchmarks/benchmark_evaluation.py --against OTHER_CHECKOUT     # in turns, same numbers
    python benchmarks/benchmark_evaluation.py --official FOLDER    # in turns with the official one

The made files hold 50,000 keyframes and 5 million detections of 60 classes, as the full case does
on which the official evaluator takes 173 s and 1,345 MB on 2 cores. Every repeat is a process.
FOLDER: see peer_evaluation.py; each class's AP must agree to 1e-9.
"""

import argparse
import functools
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from measuring.models import add_timing_flags
from measuring.report import publish
from measuring.settings import settings
from measuring.timing import Timing

from avatx import cli

ROOT = pathlib.Path(__file__).resolve().parents[1]
OURS, OTHER, OFFICIAL = "this checkout", "the other one", "the official one"
TOLERANCE = 1e-9  # docs/evaluation.md


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotations")
    parser.add_argument("--detections")
    parser.add_argument("--label_map")
    parser.add_argument("--keyframes", type=int, default=50_000, help="of the made files")
    parser.add_argument("--against", help="root of another checkout, run in turns with this one")
    parser.add_argument("--official", help="folder of the official evaluator, run in turns too")
    add_timing_flags(parser, repeats=3)
    flags = parser.parse_args(argv)
    given = [flags.annotations, flags.detections, flags.label_map]
    if any(given) and not all(given):
        parser.error("give --annotations, --detections and --label_map, or none of them")
    if flags.repeats < 1 or flags.keyframes < 1:
        parser.error("--repeats and --keyframes: expected 1 or more")

    sides = {OURS: functools.partial(_command, ROOT)}
    if flags.against:
        sides[OTHER] = functools.partial(_command, pathlib.Path(flags.against).resolve())
    if flags.official:
        sides[OFFICIAL] = functools.partial(_official_command, flags.official)
    runs: dict[str, list[dict]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as directory:
        if not all(given):
            given = _made(directory, flags.keyframes)
        for _ in range(flags.repeats):
            for name, command in sides.items():
                runs[name].append(_run(command(given, f"{directory}/{name}.json")))
        results = {
            name: json.loads(pathlib.Path(directory, f"{name}.json").read_text()) for name in sides
        }
    rows = []
    for name, found in runs.items():
        timing = Timing(tuple(run["wall_s"] for run in found))
        rows.append(
            {
                "what": name,
                "processor_s": Timing(tuple(run["processor_s"] for run in found)).median,
                "peak_mb": max(run["peak_mb"] for run in found),
                **timing.as_dict(),
            }
        )
    notes, good = _compared(results, runs)
    publish("benchmark_evaluation", settings(flags), rows, flags.json, notes)
    return 0 if good else 1


def _compared(results: dict[str, dict], runs: dict[str, list[dict]]) -> tuple[list[str], bool]:
    """Sentences on how the sides' numbers and times compare, and whether the numbers agree."""
    notes, good = [], True
    if OTHER in results:
        same = results[OURS] == results[OTHER]
        notes.append(f"the numbers of both are {'the same' if same else 'NOT the same'}")
        good = same
    if OFFICIAL in results:
        ours, official = (results[name]["per_class"] for name in (OURS, OFFICIAL))
        # A class without groundtruth is NaN there and null here.
        known = {name: ap for name, ap in official.items() if ap is not None}
        difference = max(abs(ours[name]["ap"] - ap) for name, ap in known.items())
        good = good and difference <= TOLERANCE
        pairs = list(zip(runs[OURS], runs[OFFICIAL], strict=True))
        wall, processor = (
            statistics.median(theirs[what] / mine[what] for mine, theirs in pairs)
            for what in ("wall_s", "processor_s")
        )
        notes.append(
            f"the official one takes {wall:.1f} times as long ({processor:.1f} times the processor "
            f"time), medians of pairs; its AP of {len(known)} classes differs by "
            f"{difference:.1e} at the most"
        )
    return notes, good


def _made(directory: str, keyframes: int) -> list[str]:
    """Files, made by a process of its own: Linux counts a parent's memory as its children's."""
    from measuring.detections import write_files

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(write_files, (directory, keyframes))


def _command(root: pathlib.Path, given: list[str], output: str) -> tuple[list[str], pathlib.Path]:
    """The tool of a checkout, and that checkout."""
    command = [sys.executable, str(root / "tools" / "evaluate_csv.py"), "--output", output]
    names = ("--groundtruth", "--detections", "--label_map")  # older checkouts know these alone
    command += [str(part) for pair in zip(names, given, strict=True) for part in pair]
    return command, root


def _official_command(
    official: str, given: list[str], output: str
) -> tuple[list[str], pathlib.Path]:
    peer = pathlib.Path(__file__).parent / "peer_evaluation.py"
    return [sys.executable, str(peer), official, *given, output], ROOT


def _run(side: tuple[list[str], pathlib.Path]) -> dict:
    """Runs a process; what it took."""
    command, root = side
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)  # of this process alone
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {
        "wall_s": wall,
        "processor_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024),
    }


if __name__ == "__main__":
    cli.run(main)
