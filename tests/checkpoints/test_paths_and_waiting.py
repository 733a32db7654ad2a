"""Which checkpoints a folder holds, whatever it is called and whatever `checkpoint` says."""

import os
import threading
import time

import pytest
import tensorflow as tf
import tiny_classification

from avatx import errors
from avatx.checkpoints import paths, reader, restore, waiting
from avatx.training import run

AWKWARD = ["[a] first", "a?b", "a*b", "back\\slash", "{a,b}", "[!x]", "tést"]


def save(directory, *steps):
    x = tf.Variable(1.0)
    checkpoint = tf.train.Checkpoint(x=x, global_step=tf.Variable(0, dtype=tf.int64))
    manager = tf.train.CheckpointManager(checkpoint, str(directory), 9, checkpoint_name="ckpt")
    for step in steps:
        checkpoint.global_step.assign(step)
        x.assign(float(step))
        manager.save(checkpoint_number=step)


@pytest.mark.parametrize("state", ["whole", "missing", "empty", "damaged", "of elsewhere"])
def test_the_checkpoint_file_is_not_needed(tmp_path, state):
    save(tmp_path, 9, 100, 20)
    file = tmp_path / "checkpoint"
    if state == "missing":
        file.unlink()
    elif state != "whole":
        elsewhere = (
            'model_checkpoint_path: "/gone/ckpt-9"\nall_model_checkpoint_paths: "/gone/ckpt-9"'
        )
        file.write_text({"empty": "", "damaged": "mo\0del", "of elsewhere": elsewhere}[state])
    names = [os.path.basename(path) for path in paths.checkpoint_paths(str(tmp_path))]
    assert names == ["ckpt-100", "ckpt-20", "ckpt-9"]
    assert paths.resolve_checkpoint(str(tmp_path)) == str(tmp_path / "ckpt-100")
    assert next(waiting.new_checkpoints(str(tmp_path), 0.0)) == str(tmp_path / "ckpt-100")


@pytest.mark.parametrize("name", AWKWARD)
def test_folders_that_read_as_patterns(tmp_path, name):
    (tmp_path / name).mkdir()
    save(tmp_path / name, 7)
    path = paths.resolve_checkpoint(str(tmp_path / name))
    assert path == str(tmp_path / name / "ckpt-7")
    found = reader.CheckpointReader(path)
    assert found.step == 7 and found.values()["x"] == 7.0


@pytest.mark.parametrize("name", ["[a] first", "a*b"])
def test_a_training_goes_on_and_is_evaluated_there(tmp_path, name, capfd):
    directory = tmp_path / name
    run.train(tiny_classification.tiny_classification(directory, num_steps=2))
    run.train(tiny_classification.tiny_classification(directory, num_steps=3))
    assert "resuming at step 2 from" in capfd.readouterr().out
    metrics = run.train_and_eval(tiny_classification.tiny_classification(directory, num_steps=4))
    output = capfd.readouterr()
    assert "damaged" not in output.out + output.err
    assert run.evaluate(tiny_classification.tiny_classification(directory)) == metrics
    model = tiny_classification.make_model()
    assert restore.restore_for_inference(model, str(directory / "best")) == 4


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001"])
def test_a_prefix_is_evaluated_once(tmp_path, suffix, capsys):
    model = tmp_path / "model"
    run.train(tiny_classification.tiny_classification(model, num_steps=4))
    beside = tiny_classification.tiny_classification(tmp_path / "beside", num_steps=9)
    capsys.readouterr()
    assert run.evaluate_continuously(beside, str(model / f"ckpt-2{suffix}"), 600.0)
    output = capsys.readouterr().out
    assert "evaluation at step 2:" in output and "waiting" not in output


class Clock:
    """Stands still but while somebody sleeps."""

    now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_a_folder_that_is_not_there_is_said_at_once_and_while_waiting(
    tmp_path, capsys, monkeypatch
):
    directory = tmp_path / "later"
    assert waiting.absence(str(directory)) == f"{directory} is not there yet"
    with monkeypatch.context() as patch:
        patch.setattr(waiting, "time", Clock())
        coming = waiting.new_checkpoints(str(directory), 100.0, interval=5.0, remind=30.0)
        assert list(coming) == []
    assert capsys.readouterr().out.splitlines() == [
        f"{directory} is not there yet: waiting, {left} seconds more" for left in (70, 40, 10)
    ]
    directory.mkdir()
    assert waiting.absence(str(directory)) == f"{directory} holds no checkpoint yet"
    save(directory, 3)
    assert waiting.absence(str(directory)) == ""

    experiment = tiny_classification.tiny_classification(tmp_path / "beside")
    with pytest.raises(
        errors.UserError, match="^checkpoint_dir .*none is not there yet: no .* 0.1 s"
    ):
        run.evaluate_continuously(experiment, str(tmp_path / "none"), 0.1)
    # A tool calls that argument --checkpoint; what is printed names none.
    said = f"{tmp_path / 'none'} is not there yet: waiting for one, 0.1 seconds at most"
    assert said in capsys.readouterr().out.splitlines()


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("x")
    experiment = tiny_classification.tiny_classification(tmp_path / "beside")
    with pytest.raises(errors.UserError, match="notes.txt: is a file; expected a directory"):
        run.evaluate_continuously(experiment, str(path), 600.0)


def test_new_ones_as_they_come(tmp_path):
    """The newest of those that came meanwhile; one that cannot be read is passed over."""
    save(tmp_path, 1)
    coming = waiting.new_checkpoints(str(tmp_path), 10.0, interval=0.02)
    assert next(coming) == str(tmp_path / "ckpt-1")
    save(tmp_path, 2, 5)
    assert next(coming) == str(tmp_path / "ckpt-5")

    def later():
        time.sleep(0.2)
        save(tmp_path, 6)

    thread = threading.Thread(target=later)
    thread.start()
    assert next(coming) == str(tmp_path / "ckpt-6")
    thread.join()


def test_a_damaged_one_is_passed_over_while_waiting(tmp_path, capsys):
    model = tmp_path / "model"
    run.train(tiny_classification.tiny_classification(model, num_steps=4))
    (model / "ckpt-4.data-00000-of-00001").write_bytes(b"")
    beside = tiny_classification.tiny_classification(tmp_path / "beside", num_steps=4)
    with pytest.raises(errors.UserError, match="no checkpoint that can be read came within 0.1"):
        run.evaluate_continuously(beside, str(model), 0.1)
    assert "ckpt-4" in capsys.readouterr().out
