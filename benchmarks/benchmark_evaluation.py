"""Times tools/evaluate_csv.py on files as large as AVA's validation set, made on the spot.

    python benchmarks/benchmark_evaluation.py
    python benchmarks/benchmark_evaluation.py --groundtruth G --detections D --label_map L

The made files hold 50,000 keyframes and 5 million detections of 60 classes, as the full case does
on which the official evaluator takes 173 s and 1,345 MB on 2 cores.
"""

import argparse
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from avatx import cli

TOOLS = pathlib.Path(__file__).resolve().parents[1] / "tools"


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--groundtruth")
    parser.add_argument("--detections")
    parser.add_argument("--label_map")
    parser.add_argument("--keyframes", type=int, default=50_000, help="of the made files")
    flags = parser.parse_args(argv)
    given = (flags.groundtruth, flags.detections, flags.label_map)
    if any(given) and not all(given):
        parser.error("give --groundtruth, --detections and --label_map, or none of them")

    with tempfile.TemporaryDirectory() as directory:
        if not all(given):
            print(f"making {flags.keyframes} keyframes ...", flush=True)
            given = _make_files(pathlib.Path(directory), flags.keyframes)
        names = ("--groundtruth", "--detections", "--label_map")
        command = [sys.executable, str(TOOLS / "evaluate_csv.py")]
        command += [part for pair in zip(names, given, strict=True) for part in pair]
        start = time.perf_counter()
        code = subprocess.run(command + ["--output", f"{directory}/out.json"]).returncode
        wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    megabytes = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(
        f"wall {wall:.1f} s, processor {usage.ru_utime + usage.ru_stime:.1f} s, "
        f"peak memory {megabytes:.0f} MB"
    )
    return code


def _make_files(directory: pathlib.Path, keyframes: int):
    """Random people, their labels, and detections of about every class on and beside them."""
    import numpy as np

    from avatx.data.annotations.ava_csv import write_annotations, write_detections
    from avatx.data.annotations.ava_table import AvaTable
    from avatx.data.annotations.label_map import LabelMap, write_label_map

    rng = np.random.default_rng(0)
    people = rng.integers(1, 4, keyframes)
    keyframe = np.repeat(np.arange(keyframes), people)
    corner = rng.random((len(keyframe), 2)) * 0.5
    boxes = np.concatenate([corner, corner + 0.1 + rng.random(corner.shape) * 0.4], axis=1)

    def table(person, shift, **last):
        at = keyframe[person]
        return AvaTable.from_columns(
            [f"video_{i:04d}" for i in (at // 897).tolist()],
            902.0 + at % 897,
            np.round(np.clip(boxes[person] + shift, 0, 1), 3),
            rng.integers(1, 61, len(person)),
            **last,
        )

    labelled = np.repeat(np.arange(len(boxes)), 2)
    detected = np.repeat(np.arange(len(boxes)), 50)
    shift = np.repeat(rng.normal(0, 0.04, (len(detected) // 25, 4)), 25, axis=0)
    score = np.round(rng.random(len(detected)), 7)
    paths = [str(directory / name) for name in ("gt.csv", "det.csv", "label_map.pbtxt")]
    write_annotations(paths[0], table(labelled, 0.0))
    write_detections(paths[1], table(detected, shift, score=score))
    write_label_map(paths[2], LabelMap({i: f"class {i}" for i in range(1, 61)}))
    return paths


if __name__ == "__main__":
    cli.run(main)
