"""Batch norm from scratch: the detector's statistics, on one replica and on two."""

import json

import numpy as np
import pytest

CODE = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import avatx
from tiny_experiment import make_clip, make_model
from avatx.predictors.i3d import I3DBoxPredictor
from avatx.checkpoints.reader import variables_by_path
from avatx.training.seed import set_random_seed

def make(mode, head, momentum):
    set_random_seed(0)
    return make_model(batch_norm=mode, batch_norm_momentum=momentum, head=head)

def statistics(model):
    return {path: variable.numpy().tolist() for path, variable in variables_by_path(model).items()
            if "moving_" in path}

def losses(model, batch):
    predictions = model.predict(model.preprocess(batch.clips), batch.groundtruth, training=True)
    return model.loss(predictions, batch.groundtruth)

clips = [make_clip(number) for number in range(4)]
batch, *halves = [tf.nest.map_structure(lambda *t: tf.stack(t), *part)
                  for part in (clips, clips[:2], clips[2:])]
found = {}
for name, mode, momentum in (("whole", "SYNC", 0.9), ("one", "TRAINED", 0.9),
                             ("slow", "TRAINED", 0.99), ("frozen", "FROZEN", 0.9)):
    model = make(mode, sys.argv[1], momentum)
    found["start"] = statistics(model)
    values = losses(model, batch)
    found[name] = {"losses": {k: float(v) for k, v in values.items()}, **statistics(model)}
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for name, mode in (("two", "SYNC"), ("apart", "TRAINED")):
    with strategy.scope():
        model = make(mode, sys.argv[1], 0.9)
    given = [strategy.experimental_distribute_values_from_function(
        lambda context, i=i: tf.nest.flatten(halves[context.replica_id_in_sync_group])[i])
        for i in range(len(tf.nest.flatten(batch)))]
    run = tf.function(lambda parts: strategy.run(
        lambda parts: losses(model, tf.nest.pack_sequence_as(batch, parts)), args=(parts,)),
        autograph=False)
    values = strategy.reduce("MEAN", run(given), axis=None)
    found[name] = {"losses": {k: float(v) for k, v in values.items()}, **statistics(model)}
print(json.dumps(found))
"""


def differences(found, one, other):
    """Largest difference of each moving statistic."""
    return {
        path: np.abs(np.subtract(found[one][path], found[other][path])).max()
        for path in found["start"]
    }


def check(found):
    for path, difference in differences(found, "two", "whole").items():
        assert difference < 1e-5, path  # SYNC: two replicas are one
    for path, difference in differences(found, "one", "whole").items():
        # And one is TRAINED, but for the N / (N - 1) that TensorFlow's fused kernel puts on the
        # moving variance of N cells.
        assert difference < (1e-5 if path.endswith("mean") else 1e-2), path
    for name, loss in found["two"]["losses"].items():
        for other in ("whole", "one"):
            np.testing.assert_allclose(loss, found[other]["losses"][name], rtol=1e-5, err_msg=name)
    assert max(differences(found, "apart", "whole").values()) > 1e-3  # and else they are not
    assert max(differences(found, "frozen", "start").values()) == 0
    for path, start in found["start"].items():
        start, fast, slow = (
            np.array(values) for values in (start, found["one"][path], found["slow"][path])
        )
        assert np.abs(fast - start).max() > 0, path
        # One step moves by (1 - momentum) times the same: ten times as far.
        np.testing.assert_allclose(fast - start, 10 * (slow - start), rtol=1e-2, atol=1e-5)


def test_tx_head(start_python):
    check(run(start_python, "tx"))


@pytest.mark.long
def test_i3d_head(start_python):
    found = run(start_python, "i3d")
    assert any("box_predictor/tail" in path for path in found["start"])
    check(found)


def run(start_python, head):
    process = start_python(CODE, head)
    output, errors = process.communicate()
    assert process.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])
