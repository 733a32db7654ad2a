"""One replica, two replicas, micro-batches: the same training, within float error."""

import json

import numpy as np
import pytest

CODE = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
# With more threads the order of sums changes from run to run, and now and then a proposal or a
# maximum flips by it: that would test the luck of the day.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tiny_experiment import read_curves, tiny_experiment
from avatx.training import run

losses = {}
for name, strategy, parts in (
    ("one", "cpu", 1), ("parts", "cpu", 2), ("two", "mirrored:cpu:0,cpu:1", 2),
):
    experiment = tiny_experiment(
        f"{sys.argv[1]}/{name}", strategy, num_steps=4, checkpoint_interval=4, summary_interval=1,
        gradient_accumulation_steps=parts, weight_decay=1e-3, moving_average_decay=0.9,
    )
    run.train(experiment)
    losses[name] = read_curves(experiment.model_dir + "/train")
print(json.dumps(losses))
"""


@pytest.mark.long
def test_any_split_of_the_batch_gives_the_same_training(start_python, tmp_path):
    process = start_python(CODE, tmp_path)
    output, errors = process.communicate()
    assert process.returncode == 0, errors[-3000:]
    curves = json.loads(output.splitlines()[-1])
    one = curves["one"]
    names = [name for name in one if "oss" in name or name == "gradient_norm"]
    assert {"total_loss", "regularization_loss", "gradient_norm"} <= set(names)
    for other in ("parts", "two"):
        for name in names:
            steps = [str(step) for step in range(1, 5)]
            np.testing.assert_allclose(
                [curves[other][name][step] for step in steps],
                [one[name][step] for step in steps],
                rtol=2e-5,
                atol=1e-6,
                err_msg=f"{other}: {name}",
            )
    assert one["total_loss"]["4"] != one["total_loss"]["1"]
