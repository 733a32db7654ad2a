"""Of TensorFlow's errors those that mean: another machine of this training is gone."""

import tensorflow as tf

# There is no type of their own: whichever connection breaks first gives its error.
_WORDS = (
    "Collective ops is aborted",
    "heartbeat timeout",
    "Connection reset",
    "Socket closed",
    "remote target",
)


def is_of_peers(error: tf.errors.OpError) -> bool:
    """Whether another machine, or the network to it, and nothing here caused the error."""
    if isinstance(error, (tf.errors.UnavailableError, tf.errors.AbortedError)):
        return True
    return any(words in str(error) for words in _WORDS)
