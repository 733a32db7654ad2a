"""Weights that are no numbers: a checkpoint that holds such is told by name and not used."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from avatx.errors import UserError


def not_finite(values: Mapping[str, np.ndarray]) -> list[str]:
    """The names of those that hold a NaN or an infinity, in their order."""
    return [name for name, value in values.items() if not _is_finite(np.asarray(value))]


def check(source: str, values: Mapping[str, np.ndarray], remedy: str) -> None:
    """Refuses values that are no numbers.

    Args:
      source: what holds them, as "checkpoint runs/ckpt-7".
      values: by name, of any type.
      remedy: what to do, the end of the message.

    Raises:
      UserError: one of them is NaN or infinite; names the first, and says how many are.
    """
    bad = not_finite(values)
    if bad:
        some = np.asarray(values[bad[0]]).astype(np.float64)
        count = int(np.sum(~np.isfinite(some)))
        raise UserError(
            f"{source}: {len(bad)} of its {len(values)} variables are not finite, first "
            f"{bad[0]}, where {count} of {some.size} values are NaN or infinite; {remedy}"
        )


def _is_finite(value: np.ndarray) -> bool:
    if value.dtype == tf.bfloat16.as_numpy_dtype or value.dtype.kind == "f":
        # Of a sum of squares or the like a large value would make an infinity.
        return bool(np.isfinite(value).all())
    return True
