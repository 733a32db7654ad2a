"""Seeds that a clip has of its own, whichever batch, replica or worker it lands in."""

import numpy as np
import tensorflow as tf


def epoch_seed(seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """[2] int64 for one pass over the data."""
    return tf.stack([tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])


def example_seed(
    seed: int, epoch: tf.Tensor | int, video_id: tf.Tensor, microseconds: tf.Tensor
) -> tf.Tensor:
    """[2] int64 for one clip, or part of a video, in one epoch; see `hash_of`."""
    return tf.random.experimental.stateless_fold_in(
        epoch_seed(seed, epoch), hash_of(video_id, microseconds)
    )


def hash_of(video_id: tf.Tensor, microseconds: tf.Tensor) -> tf.Tensor:
    """[] int64 from 0 on, the same for the same clip everywhere: to fold into a seed."""
    text = tf.strings.join([video_id, tf.strings.as_string(microseconds)], separator="@")
    return tf.strings.to_hash_bucket_fast(text, np.iinfo(np.int64).max)
