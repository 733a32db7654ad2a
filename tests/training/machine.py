"""One machine of several that train together on loopback: `python machine.py SETTINGS`, JSON."""

import json
import os
import sys

settings = json.loads(sys.argv[1])
if settings["addresses"]:
    task = {"type": "worker", "index": settings["index"]}
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": settings["addresses"]}, "task": task}
    )

import avatx  # noqa: E402, F401, before TensorFlow
from avatx import cli  # noqa: E402


def main() -> None:
    cli.import_tensorflow()
    import tensorflow as tf

    # As everywhere where numbers of two runs are compared: one order of sums.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if not settings["addresses"]:
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    from avatx.training import distribution

    strategy = "multi_worker_mirrored" if settings["addresses"] else "mirrored:cpu:0,cpu:1"
    distribution.join(strategy, settings.get("timeout", 300.0))

    from tiny_experiment import make_model, tiny_experiment

    from avatx.training import run
    from avatx.training.trainer import ModelTrainer

    loop_end = ModelTrainer.train_loop_end

    def train_loop_end(self) -> None:
        """Ends a step; at some this machine gets a signal."""
        loop_end(self)
        number = settings.get("signals", {}).get(str(int(self._global_step.numpy())))
        if number:
            os.kill(os.getpid(), number)

    ModelTrainer.train_loop_end = train_loop_end
    experiment = tiny_experiment(
        settings["model_dir"],
        strategy,
        make_model=lambda: make_model(batch_norm=settings.get("batch_norm", "SYNC")),
        interval=settings.get("interval", 0),
        summary_interval=1,
        steps_per_loop=1,
        moving_average_decay=0.9,
        weight_decay=1e-3,
        **settings.get("train", {}),
    )
    getattr(run, settings.get("run", "train_and_eval"))(experiment)


if __name__ == "__main__":
    cli.run(main)
