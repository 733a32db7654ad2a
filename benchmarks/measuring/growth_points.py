"""One point of an axis of benchmark_growth.py: built, timed, and thrown away."""

import argparse
import os
import resource
import tempfile

import numpy as np

from avatx import cli
from measuring import memory
from measuring.models import export_untrained, loaded, precision, synthetic_batch
from measuring.timing import measure

_REPLICAS = (1, 2, 4)
_FRAMES_A_SECOND = 25  # of the made videos


def _timed(flags, step, before: int) -> dict:
    timing = measure(step, flags.warm_up, flags.repeats)
    peaks = memory.peaks()
    return {
        **timing.as_dict(),
        "memory_mb": round((memory.host_peak() - before) / 1e6, 1),
        **{name: value for name, value in peaks.items() if name == "device_mb"},
    }


def _model_point(flags, axis: str, amount: int) -> dict:
    """Inference by a model of its own; with `people`, its training step."""
    import tensorflow as tf

    from measuring.ceiling import finish

    options = _options(flags, batch_size=amount if axis == "batch" else 1)
    if axis in ("frames", "size"):
        vars(options)["num_frames" if axis == "frames" else "size"] = amount
    if axis == "proposals":
        field = "model.action_faster_rcnn.first_stage_max_proposals"
        options.override = [*flags.override, f"{field}={amount}"]
    before = _held()
    memory.reset_peaks()
    with loaded(options) as config, precision(flags.precision):
        batch = synthetic_batch(config, options.batch_size, amount if axis == "people" else 3)
        if axis == "people":
            from benchmark_training import training_steps

            return _timed(flags, training_steps(config, batch)["step"], before)
        model = config.experiment.make_model()
        model.create_variables()

        @tf.function(autograph=False)
        def whole(clips):
            return model.postprocess(model.predict(model.preprocess(clips)))

        return _timed(flags, lambda: finish(whole(batch.clips)), before)


def _seconds_point(flags, axis: str, amount: int) -> dict:
    """People of a video of so many seconds, from the file on; its export is made before."""
    import avatx

    with tempfile.TemporaryDirectory() as directory:
        film, export = os.path.join(directory, "film.mp4"), os.path.join(directory, "export")
        with loaded(_options(flags)) as config, precision(flags.precision):
            export_untrained(config, export)
            _write_film(film, amount, config.size)
        detector = avatx.load(export)
        before = _held()
        memory.reset_peaks()
        return _timed(flags, lambda: detector.detect(film), before)


def _write_film(path: str, seconds: int, size: tuple[int, int]) -> None:
    """A bright square on its way over the picture."""
    from avatx.data.video.video_writer import VideoWriter

    frame = np.full((*size, 3), 40, np.uint8)
    with VideoWriter(path, _FRAMES_A_SECOND, *size) as writer:
        for index in range(seconds * _FRAMES_A_SECOND):
            left = index % (size[1] // 2)
            frame[:] = 40
            frame[size[0] // 4 : size[0] // 2, left : left + size[1] // 4] = 220
            writer.write(frame)


def _replicas_point(flags, axis: str, amount: int) -> dict:
    """The training step of one batch that so many logical replicas share."""
    import tensorflow as tf
    from benchmark_training import training_steps

    (cpu, *_) = tf.config.list_physical_devices("CPU")
    one = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [one] * amount)
    before = _held()
    memory.reset_peaks()
    options = _options(flags, batch_size=max(_REPLICAS))
    with loaded(options) as config, precision(flags.precision):
        batch = synthetic_batch(config, options.batch_size // amount)
        names = ",".join(f"cpu:{index}" for index in range(amount))
        steps = training_steps(config, batch, f"mirrored:{names}")
        return _timed(flags, steps["step"], before)


def _options(flags, batch_size: int = 1) -> argparse.Namespace:
    """The flags as those of a benchmark of one size."""
    sizes = {"num_frames": flags.base_frames, "size": flags.base_size, "batch_size": batch_size}
    return argparse.Namespace(**vars(flags) | sizes)


def _evaluation_point(flags, axis: str, amount: int) -> dict:
    from avatx.evaluation.frame_map import evaluate
    from avatx.evaluation.localization import evaluate_localization
    from avatx.freed_memory import give_back
    from measuring.detections import KEYFRAMES_A_VIDEO, LABEL_MAP, make_tables

    videos, rows = (amount, 50) if axis == "videos" else (4, amount)
    groundtruth, detections = make_tables(videos * KEYFRAMES_A_VIDEO, rows)
    give_back()  # what making them took
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


AMOUNTS = {
    "frames": (8, 16, 32, 64),
    "size": (64, 96, 128, 192),
    "proposals": (50, 100, 200, 300),
    "batch": (1, 2, 4, 8),
    "people": (1, 4, 16, 64),
    "seconds": (4, 8, 16, 32),
    "replicas": _REPLICAS,
    "videos": (4, 8, 16, 32),
    "detections": (10, 20, 40, 80),
}
_POINTS = {
    "seconds": _seconds_point,
    "replicas": _replicas_point,
    "videos": _evaluation_point,
    "detections": _evaluation_point,
}


def measured_point(flags: argparse.Namespace, axis: str, amount: int) -> dict:
    """Times and memory of one of the axis's `AMOUNTS`, in a process that has done nothing else."""
    point = _POINTS.get(axis, _model_point)
    if point is not _evaluation_point:
        cli.import_tensorflow()
    return point(flags, axis, amount)
