"""Stops a training whose loss or gradient is not a number, or whose loss explodes, before a
checkpoint is written.

The check runs in the graph at every step and leaves a note of the first bad step in variables
on the host; Python reads it once a loop. So it costs no synchronisation a step.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from avatx.core.structures import decode_video_id
from avatx.errors import UserError

# What may be wrong with a step, as the guard's variable holds it.
_LOSS, _GRADIENT, _TOO_LARGE, _SKIPPED = 0, 1, 2, 3

# A float16 gradient overflows now and then by design: its loss scale skips that step and is halved.
# From 2^15, where it begins, it is at 1 after 15 such steps; more than this in a row are no search.
MOST_SKIPPED_STEPS = 50


class LossGuard:
    """Remembers the first step whose loss or gradient was bad, its scalars and its clips."""

    def __init__(
        self,
        batch_size: int,
        num_scalars: int,
        max_loss: float,
        clip_specs: Sequence[tf.TensorSpec],
        clip_names: Callable[[Sequence[np.ndarray]], list[str]],
    ):
        """Makes the variables that a bad step is noted in.

        Args:
          batch_size: clips of one step on this worker.
          num_scalars: length of the vector that `check` gets.
          max_loss: total loss beyond which training stops; 0: only if it is not a number.
          clip_specs: of the tensors by which one clip is known.
          clip_names: such tensors, [batch_size, ...] each, as names for people.
        """
        self._max_loss = max_loss
        self._clip_names = clip_names
        with tf.device("/cpu:0"):
            self._step = tf.Variable(-1, dtype=tf.int64, trainable=False)
            self._in_a_row = tf.Variable(0, dtype=tf.int64, trainable=False)  # skipped steps
            self._num_skipped = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._what = tf.Variable(_LOSS, dtype=tf.int32, trainable=False)
            self._scalars = tf.Variable(tf.zeros([num_scalars]), trainable=False)
            self._clips = [
                tf.Variable(tf.zeros([batch_size, *spec.shape], spec.dtype), trainable=False)
                for spec in clip_specs
            ]

    def check(
        self,
        step: tf.Tensor,
        total: tf.Tensor,
        scalars: tf.Tensor,
        clips: tuple[tf.Tensor, ...],
        gradient_norm: tf.Tensor | None = None,
        skips: bool = False,
    ) -> None:
        """Notes the step if it is the first bad one. In graph, in cross-replica context.

        Args:
          step: scalar int64, the step just computed, from 1.
          total: scalar float32: if it is not finite, or beyond `max_loss`, the step is bad.
          scalars: [num_scalars] float32, kept for the message.
          clips: what identifies the clips of the step on this worker.
          gradient_norm: scalar float32: if it is not finite, the step is bad; None: not looked at.
          skips: whether the optimiser skips a step whose gradient is not finite: then only
            `MOST_SKIPPED_STEPS` of them in a row are bad.
        """
        # Each value is tested by itself: of a sum such as total + 0 * gradient_norm the graph
        # optimiser drops the second term.
        bad_loss = tf.logical_not(tf.math.is_finite(total))
        bad_gradient = too_large = too_many = tf.constant(False)
        if gradient_norm is not None:
            bad_gradient = tf.logical_not(tf.math.is_finite(gradient_norm))
        if skips:
            skipped = tf.cast(bad_gradient, tf.int64)
            self._num_skipped.assign_add(skipped)
            in_a_row = self._in_a_row.assign((self._in_a_row + 1) * skipped)
            too_many = in_a_row >= MOST_SKIPPED_STEPS
            bad_gradient = tf.constant(False)
        if self._max_loss:
            too_large = total > self._max_loss
        bad = bad_loss | bad_gradient | too_large | too_many

        def note():
            what = tf.where(too_large, _TOO_LARGE, _SKIPPED)
            what = tf.where(bad_loss, _LOSS, tf.where(bad_gradient, _GRADIENT, what))
            self._what.assign(what)
            self._step.assign(step)
            self._scalars.assign(scalars)
            for variable, value in zip(self._clips, clips, strict=True):
                variable.assign(value)
            return True

        tf.cond(tf.logical_and(bad, self._step < 0), note, lambda: False)

    def pop_num_skipped(self) -> int:
        """How many steps were skipped since the last call."""
        count = int(self._num_skipped.numpy())
        self._num_skipped.assign(0)
        return count

    def raise_if_bad(self, names: list[str], checkpoint: str | None = None) -> None:
        """Stops training where `check` noted a bad step.

        Args:
          names: what the scalars are called.
          checkpoint: the last checkpoint on disk, for the message.

        Raises:
          UserError: a step was bad; names the step, what was wrong, its losses and its clips.
        """
        step = int(self._step.numpy())
        if step < 0:
            return
        # The vector has room for more losses than there are.
        scalars = dict(zip(names, self._scalars.numpy(), strict=False))
        values = ", ".join(f"{name} {value:.6g}" for name, value in scalars.items())
        clips = ", ".join(self._clip_names([variable.numpy() for variable in self._clips]))
        what = {
            _LOSS: "the loss is not a number",
            _GRADIENT: "the gradient is not a number, though the loss is one",
            _SKIPPED: f"the gradient is not a number in float16, for {MOST_SKIPPED_STEPS} steps in "
            "a row that the loss scale skipped: the weights have not changed",
            _TOO_LARGE: f"the loss exceeds train_config.max_loss = {self._max_loss:g}",
        }[int(self._what.numpy())]
        raise UserError(
            f"step {step}: {what} ({values}); its clips: {clips}; nothing was saved since "
            f"{checkpoint or 'the start (there is no checkpoint yet)'}; look at these clips, "
            "lower the learning rate, lengthen the warm-up or set gradient_clipping_by_norm"
        )


def keyframe_names(video_id: np.ndarray, timestamp: np.ndarray) -> list[str]:
    """[B, VIDEO_ID_BYTES] uint8 and [B] float64 seconds -> ["video@902", ...]."""
    return [
        f"{decode_video_id(row)}@{float(seconds):.6g}"
        for row, seconds in zip(video_id, timestamp, strict=True)
    ]
