"""A step of two clips, one on each of two replicas: numbers and weights of the step by hand."""

import json

import numpy as np
import pytest
from linear_model import LABELS, LOSS, NORM, XS

CODE = """
import dataclasses, json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import linear_model
from tiny_experiment import read_curves
from avatx.training import run

alone = [([x], [label]) for x, label in zip(linear_model.XS, linear_model.LABELS)]
found = {}
for name, options in (
    ("float16", {"precision": "float16"}),
    ("clipped", {"gradient_clipping_by_norm": 1.0, "moving_average_decay": 0.15}),
    ("slowed", {"num_steps": 2}),
    ("slowed float16", {"precision": "float16"}),
):
    experiment = linear_model.experiment(f"{sys.argv[1]}/{name}", alone, **options)
    if "slowed" in name:
        optimizer = dataclasses.replace(
            experiment.train.optimizer, learning_rate_multipliers=(("kern", 0.25), (".", 0.0))
        )
        train = dataclasses.replace(experiment.train, optimizer=optimizer)
        experiment = dataclasses.replace(experiment, train=train)
    experiment = dataclasses.replace(experiment, distribution_strategy="mirrored:cpu:0,cpu:1")
    run.train(experiment)
    reader = tf.train.load_checkpoint(experiment.model_dir)
    keys = {key.split("/.ATTR")[0]: key for key, _ in tf.train.list_variables(experiment.model_dir)}
    values = {
        name: reader.get_tensor(key).tolist() for name, key in keys.items() if "model/" in name
    }
    curves = read_curves(experiment.model_dir + "/train")
    found[name] = {"values": values, **{key: curves[key][min(curves[key])]
                   for key in ("total_loss", "gradient_norm")}}
print(json.dumps(found))
"""


def test_two_replicas_are_one(start_python, tmp_path):
    process = start_python(CODE, tmp_path)
    output, errors = process.communicate()
    assert process.returncode == 0, errors[-3000:]
    found = json.loads(output.splitlines()[-1])
    start, gradient = np.array([0.5, -0.25]), np.array([2.65, -0.65])
    factors = {"float16": 1.0, "slowed float16": 0.25, "clipped": 1 / NORM}
    for name, factor in factors.items():
        run = found[name]
        assert run["total_loss"] == pytest.approx(LOSS, rel=1e-5), name
        assert run["gradient_norm"] == pytest.approx(NORM, rel=1e-5), name
        expected = start - 0.1 * factor * gradient
        np.testing.assert_allclose(np.ravel(run["values"]["model/kernel"]), expected, rtol=1e-5)
    # A second step from the first: each replica computes it with weights of its own.
    slowed = start
    for _ in range(2):
        errors = np.array(XS) @ slowed + 0.1 - LABELS
        slowed = slowed - 0.25 * 0.1 * np.mean(2 * errors[:, np.newaxis] * XS, axis=0)
    run = found["slowed"]
    np.testing.assert_allclose(np.ravel(run["values"]["model/kernel"]), slowed, rtol=1e-5)
    assert np.ravel(run["values"]["model/bias"]) == [np.float32(0.1)]
    average = found["clipped"]["values"]["model/kernel/.OPTIMIZER_SLOT/optimizer/average"]
    np.testing.assert_allclose(np.ravel(average), 0.15 * start + 0.85 * expected, rtol=1e-5)
