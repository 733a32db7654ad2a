"""Seeds everything random of a run."""

import random

import numpy as np
import tensorflow as tf


def make_deterministic() -> None:
    """From now on, in this process, every operation gives the same bits whenever it is run.

    Sums are in one order whatever thread is done first, and what has no such kernel is refused.
    Needs a seed.
    """
    tf.config.experimental.enable_op_determinism()


def set_random_seed(seed: int) -> None:
    """As `tf_keras.utils.set_random_seed`, less the generator that tf_keras 2.16 then misuses:
    it asks it for a whole number up to the float 1e9, which Python 3.12 refuses."""
    random.seed(seed)
    np.random.seed(seed)
    tf.random.set_seed(seed)
