"""Killed and started again, a training goes on as if nothing had happened."""

import os
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from tiny_experiment import read_curves, tiny_experiment

from avatx.checkpoints import paths
from avatx.errors import UserError
from avatx.training import run

# Sums in another order change the last bits, and in ten steps a proposal may go the other way.
CODE = """
import sys
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
from tiny_experiment import tiny_experiment
from avatx.training import run
run.train(tiny_experiment(sys.argv[1], num_steps=int(sys.argv[2]), checkpoint_interval=3,
                          summary_interval=1, moving_average_decay=0.9))
"""


def values(directory):
    reader = tf.train.load_checkpoint(str(directory))
    keys = [key for key, _ in tf.train.list_variables(str(directory)) if "VARIABLE_VALUE" in key]
    return {key: reader.get_tensor(key) for key in keys}


def newest_readable_step(directory):
    for path in paths.checkpoint_paths(str(directory)):
        try:
            return paths.checkpoint_step(path)
        except UserError:  # killed while its index was written
            continue
    raise AssertionError("no checkpoint can be read")


def test_kill_9_and_start_again(start_python, tmp_path, capsys):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start_python(CODE, killed, 100000)
    while not (killed / "ckpt-6.index").exists():
        assert process.poll() is None, process.communicate()[1][-3000:]
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    resumed_at = newest_readable_step(killed)
    # Leftovers of a save that was cut off: the temporary folder, and values without an index.
    last = resumed_at + 4
    (killed / f"ckpt-{last}_temp").mkdir()
    (killed / f"ckpt-{last}_temp" / "part").write_text("half")
    (killed / f"ckpt-{last}.data-00000-of-00001").write_text("half")
    already = set(read_curves(killed / "train")["total_loss"])
    resumed, straight = start_python(CODE, killed, last), start_python(CODE, whole, last)
    output, errors = resumed.communicate()
    assert f"resuming at step {resumed_at} from" in output, errors[-3000:]
    assert straight.wait() == 0
    assert not (killed / f"ckpt-{last}_temp").exists()

    curves, expected = read_curves(killed / "train"), read_curves(whole / "train")
    assert set(curves["total_loss"]) == already | set(range(resumed_at + 1, last + 1))
    for name in ("total_loss", "learning_rate", "gradient_norm"):
        np.testing.assert_allclose(
            [curves[name][step] for step in range(resumed_at + 1, last + 1)],
            [expected[name][step] for step in range(resumed_at + 1, last + 1)],
            rtol=1e-6,
        )
    # Weights, momentum and averages, too, are those of the run that nobody killed.
    ours, theirs = values(killed), values(whole)
    assert ours.keys() == theirs.keys()
    assert any("momentum" in key for key in ours) and any("/average/" in key for key in ours)
    for key in ours:
        if not key.startswith("save_counter"):
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-5, atol=1e-7, err_msg=key)

    # Finished: nothing is done, and that is said.
    def times():
        paths = [path for path in killed.rglob("*") if path.name != "lock"]
        return {path: path.stat().st_mtime_ns for path in paths}

    before = times()
    run.train(tiny_experiment(killed, num_steps=last))
    assert "nothing to do" in capsys.readouterr().out
    assert before == times()


@pytest.mark.parametrize("state_file", [True, False])
def test_checkpoints_are_found_newest_first(tmp_path, state_file):
    assert paths.checkpoint_paths(str(tmp_path)) == []
    variable = tf.Variable(1.0)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(x=variable), str(tmp_path), max_to_keep=3, checkpoint_name="ckpt"
    )
    for step in (8, 9, 10, 100):
        manager.save(checkpoint_number=step)
    if not state_file:
        (tmp_path / "checkpoint").unlink()
    names = [os.path.basename(path) for path in paths.checkpoint_paths(str(tmp_path))]
    assert names == ["ckpt-100", "ckpt-10", "ckpt-9"]
