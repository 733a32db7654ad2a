"""Where a step's time goes by operation: kernels on a GPU, operations on a CPU."""

import glob
import os
import tempfile
from collections import Counter
from collections.abc import Callable


def profile(step: Callable[[], object], steps: int = 3, top: int = 40) -> list[dict]:
    """Runs a step under TensorFlow's profiler.

    Args:
      step: what is profiled, warmed up before, done when it returns.
      steps: how often.
      top: how many rows are given.

    Returns:
      A row an operation, those that take longest first: `operation`, `ms_a_step` and
      `times_a_step`, added over threads (on a CPU) or streams (on a GPU), and `share` of all.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(steps):
                step()
        traces = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        with open(max(traces, key=os.path.getmtime), "rb") as file:
            return rows_of(file.read(), steps, top)


def rows_of(serialized: bytes, steps: int, top: int) -> list[dict]:
    """The rows of `profile` from the bytes of a trace (an XSpace)."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    planes = xplane_pb2.XSpace.FromString(serialized).planes
    gpus = [plane for plane in planes if plane.name.startswith("/device:GPU")]
    time: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for plane in gpus or [plane for plane in planes if plane.name == "/host:CPU"]:
        for line in plane.lines:
            if gpus and "Stream" not in line.name:
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if not gpus:
                    # Operations are "gradients/x:Conv3DBackpropFilterV2"; others are no work.
                    if ":" not in name or "::" in name:
                        continue
                    name = name.rsplit(":", 1)[1].split("#")[0].strip()
                    if name.startswith("__inference"):  # the whole step, which holds the others
                        continue
                time[name] += event.duration_ps
                count[name] += 1
    whole = sum(time.values()) or 1
    return [
        {
            "operation": name[:90],
            "ms_a_step": round(duration / 1e9 / steps, 3),
            "times_a_step": round(count[name] / steps, 1),
            "share": round(duration / whole, 4),
        }
        for name, duration in time.most_common(top)
    ]
