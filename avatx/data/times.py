"""Moments in time: whole microseconds, so that a tie is a tie on every machine."""

import numpy as np

MICROSECONDS = 1_000_000  # in a second
FAR_FUTURE = 1 << 62  # microseconds, past the end of any video


def to_microseconds(seconds) -> np.ndarray:
    """Seconds to whole microseconds, int64: two timestamps are one keyframe if these agree.

    Rounds as `"%.6f" % seconds` does, which is how the official AVA evaluator makes its keys.

    Args:
      seconds: float, any shape.

    Returns:
      int64 of the same shape.

    Raises:
      ValueError: a timestamp is NaN, infinite or too large.
    """
    seconds = np.asarray(seconds, np.float64)
    scaled = seconds * MICROSECONDS
    if not np.all(np.abs(scaled) < FAR_FUTURE):
        raise ValueError("a timestamp is not a finite number of seconds")
    rounded = np.rint(scaled)
    # The product is itself rounded, so where it lies at a half the decimal digits decide.
    doubtful = np.abs(np.abs(scaled - rounded) - 0.5) < 1e-3
    microseconds = rounded.astype(np.int64)
    if np.any(doubtful):
        microseconds = np.ravel(microseconds)
        at = np.flatnonzero(doubtful)
        exact = [f"{value:.6f}" for value in np.ravel(seconds)[at].tolist()]
        microseconds[at] = [int(text.replace(".", "")) for text in exact]
        microseconds = microseconds.reshape(seconds.shape)
    return microseconds
