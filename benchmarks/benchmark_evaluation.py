"""Times tools/evaluate_csv.py on files as large as AVA's validation set, made on the spot.

    python benchmarks/benchmark_evaluation.py
    python benchmarks/benchmark_evaluation.py --groundtruth G --detections D --label_map L
    python benchmarks/benchmark_evaluation.py --against OTHER_CHECKOUT     # in turns, same numbers

The made files hold 50,000 keyframes and 5 million detections of 60 classes, as the full case does
on which the official evaluator takes 173 s and 1,345 MB on 2 cores. Every repeat is a process.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
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


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groundtruth")
    parser.add_argument("--detections")
    parser.add_argument("--label_map")
    parser.add_argument("--keyframes", type=int, default=50_000, help="of the made files")
    parser.add_argument("--against", help="root of another checkout, run in turns with this one")
    add_timing_flags(parser, repeats=3)
    flags = parser.parse_args(argv)
    given = [flags.groundtruth, flags.detections, flags.label_map]
    if any(given) and not all(given):
        parser.error("give --groundtruth, --detections and --label_map, or none of them")
    if flags.repeats < 1 or flags.keyframes < 1:
        parser.error("--repeats and --keyframes: expected 1 or more")

    sides = {"this checkout": ROOT}
    if flags.against:
        sides["the other one"] = pathlib.Path(flags.against).resolve()
    runs: dict[str, list[dict]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as directory:
        if not all(given):
            given = _made(directory, flags.keyframes)
        for _ in range(flags.repeats):
            for name, root in sides.items():
                runs[name].append(_run(root, given, f"{directory}/{name}.json"))
        results = [pathlib.Path(directory, f"{name}.json").read_text() for name in sides]
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
    notes = []
    if flags.against:
        same = json.loads(results[0]) == json.loads(results[1])
        notes.append(f"the numbers of both are {'the same' if same else 'NOT the same'}")
    publish("benchmark_evaluation", settings(flags), rows, flags.json, notes)
    return 0 if not flags.against or same else 1


def _made(directory: str, keyframes: int) -> list[str]:
    """Files, made by a process of its own: Linux counts a parent's memory as its children's."""
    from measuring.detections import write_files

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(write_files, (directory, keyframes))


def _run(root: pathlib.Path, given, output: str) -> dict:
    """Runs the tool of a checkout as a process; what it took."""
    command = [sys.executable, str(root / "tools" / "evaluate_csv.py"), "--output", output]
    names = ("--groundtruth", "--detections", "--label_map")
    command += [str(part) for pair in zip(names, given, strict=True) for part in pair]
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
