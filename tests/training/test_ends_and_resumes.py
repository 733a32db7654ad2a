"""Asked to end, cut off, its files damaged: the same command goes on, to the same result."""

import dataclasses
import json
import os
import signal

import linear_model
import numpy as np
import pytest
import tensorflow as tf
from linear_evaluated import experiment
from tiny_experiment import read_curves

from avatx import file_lock
from avatx.checkpoints import saver
from avatx.errors import UserError
from avatx.training import run
from avatx.training.best_checkpoint import BestCheckpoint


def values(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    keys = [key for key in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in key]
    return {key: reader.get_tensor(key) for key in keys if not key.startswith("save_counter")}


def assert_same(ours, theirs):
    ours, theirs = values(ours), values(theirs)
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)


def steps(directory):
    return sorted(int(path.stem.split("-")[1]) for path in directory.glob("ckpt-*.index"))


def signalled(model_dir, number, at, **train):
    """An experiment that gets a signal when it reads the batch of step `at`."""
    given = experiment(model_dir, **train)

    def make_train_dataset(batch_size, input_context, start_step):
        def send(step):
            if step == at:
                os.kill(os.getpid(), number)
            return step

        def with_signal(step, batch):
            step = tf.numpy_function(send, [step], tf.int64)
            with tf.control_dependencies([step]):
                return tf.nest.map_structure(tf.identity, batch)

        batches = given.make_train_dataset(batch_size, input_context, start_step)
        return batches.enumerate(start_step).map(with_signal)

    return dataclasses.replace(given, make_train_dataset=make_train_dataset)


@pytest.mark.parametrize(
    "number, error",
    [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)],
)
def test_a_signal_ends_training_with_its_step(tmp_path, capsys, number, error):
    """In the midst of a loop in the graph that has thousands of steps left."""
    handler = signal.getsignal(number)
    many = {"num_steps": 100_000, "checkpoint_interval": 100_000, "steps_per_loop": 100_000}
    with pytest.raises(error) as raised:
        run.train(signalled(tmp_path / "model", number, 20, **many, summary_interval=100_000))
    if error is SystemExit:
        assert raised.value.code == 143
    (step,) = steps(tmp_path / "model")
    assert 10 <= step < 100_000
    said = capsys.readouterr().out
    assert f"{signal.Signals(number).name}: ended after step {step}, saved in" in said
    assert "the same command goes on from there" in said
    assert signal.getsignal(number) == handler

    last = {"num_steps": step + 3, "checkpoint_interval": 100_000}
    run.train(experiment(tmp_path / "model", **last))
    assert f"resuming at step {step} from" in capsys.readouterr().out
    run.train(experiment(tmp_path / "whole", **last))
    # Dropout, too, draws what it would have drawn.
    assert_same(tmp_path / "model" / f"ckpt-{step + 3}", tmp_path / "whole" / f"ckpt-{step + 3}")


def test_dropout_drops_something_else_at_every_step_and_seed(tmp_path):
    ends = {}
    for seed in (0, 1):
        directory = tmp_path / str(seed)
        run.train(experiment(directory, seed=seed, num_steps=2))
        ends[seed] = values(directory / "ckpt-2")["model/kernel/.ATTRIBUTES/VARIABLE_VALUE"]
    assert (ends[0] != ends[1]).any()


def test_a_second_training_in_the_same_directory_refuses(tmp_path):
    run.train(experiment(tmp_path, num_steps=1))
    with file_lock.alone_in(tmp_path, "model_dir"):
        before = sorted(os.listdir(tmp_path))
        message = (
            rf"^model_dir {tmp_path}: process {os.getpid()} is at work in there; .*`model_dir`"
        )
        with pytest.raises(UserError, match=message):
            run.train(experiment(tmp_path, num_steps=2))
        assert sorted(os.listdir(tmp_path)) == before
        run.evaluate(experiment(tmp_path))  # it disturbs nobody
    run.train(experiment(tmp_path, num_steps=2))
    assert steps(tmp_path) == [1, 2]


def test_an_evaluation_that_was_cut_off_is_made(tmp_path, capsys, monkeypatch):
    """Also where its numbers were written already, and only its best checkpoint was not."""

    def cut_off(self, metrics, step):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BestCheckpoint, "offer", cut_off)
        with pytest.raises(KeyboardInterrupt):
            run.train_and_eval(experiment(tmp_path))
    assert steps(tmp_path) == [1, 2] and json.loads((tmp_path / "metrics.json").read_text())
    run.train_and_eval(experiment(tmp_path))
    assert "the evaluation of step 2 was cut off" in capsys.readouterr().out
    assert set(read_curves(tmp_path / "eval")["top_1"]) == {2, 4}
    assert (tmp_path / "best" / "best_ckpt-2.index").exists()
    # A training that goes on after an evaluation that was made does not make it again.
    run.train_and_eval(experiment(tmp_path, num_steps=6))
    assert "cut off" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b'model_checkpoint_path: "gone"', None])
def test_checkpoints_are_found_whatever_the_checkpoint_file_says(tmp_path, capsys, content):
    run.train(experiment(tmp_path, num_steps=2))
    if content is None:
        (tmp_path / "checkpoint").unlink()
    else:
        (tmp_path / "checkpoint").write_bytes(content)
    run.train_and_eval(experiment(tmp_path, num_steps=3))
    assert "resuming at step 2 from" in capsys.readouterr().out


def test_killed_in_the_first_checkpoint(tmp_path, capsys):
    run.train(experiment(tmp_path, num_steps=1))
    index = tmp_path / "ckpt-1.index"
    index.write_bytes(index.read_bytes()[:50])
    with pytest.raises(UserError, match="none of its 1 checkpoints can be read"):
        run.train(experiment(tmp_path, num_steps=2))  # `checkpoint` says that it was whole once
    (tmp_path / "checkpoint").unlink()
    run.train(experiment(tmp_path, num_steps=2))
    assert "cut off while it was written: training begins from the beginning" in (
        capsys.readouterr().out
    )
    run.train(experiment(tmp_path / "whole", num_steps=2))
    assert_same(tmp_path / "ckpt-2", tmp_path / "whole" / "ckpt-2")


def test_what_killed_trainings_left_goes(tmp_path):
    run.train_and_eval(experiment(tmp_path, num_steps=4))
    before = sorted(os.listdir(tmp_path)), sorted(os.listdir(tmp_path / "best"))
    litter = [
        "ckpt-9.data-00000-of-00001",
        "checkpoint.tmp0123456789abcdef",
        ".metrics.json.0123456789ab.partial",
        "ckpt-3.index.tempstate5557",
        "best/best_ckpt-9.data-00000-of-00001",
        "best/checkpoint.tmp0123",
        "best/.info.json.0123456789ab.partial",
    ]
    for name in litter:
        (tmp_path / name).write_text("half")
    for name in ("ckpt-9_temp", "best/best_ckpt-9_temp", ".unfinished-checkpoint-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").write_text("half")
    for suffix in (".index", ".data-00000-of-00001"):  # killed before the oldest was removed
        content = (tmp_path / f"ckpt-3{suffix}").read_bytes()
        (tmp_path / f"ckpt-1{suffix}").write_bytes(content)
    (tmp_path / "ckpt-7_temp.txt").write_text("of somebody else")
    run.train_and_eval(experiment(tmp_path, num_steps=4))  # nothing to do but this
    (tmp_path / "ckpt-7_temp.txt").unlink()
    assert (sorted(os.listdir(tmp_path)), sorted(os.listdir(tmp_path / "best"))) == before


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    run.train(experiment(tmp_path, num_steps=2))
    before = sorted(os.listdir(tmp_path))
    write = tf.train.Checkpoint.write

    def full(self, path, *arguments, **options):
        write(self, path, *arguments, **options)
        raise tf.errors.ResourceExhaustedError(None, None, f"{path}_temp; No space left on device")

    monkeypatch.setattr(tf.train.Checkpoint, "write", full)
    with pytest.raises(UserError, match="ckpt-3 cannot be saved: No space left .*ckpt-2, is whole"):
        run.train(experiment(tmp_path, num_steps=3))
    assert sorted(os.listdir(tmp_path)) == before


def test_an_evaluation_takes_the_newest_whole_checkpoint(tmp_path, capsys):
    run.train(experiment(tmp_path, num_steps=2))
    data = tmp_path / "ckpt-2.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:20])
    run.evaluate(experiment(tmp_path))
    assert "ckpt-2 is damaged" in capsys.readouterr().out
    assert json.loads((tmp_path / "metrics.json").read_text())["step"] == 1
    # One that was asked for by its name is that one or none.
    with pytest.raises(UserError, match="ckpt-2 is damaged: .*ckpt-1 is whole$"):
        run.evaluate(experiment(tmp_path), str(tmp_path / "ckpt-2"))


def test_a_better_checkpoint_of_an_earlier_step_takes_the_place_of_a_later_one(tmp_path):
    """As after the damaged checkpoints of a training were passed over."""
    model = linear_model.LinearModel()
    kept = saver.CheckpointSaver(tf.train.Checkpoint(model=model), str(tmp_path), "best_ckpt", 1)
    kept.save(9)
    kept.save(4)
    assert sorted(path.name for path in tmp_path.glob("best*")) == [
        "best_ckpt-4.data-00000-of-00001",
        "best_ckpt-4.index",
    ]
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("best_ckpt-4")
