"""Parts of a network whose activations are computed again in the backward pass, not kept for it.

`tf.recompute_grad` does the work. Running a part twice must not move batch norm's averages twice.
"""

import itertools
from collections.abc import Callable

import tensorflow as tf

from avatx.layers import batch_norm


def call(function: Callable[[tf.Tensor], tf.Tensor], inputs: tf.Tensor) -> tf.Tensor:
    """`function(inputs)`, of which only the inputs and the outputs are kept.

    Args:
      function: without dropout and the like: it must give the same when it runs again.
      inputs: what it is called with.
    """
    times = itertools.count()

    def run(values):
        with batch_norm.averages_held(next(times) > 0):
            return function(values)

    return tf.recompute_grad(run)(inputs)
