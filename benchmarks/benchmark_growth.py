"""How time and memory grow: one axis at a time, a table, and a picture.

    python benchmarks/benchmark_growth.py --png docs/images/growth.png
    python benchmarks/benchmark_growth.py --axes detections videos        # no TensorFlow, a minute
    python benchmarks/benchmark_growth.py --axes frames size batch people proposals --base_size 64

Inference: frames (T), size (H = W), proposals (R), batch; seconds (of a video, from its file to its
people). Training step: people in a clip; replicas, logical ones, that share the processor and a
batch of 4: that must not take less time, and says only what they cost. Evaluation: videos (the
detections of each unchanged) and detections (a person's, in the same videos). "exponent" is the
slope of log time against log amount from the first to the last point: 1 is linear, 2 quadratic.
Each point is a process of its own; memory is its peak while the point was made and ran, less what
it held before.
"""

import argparse
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from measuring.growth_points import AMOUNTS, measured_point
from measuring.models import PRECISIONS, add_timing_flags
from measuring.report import publish
from measuring.settings import settings

from avatx import cli


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    axes = list(AMOUNTS)
    parser.add_argument("--axes", nargs="+", choices=axes, default=axes)
    parser.add_argument("--points", type=int, default=4, help="of an axis, the smallest first")
    parser.add_argument("--pipeline_config_path", default="ava/tx_highres_r300")
    parser.add_argument("--override", nargs="+", action="extend", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--base_frames", type=int, default=8, help="where it is not the axis")
    parser.add_argument("--base_size", type=int, default=64, help="where it is not the axis")
    parser.add_argument("--png", help="picture to write")
    add_timing_flags(parser, repeats=3)
    flags = parser.parse_args(argv)

    rows = []
    for axis in flags.axes:
        amounts = AMOUNTS[axis][: flags.points]
        found = [{"axis": axis, "amount": n, **_in_its_process(flags, axis, n)} for n in amounts]
        found[-1]["exponent"] = exponent(amounts, [row["median_ms"] for row in found])
        rows += found
    publish("benchmark_growth", settings(flags), rows, flags.json)
    if flags.png:
        _draw(rows, flags.png)
    return 0


def _in_its_process(flags, axis: str, amount: int) -> dict:
    # Spawned: TensorFlow does not survive a fork.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured_point, flags, axis, amount).result()


def exponent(amounts, times) -> float | None:
    """Of the power law through the first and the last point; None of a single one."""
    if len(amounts) < 2:
        return None
    return math.log(times[-1] / times[0]) / math.log(amounts[-1] / amounts[0])


def _draw(rows: list[dict], path: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    axes = list(dict.fromkeys(row["axis"] for row in rows))
    figure, panels = pyplot.subplots(
        2, len(axes), figsize=(2.6 * len(axes), 5), squeeze=False, layout="constrained"
    )
    for column, axis in enumerate(axes):
        own = [row for row in rows if row["axis"] == axis]
        amounts = [row["amount"] for row in own]
        for panel, key, label in zip(
            panels[:, column], ("median_ms", "memory_mb"), ("ms", "MB"), strict=True
        ):
            panel.plot(amounts, [row[key] for row in own], marker="o")
            panel.set_xlabel(axis)
            panel.set_ylabel(label)
            panel.set_ylim(bottom=0)
            panel.set_xlim(left=0)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    cli.run(main)
