"""Folding is exact, and synchronised statistics are those of the whole batch."""

import subprocess
import sys

import numpy as np
import tensorflow as tf

from avatx.layers import batch_norm
from avatx.trunks import i3d_blocks


def test_fold_equals_batch_norm_behind_the_convolution_with_its_gradients():
    random = np.random.default_rng(1)
    unit = i3d_blocks.ConvUnit(8, (3, 3, 3))
    inputs = tf.constant(random.normal(size=(2, 3, 5, 5, 4)), tf.float32)
    unit.build(inputs.shape)
    unit.batch_norm.moving_mean.assign(random.normal(size=8))
    unit.batch_norm.moving_variance.assign(random.uniform(0.1, 3, size=8))
    unit.batch_norm.beta.assign(random.normal(size=8))

    def plain():
        outputs = tf.nn.conv3d(inputs, unit.kernel, (1, 1, 1, 1, 1), "SAME")
        norm = unit.batch_norm
        outputs = (outputs - norm.moving_mean) / tf.sqrt(norm.moving_variance + batch_norm.EPSILON)
        return tf.nn.relu(outputs + norm.beta)

    results = []
    for function in (plain, lambda: unit(inputs, training=True)):
        with tf.GradientTape() as tape:
            outputs = function()
            loss = tf.reduce_sum(outputs**2)
        results.append([outputs, *tape.gradient(loss, unit.trainable_variables)])
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_layer_alone_is_what_fold_says():
    norm = batch_norm.BatchNorm()
    inputs = tf.random.normal([4, 2, 3, 3, 6])
    norm.build(inputs.shape)
    norm.moving_variance.assign(tf.random.uniform([6], 0.5, 2.0))
    scale, offset = norm.fold()
    np.testing.assert_allclose(norm(inputs, training=True), inputs * scale + offset, atol=1e-5)


_TWO_REPLICAS = """
import avatx, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from avatx.layers.batch_norm import BatchNorm
values = np.random.default_rng(0).normal(size=(4, 2, 3, 3, 5)).astype(np.float32)
values[2:] += 3  # so that the halves' own statistics differ
alone = BatchNorm("TRAINED")
expected = alone(values, training=True).numpy()
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    norm = BatchNorm("SYNC")
    norm.build(values.shape)
halves = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant(np.split(values, 2)[context.replica_id_in_sync_group]))
run = tf.function(lambda: strategy.run(lambda x: norm(x, training=True), args=(halves,)),
                  autograph=False)
actual = np.concatenate(strategy.experimental_local_results(run()))
np.testing.assert_allclose(actual, expected, atol=1e-4)
np.testing.assert_allclose(norm.moving_mean.numpy(), alone.moving_mean.numpy(), atol=1e-5)
print("same")
"""


def test_sync_normalises_with_the_statistics_of_both_replicas():
    """In a process of its own: logical devices cannot be made once TensorFlow runs."""
    result = subprocess.run(
        [sys.executable, "-c", _TWO_REPLICAS], capture_output=True, text=True, check=False
    )
    assert result.stdout.endswith("same\n"), result.stderr[-2000:]
