"""The checkpoints of a training that goes on elsewhere, as they come."""

import time
from collections.abc import Iterator

import tensorflow as tf

from avatx.checkpoints.paths import checkpoint_paths
from avatx.errors import UserError

_REMIND = 60.0  # seconds between two lines that say what is waited for


def absence(directory: str) -> str:
    """What keeps a directory from having a checkpoint to give, in words; empty if it has one.

    Raises:
      UserError: it is a file.
    """
    if checkpoint_paths(directory):
        return ""
    if tf.io.gfile.isdir(directory):
        return f"{directory} holds no checkpoint yet"
    if tf.io.gfile.exists(directory):
        raise UserError(
            f"checkpoint_dir {directory}: is a file; expected a directory of checkpoints, or the "
            "prefix of one (without .index)"
        )
    return f"{directory} is not there yet"


def new_checkpoints(
    directory: str, timeout: float, interval: float = 1.0, remind: float = _REMIND
) -> Iterator[str]:
    """Yields the newest checkpoint of a directory whenever it is another one.

    Args:
      directory: may not be there yet.
      timeout: seconds without a new one after which this ends.
      interval: seconds between two looks.
      remind: seconds after which a line says again that there is none.

    Raises:
      UserError: `directory` is a file.
    """
    last = None
    since = reminded = time.monotonic()
    while True:
        found = checkpoint_paths(directory)
        if found and found[0] != last:
            last = found[0]
            yield last
            since = reminded = time.monotonic()
            continue
        now = time.monotonic()
        left = timeout - (now - since)
        if left <= 0:
            return
        if now - reminded >= remind and (missing := absence(directory)):
            print(f"{missing}: waiting, {left:.0f} seconds more", flush=True)
            reminded = now
        time.sleep(min(interval, left))
