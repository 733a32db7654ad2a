"""Which anchors or proposals take part in a loss.

A clip's sample depends on its own seed and candidates alone: the same in any batch and on any
number of replicas, so that gradient accumulation and several replicas give one replica's losses.
Model Garden's and the Object Detection API's samplers draw from the global generator instead.
"""

import tensorflow as tf


def random_priorities(seeds: tf.Tensor, count) -> tf.Tensor:
    """Uniform numbers [B, count] in [0, 1), each row from its own seed of [B, 2] int32."""
    return tf.map_fn(
        # The algorithm is named because the default differs between devices.
        lambda seed: tf.random.stateless_uniform([count], seed, alg="philox"),
        seeds,
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )


def sample_balanced(
    priorities: tf.Tensor,
    positive: tf.Tensor,
    negative: tf.Tensor,
    num_samples: int,
    positive_fraction: float,
) -> tf.Tensor:
    """Draws up to `num_samples` candidates of each clip, at most a fraction of them positive.

    Where positives are few, negatives fill up; where negatives are few, fewer are drawn.

    Args:
      priorities: [B, N] float32, random; the highest are taken.
      positive: [B, N] bool.
      negative: [B, N] bool; candidates that are neither are never drawn.
      num_samples: how many candidates of a clip to draw.
      positive_fraction: in [0, 1].

    Returns:
      [B, N] bool, which candidates are drawn.
    """
    # A fraction that went through float32 must not cost one: 10 * 0.7 are 7.
    max_positives = int(round(num_samples * positive_fraction, 4))
    sampled_positive = _highest(priorities, positive, max_positives)
    num_positives = tf.reduce_sum(tf.cast(sampled_positive, tf.int32), axis=-1, keepdims=True)
    return sampled_positive | _highest(priorities, negative, num_samples - num_positives)


def _highest(priorities, eligible, count):
    """[B, N] bool: the `count` ([] or [B, 1]) eligible candidates of highest priority."""
    order = tf.argsort(tf.where(eligible, priorities, -1.0), direction="DESCENDING", stable=True)
    rank = tf.argsort(order, stable=True)
    return eligible & (rank < count)
