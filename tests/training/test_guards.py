"""A loss that is not a number, or explodes, stops the training and costs no good checkpoint."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_experiment import tiny_experiment

from avatx.core.structures import VIDEO_ID_BYTES, Keyframes
from avatx.errors import UserError
from avatx.training import run
from avatx.training.action_detection_task import ActionDetectionTask
from avatx.training.guards import LossGuard, keyframe_names


def keyframes(*names):
    rows = [np.frombuffer(name.encode().ljust(VIDEO_ID_BYTES, b"\0"), np.uint8) for name in names]
    return Keyframes(tf.constant(np.stack(rows)), tf.range(902.5, 902.5 + len(names)))


def check(guard, step, total, names=("über", "b")):
    @tf.function(autograph=False)
    def in_graph(total):
        frames = keyframes(*names)
        frames = frames._replace(timestamp=tf.cast(frames.timestamp, tf.float64))
        guard.check(tf.constant(step, tf.int64), total, tf.stack([total, 1.0]), frames)

    in_graph(tf.constant(total))


def make_guard(max_loss):
    specs = ActionDetectionTask.clip_specs
    return LossGuard(2, 2, max_loss, specs, lambda identity: keyframe_names(*identity))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 11.0])
def test_the_first_bad_step_is_named(bad):
    guard = make_guard(max_loss=10.0)
    check(guard, 6, 9.0)
    guard.raise_if_bad(["total", "other"])
    check(guard, 7, bad)
    check(guard, 8, np.nan, ("c", "d"))
    with pytest.raises(UserError) as raised:
        guard.raise_if_bad(["total", "other"], "runs/ckpt-5")
    message = str(raised.value)
    assert message.startswith("step 7: ") and "\n" not in message
    assert "über@902.5, b@903.5" in message and "runs/ckpt-5" in message
    assert "c@" not in message and f"total {bad:g}" in message


def test_no_limit_lets_large_losses_pass():
    guard = make_guard(max_loss=0.0)
    check(guard, 1, 1e30)
    guard.raise_if_bad(["total", "other"])


def test_training_stops_before_it_overwrites_the_good_checkpoint(tmp_path):
    # Clip 13 is in step 4 of batches of 4; the next checkpoint would be due at step 6.
    experiment = tiny_experiment(
        tmp_path, poisoned=13, num_steps=8, checkpoint_interval=3, summary_interval=8
    )
    with pytest.raises(UserError) as raised:
        run.train(experiment)
    message = str(raised.value)
    assert message.startswith("step 4: the loss is not a number")
    assert "video13@913" in message and "video9@" not in message and "ckpt-3" in message
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith("ckpt-3")
    reader = tf.train.load_checkpoint(str(tmp_path))
    for key, _ in tf.train.list_variables(str(tmp_path)):
        value = reader.get_tensor(key)
        assert not np.issubdtype(np.asarray(value).dtype, np.floating) or np.isfinite(value).all()
