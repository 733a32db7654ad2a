"""A checkpoint with a variable that is no number is refused by name, whoever reads it."""

import os

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from tiny_experiment import make_model, tiny_experiment

from avatx import errors
from avatx.checkpoints import finite, i3d_sources, restore
from avatx.training import fine_tuning, optimizer, options, run


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, tf.bfloat16.as_numpy_dtype])
def test_which_are_not_finite(bad, dtype):
    large = np.array([float(np.finfo(np.float16).max)] * 3, dtype)  # its square is none in float16
    values = {"a": large, "b": np.array([1, bad, bad, 2], dtype), "step": np.int64(3), "c": b"x"}
    assert finite.not_finite(values) == ["b"]
    with pytest.raises(errors.UserError) as raised:
        finite.check("checkpoint x", values, "mend it")
    assert str(raised.value) == (
        "checkpoint x: 1 of its 4 variables are not finite, first b, where 2 of 4 values are NaN "
        "or infinite; mend it"
    )


def save(directory, bad="", decay=0.0):
    """A training checkpoint of step 7, one of its variables NaN."""
    model = make_model()
    made = optimizer.build_optimizer(
        default(options.TrainOptions, moving_average_decay=decay), model
    )
    if bad == "moving average":
        spoilt = made.average.get_slot(model.trainable_variables[0], "average")
    elif bad == "momentum":
        spoilt = made.apply.get_slot(model.trainable_variables[0], "momentum")
    elif bad == "weight":
        spoilt = model.trunk.trainable_variables[0]
    else:
        spoilt = next(v for v in model.variables if "moving_variance" in v.name)
    spoilt.assign(tf.fill(spoilt.shape, np.float32("nan")))
    checkpoint = tf.train.Checkpoint(
        model=model, optimizer=made.checkpointed, global_step=tf.Variable(7, dtype=tf.int64)
    )
    checkpoint.write(os.path.join(directory, "ckpt-7"))


READERS = {
    "evaluation": lambda path: run.evaluate(tiny_experiment(os.path.dirname(path)), path),
    "inference and export": lambda path: restore.restore_for_inference(make_model(), path),
    "fine-tuning a detector": lambda path: fine_tuning.initialize(
        make_model(),
        default(
            options.TrainOptions,
            fine_tune_checkpoint=path,
            fine_tune_checkpoint_type="detection",
        ),
    ),
    "fine-tuning a trunk": lambda path: fine_tuning.initialize(
        make_model(), default(options.TrainOptions, fine_tune_checkpoint=path)
    ),
    "importing": i3d_sources.read,
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_it(tmp_path, reader):
    save(tmp_path, "weight")
    with pytest.raises(errors.UserError, match="ckpt-7.* not finite, first .*Conv3d_1a_7x7"):
        READERS[reader](str(tmp_path / "ckpt-7"))


@pytest.mark.parametrize("bad", ["weight", "moving average", "momentum", "moving variance"])
def test_resuming_refuses_it_and_writes_nothing(tmp_path, bad):
    save(tmp_path, bad, decay=0.9)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(errors.UserError) as raised:
        run.train(tiny_experiment(tmp_path, num_steps=9, moving_average_decay=0.9))
    assert "ckpt-7: 1 of its " in str(raised.value) and "\n" not in str(raised.value)
    assert sorted(set(os.listdir(tmp_path)) - {"train", "eval", "lock"}) == before


def test_averages_are_what_evaluation_reads(tmp_path):
    """A momentum that is NaN is nothing to it."""
    save(tmp_path, "momentum", decay=0.9)
    assert restore.restore_for_inference(make_model(), str(tmp_path)) == 7
    os.mkdir(tmp_path / "other")
    save(tmp_path / "other", "moving average", decay=0.9)
    with pytest.raises(errors.UserError, match="not finite"):
        restore.restore_for_inference(make_model(), str(tmp_path / "other"))
