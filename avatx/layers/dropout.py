"""Dropout whose random numbers come from the step of the training, not from a hidden state.

A training that was killed goes on with the numbers that it would have had: what is dropped depends
on the seed, the step, the replica, the micro-batch and the layer alone. `tf_keras.layers.Dropout`
draws from a generator whose state no checkpoint holds.
"""

import contextlib
import threading
from collections.abc import Iterator

import tensorflow as tf
import tf_keras


class _Source(threading.local):  # replicas are traced in a thread each
    seed: tf.Tensor | None = None
    drawn = 0


_source = _Source()


@contextlib.contextmanager
def drawing_from(seed: tf.Tensor) -> Iterator[None]:
    """Inside, each use of a `Dropout` in training draws by a seed of its own, folded from `seed`.

    Args:
      seed: [2] int64; the uses are told apart by their order.
    """
    before = _source.seed, _source.drawn
    _source.seed, _source.drawn = seed, 0
    try:
        yield
    finally:
        _source.seed, _source.drawn = before


class Dropout(tf_keras.layers.Layer):
    """As `tf_keras.layers.Dropout`: zeroes a share of its input and scales the rest up.

    Outside of `drawing_from` it draws from TensorFlow's global generator.
    """

    def __init__(self, rate: float, **kwargs):
        """Takes the share in [0, 1) that is dropped in training."""
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The input, in training with values dropped; shape and type stay."""
        if not training or not self.rate:
            return tf.identity(inputs)
        if _source.seed is None:
            return tf.nn.dropout(inputs, self.rate)
        seed = tf.random.experimental.stateless_fold_in(
            _source.seed, tf.constant(_source.drawn, tf.int64)
        )
        _source.drawn += 1
        # The algorithm is named because the default differs between devices.
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed, rng_alg="philox")
