"""Times what a user of an export waits for: import, load, the first clip and the next.

    python benchmarks/benchmark_export.py --num_frames 16 --size 112
    python benchmarks/benchmark_export.py --saved_model EXPORT

Each repeat is a process of its own, as a user's is.
"""

import argparse
import json
import subprocess
import sys
import tempfile

from measuring.models import add_flags, export_untrained, loaded, precision
from measuring.settings import settings

from avatx import cli

_USER = """
import json, sys, time
start = time.perf_counter()
import numpy as np, tensorflow as tf
times = {"import TensorFlow": time.perf_counter() - start}
def lap(name):
    global start
    times[name] = time.perf_counter() - start
    start = time.perf_counter()
start = time.perf_counter()
module = tf.saved_model.load(sys.argv[1])
lap("load")
serve = module.signatures["serving_default"]
clips = tf.constant(np.random.default_rng(0).integers(0, 255, json.loads(sys.argv[2]), np.uint8))
start = time.perf_counter()
for name in ("first clip", "second clip", "third clip"):
    serve(clips=clips)["num_detections"].numpy()
    lap(name)
print(json.dumps(times))
"""


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser, batch_size=1, repeats=3)
    parser.add_argument("--saved_model", help="default: one of random weights is made")
    flags = parser.parse_args(argv)
    if flags.repeats < 1:
        parser.error(f"--repeats {flags.repeats}: expected 1 or more")

    cli.import_tensorflow()
    from measuring.report import publish
    from measuring.timing import Timing, measure

    with loaded(flags) as config, tempfile.TemporaryDirectory() as directory:
        path, rows = flags.saved_model, []
        if path is None:
            path = f"{directory}/saved_model"
            with precision(flags.precision):
                took = measure(lambda: export_untrained(config, path), 0, 1)
            rows.append({"what": "export", **took.as_dict()})
        else:
            from avatx.inference.detector import find_saved_model

            path = find_saved_model(path)
        shape = [flags.batch_size, config.num_frames, *config.size, 3]
        runs = []
        for _ in range(flags.repeats):
            done = subprocess.run(
                [sys.executable, "-c", _USER, path, json.dumps(shape)],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    for name in runs[0]:
        timing = Timing(tuple(run[name] for run in runs))
        rows.append({"what": name, **timing.as_dict()})
    publish("benchmark_export", settings(flags), rows, flags.json)
    return 0


if __name__ == "__main__":
    cli.run(main)
