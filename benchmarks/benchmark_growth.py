"""How time and memory grow: one axis at a time, a table, and a picture.

    python benchmarks/benchmark_growth.py --png docs/images/growth.png
    python benchmarks/benchmark_growth.py --axes detections videos        # no TensorFlow, a minute
    python benchmarks/benchmark_growth.py --axes frames size batch people proposals --base_size 64

Inference: frames (T), size (H = W), proposals (R), batch. Training step: people in a clip.
Evaluation: videos (the detections of each unchanged) and detections (a person's, in the same
videos). "exponent" is the slope of log time against log amount from the first to the last point: 1
is linear, 2 quadratic. Memory is the process's peak while the point ran, less what it held before.
"""

import argparse
import math
import resource

from measuring import memory
from measuring.models import PRECISIONS, add_timing_flags, loaded, precision, synthetic_batch
from measuring.report import publish
from measuring.settings import settings
from measuring.timing import measure

from avatx import cli

MODEL_AXES = {
    "frames": (8, 16, 32, 64),
    "size": (64, 96, 128, 192),
    "proposals": (50, 100, 200, 300),
    "batch": (1, 2, 4, 8),
    "people": (1, 4, 16, 64),
}
EVALUATION_AXES = {"videos": (4, 8, 16, 32), "detections": (10, 20, 40, 80)}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    axes = [*MODEL_AXES, *EVALUATION_AXES]
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
        amounts = (MODEL_AXES | EVALUATION_AXES)[axis][: flags.points]
        point = _evaluation_point if axis in EVALUATION_AXES else _model_point
        found = [{"axis": axis, "amount": n, **point(flags, axis, n)} for n in amounts]
        found[-1]["exponent"] = exponent(amounts, [row["median_ms"] for row in found])
        rows += found
    publish("benchmark_growth", settings(flags), rows, flags.json)
    if flags.png:
        _draw(rows, flags.png)
    return 0


def exponent(amounts, times) -> float | None:
    """Of the power law through the first and the last point; None of a single one."""
    if len(amounts) < 2:
        return None
    return math.log(times[-1] / times[0]) / math.log(amounts[-1] / amounts[0])


def _timed(flags, step, before: int) -> dict:
    timing = measure(step, flags.warm_up, flags.repeats)
    peaks = memory.peaks()
    return {
        **timing.as_dict(),
        "memory_mb": round((memory.host_peak() - before) / 1e6, 1),
        **{name: value for name, value in peaks.items() if name == "device_mb"},
    }


def _model_point(flags, axis: str, amount: int) -> dict:
    """A model of its own, built and timed."""
    cli.import_tensorflow()
    import tensorflow as tf
    from measuring.ceiling import finish

    options = argparse.Namespace(**vars(flags))
    options.num_frames = amount if axis == "frames" else flags.base_frames
    options.size = amount if axis == "size" else flags.base_size
    options.batch_size = amount if axis == "batch" else 1
    if axis == "proposals":
        field = "model.action_faster_rcnn.first_stage_max_proposals"
        options.override = [*flags.override, f"{field}={amount}"]
    tf_before = _held()
    memory.reset_peaks()
    with loaded(options) as config, precision(flags.precision):
        batch = synthetic_batch(config, options.batch_size, amount if axis == "people" else 3)
        if axis == "people":
            from benchmark_training import training_steps

            return _timed(flags, training_steps(config, batch)["step"], tf_before)
        model = config.experiment.make_model()
        model.create_variables()

        @tf.function(autograph=False)
        def whole(clips):
            return model.postprocess(model.predict(model.preprocess(clips)))

        return _timed(flags, lambda: finish(whole(batch.clips)), tf_before)


def _evaluation_point(flags, axis: str, amount: int) -> dict:
    from measuring.detections import KEYFRAMES_A_VIDEO, LABEL_MAP, make_tables

    from avatx.evaluation.frame_map import evaluate
    from avatx.evaluation.localization import evaluate_localization

    videos, rows = (amount, 50) if axis == "videos" else (4, amount)
    groundtruth, detections = make_tables(videos * KEYFRAMES_A_VIDEO, rows)
    before = _held()
    memory.reset_peaks()

    def step():
        evaluate(groundtruth, detections, LABEL_MAP)
        evaluate_localization(groundtruth, detections)

    return {"rows": len(detections), **_timed(flags, step, before)}


def _held() -> int:
    """Bytes that the process holds now; on systems without /proc its peak."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return memory.host_peak()


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
