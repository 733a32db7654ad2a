"""A gradient that is not a number stops the training though the loss is one."""

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
