"""A gradient that is not a number stops the training though the loss is one."""

import dataclasses

import linear_model
import numpy as np
import pytest
import tensorflow as tf

from avatx import errors
from avatx.training import run

GOOD = (linear_model.XS, linear_model.LABELS)
BAD_GRADIENT = ([[1.0, 1.0], [linear_model.NAN_GRADIENT, 1e-3]], [0, 660])
BAD_LOSS = ([[1.0, 1.0], [linear_model.NAN_LOSS, 1.0]], [0, 1])
TOO_LARGE = ([[1.0, 1.0], [1.0, 1.0]], [0, 1000])


def message_of(directory, batches, **train):
    train = {"num_steps": 6, "steps_per_loop": 5, "checkpoint_interval": 2, **train}
    with pytest.raises(errors.UserError) as raised:
        run.train(linear_model.experiment(directory, batches, max_loss=1e5, **train))
    assert "\n" not in str(raised.value)
    return str(raised.value)


# Steps 3 and 4 are of one loop, and 4 is bad too: the first one counts.
@pytest.mark.parametrize(
    "bad, said",
    [
        (BAD_GRADIENT, "step 3: the gradient is not a number, though the loss is one ("),
        (BAD_LOSS, "step 3: the loss is not a number ("),
        (TOO_LARGE, "step 3: the loss exceeds train_config.max_loss = 100000 ("),
    ],
)
@pytest.mark.parametrize("clipping", [0.0, 0.1])
def test_the_bad_step_its_fault_and_its_clips(tmp_path, bad, said, clipping):
    message = message_of(
        tmp_path,
        [GOOD, GOOD, bad, bad, GOOD],
        gradient_clipping_by_norm=clipping,
    )
    assert message.startswith(said), message
    assert "its clips: video 4 of the records, video 5 of the records; " in message
    assert "ckpt-2;" in message
    assert ("gradient_norm nan" in message) == (bad is BAD_GRADIENT)
    assert ("total_loss nan" in message) == (bad is BAD_LOSS)
    newest = tf.train.latest_checkpoint(str(tmp_path))
    assert newest.endswith("ckpt-2")
    reader = tf.train.load_checkpoint(newest)
    for name, _ in tf.train.list_variables(newest):
        value = reader.get_tensor(name)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert np.isfinite(value).all(), name


def test_the_first_step_of_all(tmp_path):
    message = message_of(tmp_path, [BAD_GRADIENT])
    assert message.startswith("step 1: the gradient is not a number")
    assert "the start (there is no checkpoint yet)" in message
    assert tf.train.latest_checkpoint(str(tmp_path)) is None


def test_a_gradient_beyond_float32_is_none(tmp_path):
    """Its norm is infinite, of a loss that is large but finite."""
    huge = ([[1e15, 0.0], [1.0, 1.0]], [0, 0])  # loss 1e29, gradient 1e30, its square none
    with pytest.raises(errors.UserError, match="^step 2: the gradient is not a number"):
        run.train(linear_model.experiment(tmp_path, [GOOD, huge], num_steps=3, max_loss=0.0))


def test_float16_skips_such_a_step_by_its_loss_scale(tmp_path):
    experiment = linear_model.experiment(
        tmp_path, [GOOD, BAD_GRADIENT], num_steps=2, precision="float16", max_loss=1e6
    )
    run.train(experiment)
    reader = tf.train.load_checkpoint(str(tmp_path))
    kernel = reader.get_tensor("model/kernel/.ATTRIBUTES/VARIABLE_VALUE")
    np.testing.assert_allclose(kernel[:, 0], [0.5 - 0.265, -0.25 + 0.065], rtol=1e-5)


def test_a_loss_at_the_limit_is_good(tmp_path):
    """A label of 11 against 0.5 - 0.5 + 0.1: 10.9^2 = 118.81."""
    batch = ([[1.0, 2.0], [1.0, 2.0]], [11, 11])
    run.train(linear_model.experiment(tmp_path / "good", [batch], max_loss=118.9))
    with pytest.raises(errors.UserError, match="max_loss = 118.7"):
        run.train(linear_model.experiment(tmp_path / "bad", [batch], max_loss=118.7))


@pytest.mark.parametrize("before", [0, 1])
def test_float16_stops_where_every_step_is_skipped(tmp_path, before):
    """50 steps in a row, of any number of loops; those after a good one count anew."""
    batches = [BAD_GRADIENT] * 30 * before + [GOOD] * before + [BAD_GRADIENT] * 60
    message = message_of(
        tmp_path,
        batches,
        num_steps=95,
        precision="float16",
        checkpoint_interval=20,
        steps_per_loop=7,
    )
    last = 50 + 31 * before
    clips = f"its clips: video {2 * last - 2} of the records, video {2 * last - 1} of the records;"
    assert message.startswith(
        f"step {last}: the gradient is not a number in float16, for 50 steps in a row that the "
        "loss scale skipped: the weights have not changed ("
    )
    assert clips in message and f"ckpt-{last // 20 * 20};" in message


def test_float16_says_how_many_steps_it_skipped(tmp_path, capsys):
    batches = [BAD_GRADIENT, GOOD, BAD_GRADIENT, BAD_GRADIENT]
    experiment = linear_model.experiment(
        tmp_path, batches, num_steps=4, precision="float16", max_loss=1e6, summary_interval=2
    )
    run.train(experiment)
    lines = [line for line in capsys.readouterr().out.splitlines() if "left" in line]
    assert "skipped 1 steps" in lines[0] and "skipped 2 steps" in lines[1]
    norm = f"gradient {linear_model.NORM:.3g}  "
    assert norm in lines[0] and "gradient 0  " in lines[1]


def test_weights_that_an_update_spoils_are_not_saved(tmp_path):
    """The loss and the gradient of step 2 are finite; a rate of 3e38 makes of them what is not."""
    large = ([[100.0, 1.0], [100.0, 1.0]], [0, 0])
    experiment = linear_model.experiment(
        tmp_path, [GOOD, large], num_steps=2, checkpoint_interval=1, max_loss=0.0
    )
    rate = linear_model.optimizer_options(
        experiment.train, schedule="manual_step", manual_steps=((1, 3e38),)
    )
    experiment = dataclasses.replace(
        experiment, train=dataclasses.replace(experiment.train, optimizer=rate)
    )
    with pytest.raises(errors.UserError) as raised:
        run.train(experiment)
    message = str(raised.value)
    assert message.startswith("the training after step 2: ")
    assert " of its 9 variables are not finite, first model/" in message, message
    assert "ckpt-1;" in message
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("ckpt-1")
