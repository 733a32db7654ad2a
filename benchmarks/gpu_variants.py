"""Times a training step and inference in every variant that may help a GPU, and prints one table.

For whoever gets a GPU: first where the plain step's time goes, then the variants, each against the
plain form in the same minutes (plain, variant, plain, variant ...). Synthetic clips, no files:

    python benchmarks/gpu_variants.py                       # all, at the paper's size
    python benchmarks/gpu_variants.py --only plain sweeps   # some
    python benchmarks/gpu_variants.py --frames 8 --size 64 --clips 1 --repeats 1 --proposals 20

The last is for a CPU, to see that everything runs. A variant that fails says why in its row and the
others go on. Each row is printed as it is known and appended to --output as a line of JSON.
"""

import argparse
import glob
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tf_keras

from avatx import config as pipeline_config
from avatx.builders import model_builder, training_builder
from avatx.core.structures import VIDEO_ID_BYTES, Batch, Groundtruth, Keyframes
from avatx.training.action_detection_task import ActionDetectionTask
from avatx.training.optimizer import build_optimizer
from avatx.training.run import _precision

MODEL = "model.action_faster_rcnn."
NMS = (
    f"{MODEL}first_stage_nms_implementation={{0}}",
    f"{MODEL}second_stage_post_processing.batch_non_max_suppression.implementation={{0}}",
)
TRUNK = f"{MODEL}trunk.i3d."

# Name -> what is overridden in the config. "plain" is what an untouched config does on this device.
VARIANTS = {
    "plain": [],
    "nms on the host": [one.format("COMBINED") for one in NMS],
    "nms by sweeps": [one.format("SWEEPS") for one in NMS],
    "pools along axes": [TRUNK + 'max_pool="AXIS_POOLS"'],
    "pools as maxima": [TRUNK + 'max_pool="AXIS_MAXIMA"'],
    "stem as blocks": [TRUNK + "stem_as_blocks=true"],
    "joint 1x1": [TRUNK + "joint_1x1=true"],
    "trunk by XLA": [TRUNK + "jit_compile=true"],
    "trunk by XLA, stem as blocks": [TRUNK + "jit_compile=true", TRUNK + "stem_as_blocks=true"],
    "trunk by XLA, pools as maxima": [
        TRUNK + "jit_compile=true",
        TRUNK + 'max_pool="AXIS_MAXIMA"',
    ],
    "update by XLA": ["train_config.jit_compile_update=true"],
    "recomputed": [TRUNK + "recompute=true"],
    "all but XLA": [
        TRUNK + 'max_pool="AXIS_POOLS"',
        TRUNK + "stem_as_blocks=true",
        TRUNK + "joint_1x1=true",
        "train_config.jit_compile_update=true",
    ],
    "all": [
        TRUNK + 'max_pool="AXIS_MAXIMA"',
        TRUNK + "stem_as_blocks=true",
        TRUNK + "joint_1x1=true",
        TRUNK + "jit_compile=true",
        "train_config.jit_compile_update=true",
    ],
}


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/ava/tx_highres_r300.config")
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), help="these variants alone")
    parser.add_argument("--precisions", nargs="*", default=["bfloat16"])
    parser.add_argument("--modes", nargs="*", default=["train", "infer"])
    parser.add_argument("--clips", type=int, default=3, help="a step; inference has one more")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--proposals", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5, help="timings of a variant, of --steps")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--profile", default="", help="folder for the trace of the plain form")
    parser.add_argument("--output", default="", help="file for the rows as lines of JSON")
    return parser.parse_args(argv)


def experiment_of(arguments, precision, overrides):
    changes = [
        f"{MODEL}clip.num_frames={arguments.frames}",
        f"{MODEL}image_resizer.fixed_shape_resizer.height={arguments.size}",
        f"{MODEL}image_resizer.fixed_shape_resizer.width={arguments.size}",
        f"{MODEL}first_stage_max_proposals={arguments.proposals}",
        f"train_config.precision={precision.upper()}",
        f"train_config.batch_size={arguments.clips}",
    ]
    return pipeline_config.load(arguments.config, [*changes, *overrides])


def make_batch(clips, arguments, num_classes, boxes=64):
    generator = np.random.default_rng(0)
    corner = generator.uniform(0, 0.5, [clips, boxes, 2])
    shape = [clips, arguments.frames, arguments.size, arguments.size, 3]
    return Batch(
        clips=tf.constant(generator.integers(0, 256, shape, np.uint8)),
        groundtruth=Groundtruth(
            tf.constant(np.concatenate([corner, corner + 0.3], -1), tf.float32),
            tf.constant(generator.random([clips, boxes, num_classes]) < 0.03, tf.float32),
            tf.fill([clips], 3),
            tf.constant(generator.integers(0, 99, [clips, 2]), tf.int32),
        ),
        keyframes=Keyframes(
            tf.zeros([clips, VIDEO_ID_BYTES], tf.uint8), tf.zeros([clips], tf.float64)
        ),
        valid=tf.ones([clips], tf.bool),
    )


def step_function(config, mode, arguments):
    """() -> one scalar that is known when a step, or a detection, is done; and clips a call."""
    on_device = tf.config.list_logical_devices("GPU")
    device = on_device[0].name if on_device else tf.config.list_logical_devices("CPU")[0].name
    strategy = tf.distribute.OneDeviceStrategy(device)
    options = training_builder.build_train_options(config.train_config)
    task = ActionDetectionTask(options)
    clips = arguments.clips + (mode == "infer")
    tf_keras.utils.set_random_seed(0)  # so that the column `result` may be compared
    with strategy.scope():
        model = model_builder.build(config.model)
        optimizer = build_optimizer(options, model) if mode == "train" else None
    with tf.device(device):
        batch = tf.nest.map_structure(tf.identity, make_batch(clips, arguments, model.num_classes))

    @tf.function(autograph=False)
    def train():
        return strategy.run(task.train_step, args=(batch, model, optimizer))["total_loss"]

    @tf.function(autograph=False)
    def infer():
        def detect():
            detections = model.postprocess(model.predict(model.preprocess(batch.clips)))
            return tf.reduce_sum(detections.scores)

        return strategy.run(detect)

    return (train if mode == "train" else infer), clips


def seconds(function, steps):
    begin = time.perf_counter()
    for _ in range(steps):
        result = function()
    float(result)
    return (time.perf_counter() - begin) / steps


def memory(reset=False):
    """Peak of the GPU's memory in GB; of the process where there is none."""
    if tf.config.list_physical_devices("GPU"):
        if reset:
            tf.config.experimental.reset_memory_stats("GPU:0")
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(name, precision, mode, arguments, plain):
    """A row: the variant's time and, in the same minutes, the plain form's."""
    row = {"variant": name, "precision": precision, "mode": mode}
    memory(reset=True)
    with _precision(precision):
        config = experiment_of(arguments, precision, VARIANTS[name])
        function, clips = step_function(config, mode, arguments)
        begin = time.perf_counter()
        row["result"] = float(function())
        row["first_call_s"] = time.perf_counter() - begin
        operations = Counter(
            node.op
            for graph in [function.get_concrete_function().graph.as_graph_def()]
            for nodes in [graph.node, *(f.node_def for f in graph.library.function)]
            for node in nodes
        )
        row["nodes"] = sum(operations.values()) - operations["Const"]
        seconds(function, 2)
        row["peak_gb"] = memory()
        ours, theirs = [], []
        for _ in range(arguments.repeats):
            ours.append(seconds(function, arguments.steps))
            if plain is not None:
                theirs.append(seconds(plain, arguments.steps))
    row["ms"] = 1e3 * statistics.median(ours)
    row["ms_least"], row["ms_most"] = 1e3 * min(ours), 1e3 * max(ours)
    row["clips_per_second"] = clips / statistics.median(ours)
    if theirs:
        row["times_plain"] = statistics.median(theirs) / statistics.median(ours)
    return row, function


def profile(function, folder, steps=3):
    """Prints what takes longest: kernels of a GPU, or operations of a CPU."""
    tf.profiler.experimental.start(folder)
    seconds(function, steps)
    tf.profiler.experimental.stop()
    try:
        from tensorflow.tsl.profiler.protobuf import xplane_pb2
    except ImportError:
        from tsl.profiler.protobuf import xplane_pb2
    paths = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)
    with open(max(paths, key=os.path.getmtime), "rb") as file:
        space = xplane_pb2.XSpace.FromString(file.read())
    planes = [p for p in space.planes if p.name.startswith("/device:GPU")]
    for plane in planes or [p for p in space.planes if p.name == "/host:CPU"]:
        times: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        first, last = float("inf"), 0.0
        for line in plane.lines:
            if planes and "Stream" not in line.name:
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name[:100]
                times[name] += event.duration_ps
                counts[name] += 1
                at = line.timestamp_ns * 1e3 + event.offset_ps
                first, last = min(first, at), max(last, at + event.duration_ps)
        span = (last - first) / 1e9 / steps
        busy = sum(times.values()) / 1e9 / steps
        print(f"{plane.name}: {busy:.1f} ms busy of {span:.1f} ms a step, "
              f"{sum(counts.values()) // steps} events")  # fmt: skip
        for name, picoseconds in times.most_common(40):
            print(f"{picoseconds / 1e9 / steps:9.2f} ms {counts[name] // steps:5d}x  {name}")


def main(argv=None) -> int:
    arguments = parse(argv)
    names = arguments.only or list(VARIANTS)
    devices = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    print(f"TensorFlow {tf.__version__}, {', '.join(devices) or 'CPU'}, {os.cpu_count()} cores")
    for precision in arguments.precisions:
        for mode in arguments.modes:
            plain = None
            for name in ["plain", *(name for name in names if name != "plain")]:
                try:
                    row, function = measure(name, precision, mode, arguments, plain)
                except Exception as error:  # the other rows are worth having
                    row = {"variant": name, "precision": precision, "mode": mode}
                    row["error"] = f"{type(error).__name__}: {str(error).splitlines()[0][:150]}"
                    function = None
                if name == "plain":
                    plain = function
                    if plain is not None:
                        folder = arguments.profile or tempfile.mkdtemp()
                        profile(plain, os.path.join(folder, f"{precision}_{mode}"))
                        print(f"{'mode':6}{'precision':10}{'variant':32}{'ms':>9}{'least':>9}"
                              f"{'clips/s':>9}{'x plain':>8}{'GB':>7}{'nodes':>7}{'first s':>8}"
                              f"{'result':>10}")  # fmt: skip
                show(row)
                if arguments.output:
                    with open(arguments.output, "a") as file:
                        file.write(json.dumps(row) + "\n")
                del function
    return 0


def show(row) -> None:
    start = f"{row['mode']:6}{row['precision']:10}{row['variant']:32}"
    if "error" in row:
        print(start + row["error"], flush=True)
        return
    print(f"{start}{row['ms']:9.1f}{row['ms_least']:9.1f}{row['clips_per_second']:9.2f}"
          f"{row.get('times_plain', 1.0):8.2f}{row['peak_gb']:7.2f}{row['nodes']:7d}"
          f"{row['first_call_s']:8.1f}{row['result']:10.4f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
