"""Which anchors or proposals take part in a loss.

A clip's sample depends on its own seed and candidates alone: the same in any batch and on any
number of replicas, so that gradient accumulation and several replicas give one replica's losses.
Model Garden's and the Object Detection API's samplers draw from the global generator instead.
"""

import tensorflow as tf

_MOST_UNROLLED = 16  # clips of a replica


def random_priorities(seeds: tf.Tensor, count) -> tf.Tensor:
    """Uniform numbers [B, count] in [0, 1), each row from its own seed of [B, 2] int32."""

    def draw(seed):
        # The algorithm is named because the default differs between devices.
        return tf.random.stateless_uniform([count], seed, alg="philox")

    if seeds.shape[0] is not None and seeds.shape[0] <= _MOST_UNROLLED:
        # A loop comes back to the host for every clip.
        return tf.stack([draw(seed) for seed in tf.unstack(seeds)])
    return tf.map_fn(draw, seeds, fn_output_signature=tf.TensorSpec([None], tf.float32))


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
    # One sort serves both, and numbers of candidates are float32, which is exact here: TensorFlow
    # adds and compares int32 on the host, GPU or not.
    order = tf.argsort(priorities, direction="DESCENDING", stable=True)  # [B, N]
    is_positive = tf.cast(tf.gather(positive, order, batch_dims=1), tf.float32)
    is_negative = tf.cast(tf.gather(negative, order, batch_dims=1), tf.float32)
    positive_rank = tf.cumsum(is_positive, axis=1)  # from 1, of what is positive
    negative_rank = tf.cumsum(is_negative, axis=1)
    num_positives = tf.minimum(positive_rank[:, -1:], float(max_positives))
    drawn = (is_positive > 0) & (positive_rank <= float(max_positives))
    drawn |= (is_negative > 0) & (negative_rank <= num_samples - num_positives)
    return tf.gather(drawn, inverse_permutation(order), batch_dims=1)


def inverse_permutation(order: tf.Tensor) -> tf.Tensor:
    """[B, N] int32: at which place of `order` [B, N] int32 each of the N is."""
    # The largest of the negatives is the smallest; int32 would be negated on the host.
    return tf.math.top_k(-tf.cast(order, tf.float32), tf.shape(order)[1]).indices
