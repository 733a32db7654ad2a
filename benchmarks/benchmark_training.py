"""Times the training step of a config on clips of noise, and the parts that it is made of.

    python benchmarks/benchmark_training.py --precision bfloat16 --batch_size 3
    python benchmarks/benchmark_training.py --num_frames 16 --size 112 --batch_size 2 --repeats 3

The clips lie ready: an input pipeline is timed by benchmark_input.py. "step" is the real one
(losses, gradients, clipping, the optimiser's update); "losses" its forward pass; "trunk forward"
and "trunk forward, backward" the trunk alone.
"""

import argparse

from measuring.models import add_flags, loaded, precision, synthetic_batch
from measuring.settings import settings

from avatx import cli


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser, batch_size=3)
    parser.add_argument("--people", type=int, default=3, help="in each clip; default %(default)s")
    parser.add_argument("--only_step", action="store_true", help="leave the parts out")
    parser.add_argument("--profile", action="store_true", help="operations that take longest")
    flags = parser.parse_args(argv)

    cli.import_tensorflow()
    from measuring import memory
    from measuring.flops import trunk_flops
    from measuring.profiling import profile
    from measuring.report import publish, table
    from measuring.timing import take_turns

    with loaded(flags) as config, precision(flags.precision):
        steps = training_steps(config, synthetic_batch(config, flags.batch_size, flags.people))
        if flags.only_step:
            steps = {"step": steps["step"]}
        step = steps.pop("step")
        memory.reset_peaks()
        timings = take_turns({"step": step}, flags.warm_up, flags.repeats)
        peaks = memory.peaks()
        timings |= take_turns(steps, flags.warm_up, flags.repeats) if steps else {}
        size = (config.num_frames, *config.size)
        forward = flags.batch_size * trunk_flops(size)
        operations = profile(step) if flags.profile else []

    passes = {"step": 3, "losses": 1, "trunk forward": 1, "trunk forward, backward": 3}
    results = [
        {
            "what": name,
            "clips_a_second": flags.batch_size / timing.median,
            "TFLOP_a_second": passes[name] * forward / timing.median / 1e12,
            **timing.as_dict(),
        }
        for name, timing in timings.items()
    ]
    notes = [f"3 x {forward / 1e9:,.1f} GFLOP a step; peak memory of the step {peaks}"]
    if operations:
        results.append({"what": "profile", "operations": operations})
        notes.append(table(operations))
    publish("benchmark_training", settings(flags), results, flags.json, notes)
    return 0


def training_steps(config, batch, distribution_strategy: str = "mirrored") -> dict:
    """What is timed, by name; each replica gets the whole `batch`."""
    import tensorflow as tf
    from measuring.ceiling import finish

    from avatx.training.action_detection_task import ActionDetectionTask
    from avatx.training.distribution import make_strategy
    from avatx.training.optimizer import build_optimizer

    experiment = config.experiment
    strategy, task = make_strategy(distribution_strategy), ActionDetectionTask(experiment.train)
    with strategy.scope():
        model = experiment.make_model()
        model.create_variables()
        optimizer = build_optimizer(experiment.train, model)

    @tf.function(autograph=False)
    def step(batch):
        return strategy.run(task.train_step, args=(batch, model, optimizer))

    @tf.function(autograph=False)
    def losses(batch):
        return task.compute_losses(batch, model)

    def features(clips):
        return tf.cast(model.trunk(model.preprocess(clips), training=True), tf.float32)

    @tf.function(autograph=False)
    def trunk_forward(batch):
        return tf.reduce_sum(features(batch.clips))

    @tf.function(autograph=False)
    def trunk_backward(batch):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(features(batch.clips))
        return tape.gradient(total, model.trunk.trainable_variables)

    return {
        "step": lambda: finish(
            tf.nest.map_structure(strategy.experimental_local_results, step(batch))
        ),
        "losses": lambda: finish(losses(batch)),
        "trunk forward": lambda: finish(trunk_forward(batch)),
        "trunk forward, backward": lambda: finish(trunk_backward(batch)),
    }


if __name__ == "__main__":
    cli.run(main)
