"""Of TensorFlow's errors those that mean: another machine of this training is gone."""

import tensorflow as tf

from avatx.errors import first_line

# There is no type of their own: whichever connection breaks first gives its error.
_WORDS = (
    "heartbeat timeout",
    "Connection reset",
    "Socket closed",
    "failed to connect",
    "Deadline Exceeded",
    "Collective ops is aborted",
    "remote target",
)


def is_of_peers(error: tf.errors.OpError) -> bool:
    """Whether another machine, or the network to it, and nothing here caused the error."""
    if isinstance(error, (tf.errors.UnavailableError, tf.errors.AbortedError)):
        return True
    # "Deadline Exceeded" alone may be of anything, as a file server.
    return any(words in str(error) for words in _WORDS if words != "Deadline Exceeded")


def reason(error: tf.errors.OpError) -> str:
    """What broke, in a few words; the first line of such an error seldom says."""
    return next((words for words in _WORDS if words in str(error)), first_line(error))
