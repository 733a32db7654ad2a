"""One replica's view of training: from a batch to updated weights.

Not a `Task` of Model Garden's `official.core`: its train step has neither micro-batches (gradient
accumulation) nor clipping by the norm of the summed gradient, and the rest of it would be unused.
Everything that scales a gradient is in `train_step` and nowhere else: loss scale,
division by replicas and micro-batches, the sum over replicas, weight decay, clipping.
"""

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from avatx.layers.dropout import drawing_from
from avatx.training.optimizer import Optimizer, update_average
from avatx.training.options import TrainOptions

MAX_SCALARS = 32  # losses a model may name
TOTAL_LOSS = "total_loss"
REGULARIZATION_LOSS = "regularization_loss"
GRADIENT_NORM = "gradient_norm"


class ModelTask(abc.ABC):
    """Trains a model on batches, and runs it; a meta-architecture's task says how.

    Attributes:
      options: of the training.
      clip_specs: of what `clip_identity` gives for one clip.
    """

    options: TrainOptions
    clip_specs: tuple[tf.TensorSpec, ...]

    def __init__(self, options: TrainOptions):
        self.options = options

    @abc.abstractmethod
    def compute_losses(self, batch, model: tf_keras.Model) -> dict[str, tf.Tensor]:
        """Scalar losses of a batch in training, each the mean over its clips."""

    @abc.abstractmethod
    def inference_step(self, inputs, model: tf_keras.Model) -> Any:
        """What evaluation needs of a batch. Called in replica context."""

    @abc.abstractmethod
    def clip_identity(self, batch) -> tuple[tf.Tensor, ...]:
        """What tells each clip of a batch from others: tensors [b, ...] of `clip_specs`."""

    @abc.abstractmethod
    def clip_names(self, identity: Sequence[np.ndarray]) -> list[str]:
        """`clip_identity` as names for people."""

    @tf.autograph.experimental.do_not_convert  # see VideoModel
    def train_step(
        self, inputs, model: tf_keras.Model, optimizer: Optimizer, step: tf.Tensor | int = 0
    ) -> dict[str, tf.Tensor]:
        """One update of the weights. Called in replica context, in a tf.function.

        Args:
          inputs: this replica's batch, every tensor [b, ...] with b = global batch / replicas.
          model: what is trained.
          optimizer: what updates it.
          step: how many there were before: with the seed, what random numbers come from.

        Returns:
          Scalars float32: each loss of the model, `total_loss`, and `gradient_norm`, which is
          that of the whole global batch before clipping.
        """
        variables = model.trainable_variables
        replica = tf.distribute.get_replica_context()
        seed = tf.stack([tf.constant(self.options.seed, tf.int64), tf.cast(step, tf.int64)])
        seed = _folded(seed, replica.replica_id_in_sync_group)
        losses, gradients = self._accumulate(inputs, model, variables, optimizer, seed)

        if replica.num_replicas_in_sync > 1:
            gradients = replica.all_reduce(
                tf.distribute.ReduceOp.SUM,
                [gradient / replica.num_replicas_in_sync for gradient in gradients],
            )
        if optimizer.loss_scale is not None:
            gradients = optimizer.loss_scale.get_unscaled_gradients(gradients)
        # A function of its own, so that XLA may compile it: hundreds of small operations as few.
        update = self._update
        if self.options.jit_compile_update:
            update = tf.function(update, jit_compile=True, autograph=False)
        decay, norm = update(gradients, variables, optimizer)
        if self.options.weight_decay:
            losses[REGULARIZATION_LOSS] = decay
        if optimizer.average is not None:
            update_average(optimizer.average)

        return {**losses, TOTAL_LOSS: tf.add_n(list(losses.values())), GRADIENT_NORM: norm}

    def _update(self, gradients, variables, optimizer: Optimizer) -> tuple[tf.Tensor, tf.Tensor]:
        """Decays, clips and applies; returns the loss of the decay and the norm before clipping."""
        decay = tf.constant(0.0)
        if self.options.weight_decay:
            decay, gradients = self._decay_weights(variables, gradients)
        norm = tf.linalg.global_norm(gradients)
        if self.options.gradient_clipping_by_norm:
            gradients, _ = tf.clip_by_global_norm(
                gradients, self.options.gradient_clipping_by_norm, use_norm=norm
            )
        optimizer.apply.apply_gradients(
            list(zip(gradients, variables, strict=True)), experimental_aggregate_gradients=False
        )
        return decay, norm

    def _accumulate(
        self, batch, model, variables, optimizer: Optimizer, seed: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
        """Mean losses and (loss-scaled) mean gradients over the micro-batches of `batch`.

        The loop holds the activations of one micro-batch at a time. The losses are means over
        clips, so the mean over equal micro-batches is that over the batch.
        """
        parts = self.options.gradient_accumulation_steps
        if parts == 1:
            with drawing_from(_folded(seed, 0)):
                return self._compute_gradients(batch, model, variables, optimizer)
        size = tf.nest.flatten(batch)[0].shape[0] // parts
        names: list[str] = []  # known once the body is traced

        def body(i, loss_sums, gradient_sums):
            micro_batch = tf.nest.map_structure(lambda x: x[i * size : (i + 1) * size], batch)
            with drawing_from(_folded(seed, i)):
                losses, gradients = self._compute_gradients(
                    micro_batch, model, variables, optimizer
                )
            names[:] = list(losses)
            padding = [[0, MAX_SCALARS - len(names)]]
            loss_sums += tf.pad(tf.stack([losses[name] for name in names]), padding)
            return i + 1, loss_sums, [a + b for a, b in zip(gradient_sums, gradients, strict=True)]

        _, loss_sums, gradient_sums = tf.while_loop(
            lambda i, *_: i < parts,
            body,
            (0, tf.zeros([MAX_SCALARS]), [tf.zeros(v.shape, v.dtype) for v in variables]),
            parallel_iterations=1,
            maximum_iterations=parts,
        )
        losses = {name: loss_sums[i] / parts for i, name in enumerate(names)}
        return losses, [gradient / parts for gradient in gradient_sums]

    def _compute_gradients(self, batch, model, variables, optimizer: Optimizer):
        with tf.GradientTape() as tape:
            losses = self.compute_losses(batch, model)
            losses = {name: tf.cast(losses[name], tf.float32) for name in sorted(losses)}
            total = tf.add_n(list(losses.values()))
            if optimizer.loss_scale is not None:
                total = optimizer.loss_scale.get_scaled_loss(total)
        gradients = tape.gradient(total, variables)
        gradients = [
            tf.zeros(v.shape, v.dtype) if g is None else tf.convert_to_tensor(g)
            for v, g in zip(variables, gradients, strict=True)
        ]
        return losses, gradients

    def _decay_weights(self, variables, gradients) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """L2 on kernels (not on biases, offsets and gains); adamw decays by itself."""
        if self.options.optimizer.kind == "adamw":
            return tf.constant(0.0), gradients
        decay = self.options.weight_decay
        kernels = [variable.shape.rank > 1 for variable in variables]
        squares = [
            tf.reduce_sum(tf.square(variable))
            for variable, kernel in zip(variables, kernels, strict=True)
            if kernel
        ]
        gradients = [
            gradient + 2.0 * decay * variable if kernel else gradient
            for variable, kernel, gradient in zip(variables, kernels, gradients, strict=True)
        ]
        return decay * tf.add_n(squares), gradients


def _folded(seed: tf.Tensor, number) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int64))
