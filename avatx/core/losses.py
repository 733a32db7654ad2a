"""Losses of both stages, as the Object Detection API adds them up.

Each clip's loss is the sum over its samples divided by the number of its samples (all of them,
for the localisation loss too), and a batch's loss is the mean over its clips. So a batch's loss
is the mean of its clips' losses one by one, whatever the split over steps and replicas.
"""

import tensorflow as tf


def smooth_l1(predictions: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Smooth L1 (Huber with delta 1) [...] of [..., 4], summed over the coordinates."""
    error = tf.abs(predictions - targets)
    loss = tf.where(error < 1.0, 0.5 * tf.square(error), error - 0.5)
    return tf.reduce_sum(loss, axis=-1)


def sigmoid_cross_entropy(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Independent logistic losses [...] of [..., K], summed over the K classes."""
    loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    return tf.reduce_sum(loss, axis=-1)


def sigmoid_focal(logits: tf.Tensor, targets: tf.Tensor, gamma: float, alpha: float) -> tf.Tensor:
    """Focal loss [...] of [..., K], summed over the K classes; targets are 0 or 1.

    "Focal Loss for Dense Object Detection" (https://arxiv.org/abs/1708.02002, equation 5): the
    logistic loss times (1 - p)^gamma, p being the score of what is right, and times alpha where
    the target is 1 and 1 - alpha where it is 0.
    """
    loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    log_wrong = tf.math.log_sigmoid((1 - 2 * targets) * logits)  # log (1 - p)
    weight = targets * alpha + (1 - targets) * (1 - alpha)
    return tf.reduce_sum(weight * tf.exp(gamma * log_wrong) * loss, axis=-1)


def mean_over_samples(losses: tf.Tensor, weights: tf.Tensor, sampled: tf.Tensor) -> tf.Tensor:
    """Scalar: mean over clips of each clip's weighted sum by its number of samples.

    Args:
      losses: [B, N] float32.
      weights: [B, N] bool or float32: which entries count, and how much.
      sampled: [B, N] bool: how many samples each clip has. None: the clip's loss is 0.
    """
    weights = tf.cast(weights, losses.dtype)
    num_samples = tf.reduce_sum(tf.cast(sampled, losses.dtype), axis=-1)
    # A loss that does not count must not reach the sum even as infinity times zero.
    losses = tf.where(weights > 0, losses, 0.0)
    return tf.reduce_mean(tf.reduce_sum(losses * weights, axis=-1) / tf.maximum(num_samples, 1.0))
