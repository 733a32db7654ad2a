"""Times a detector over clips of noise: whole, and its trunk alone against a ceiling.

    python benchmarks/benchmark_inference.py --precision bfloat16 --batch_size 4
    python benchmarks/benchmark_inference.py --saved_model EXPORT --batch_size 4
    python benchmarks/benchmark_inference.py --num_frames 16 --size 112 --repeats 3  # seconds

The ceiling is the trunk's convolutions, each by itself, in the same minutes. With --profile the
operations that take longest are printed too. Weights are random: no time depends on them but that
of non-max suppression, a little.
"""

import argparse

from measuring.models import add_flags, loaded, precision, synthetic_batch
from measuring.settings import settings

from avatx import cli


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser, batch_size=1)
    parser.add_argument("--saved_model", help="an export, timed in turns with the model in memory")
    parser.add_argument("--no_ceiling", action="store_true", help="leave the ceiling out")
    parser.add_argument("--profile", action="store_true", help="operations that take longest")
    flags = parser.parse_args(argv)

    cli.import_tensorflow()
    import tensorflow as tf
    from measuring import memory
    from measuring.ceiling import finish, measure_ceiling
    from measuring.flops import trunk_convolutions
    from measuring.profiling import profile
    from measuring.report import publish, table
    from measuring.timing import take_turns

    with loaded(flags) as config, precision(flags.precision):
        model = config.experiment.make_model()
        model.create_variables()
        clips = synthetic_batch(config, flags.batch_size).clips

        @tf.function(autograph=False)
        def whole(clips):
            return model.postprocess(model.predict(model.preprocess(clips)))

        @tf.function(autograph=False)
        def trunk(clips):
            return model.trunk(model.preprocess(clips), training=False)

        steps = {
            "whole": lambda: finish(whole(clips)),
            "trunk": lambda: finish(trunk(clips)),
        }
        if flags.saved_model:
            serve = _served(flags.saved_model)
            steps["saved model"] = lambda: finish(serve(clips=clips))
        memory.reset_peaks()
        timings = take_turns(steps, flags.warm_up, flags.repeats)
        peaks = memory.peaks()
        dtype = {"float32": tf.float32, "bfloat16": tf.bfloat16, "float16": tf.float16}
        convolutions = trunk_convolutions((config.num_frames, *config.size))
        flops = flags.batch_size * sum(one.flops for one in convolutions)
        ceiling = None
        if not flags.no_ceiling:
            ceiling = measure_ceiling(
                convolutions, flags.batch_size, dtype[flags.precision], 1, flags.repeats
            )
        operations = profile(steps["whole"]) if flags.profile else []

    results = [
        {
            "what": name,
            "clips_a_second": flags.batch_size / timing.median,
            "TFLOP_a_second": flops / timing.median / 1e12,
            "share_of_ceiling": ceiling and ceiling.seconds / timing.median,
            **timing.as_dict(),
        }
        for name, timing in timings.items()
    ]
    rest = 1 - timings["trunk"].median / timings["whole"].median
    notes = [
        f"heads, proposals and post-processing: {rest:.1%} of the whole",
        f"the trunk's convolutions: {flops / 1e9:,.1f} GFLOP a batch; peak memory {peaks}",
    ]
    if ceiling:
        results.append(
            {
                "what": "convolutions alone",
                "median_ms": ceiling.seconds * 1e3,
                "TFLOP_a_second": ceiling.flops_per_second / 1e12,
            }
        )
        notes += [
            f"of which {name}: {took * 1e3:.1f} ms at {rate / 1e12:.3f} TFLOP/s"
            for name, took, rate in ceiling.slowest
        ]
    if operations:
        results.append({"what": "profile", "operations": operations})
        notes.append(table(operations))
    publish("benchmark_inference", settings(flags), results, flags.json, notes)
    return 0


def _served(path: str):
    import tensorflow as tf

    from avatx.inference.detector import find_saved_model

    module = tf.saved_model.load(find_saved_model(path))
    serve = module.signatures["serving_default"]
    serve.keep = module  # its variables live no longer than what was loaded
    return serve


if __name__ == "__main__":
    cli.run(main)
