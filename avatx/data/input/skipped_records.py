"""Records that cannot be used, left out of training up to a stated share of all.

One bad record among millions need not end a training of days: with `max_skipped_share` above 0 it
is left out and counted. A file whose framing is damaged still ends it, for nobody knows what is
lost with it, and so does a keyframe that its record is too short for, which is the config's
mistake. Evaluation skips nothing, for its metric is of all keyframes.
"""

from collections.abc import Callable

import tensorflow as tf

from avatx.data.records.graph_check import after, check

# Of fewer nothing is said of a share before the end: the first of a million may be the only bad.
_JUDGED_FROM = 1_000
_NONE_GOOD = 100  # if so many are bad and none is good, more will not help


def map_good(
    dataset: tf.data.Dataset,
    parse: Callable,
    max_skipped_share: float,
    what: str,
    at_once: int = 2,
) -> tf.data.Dataset:
    """`dataset.map(parse)` in the same order, without the elements of which `parse` fails.

    A line on stderr says how many were left out, when the first is and whenever their number has
    doubled.

    Args:
      dataset: its elements; an error of its own is raised, not skipped. It may be endless.
      parse: fails by an error of TensorFlow.
      max_skipped_share: of all elements, at the end of the dataset, and of those met so far once
        they are a thousand. Above it, and where none of a hundred is good, reading fails with a
        line; one bad element is always allowed beside good ones.
      what: the elements, for the messages: "records".
      at_once: elements that are parsed at a time; three times as many are held.
    """
    # In the place of what is bad, and at the end, so that there is something to count.
    nothing = tf.nest.map_structure(_empty, dataset.map(parse).element_spec)

    def attempt(*element) -> tf.data.Dataset:
        parsed = tf.data.Dataset.from_tensors(_alone(element)).map(parse)
        parsed = parsed.map(lambda *value: (True, _alone(value))).ignore_errors()
        one = parsed.concatenate(_one((False, nothing))).take(1)
        return one.map(lambda is_good, value: (False, is_good, value))

    def count(state, element):
        (met, skipped, told), (is_end, is_good, _) = state, element
        met += tf.cast(~is_end, tf.int64)
        skipped += tf.cast(~(is_end | is_good), tf.int64)
        judged = tf.where(is_end, met, tf.maximum(met, _JUDGED_FROM))
        allowed = tf.maximum(max_skipped_share * tf.cast(judged, tf.float64), 1.0)
        enough = is_end & (met > 0) | (met >= _NONE_GOOD)
        none_is_good = enough & (skipped == met)
        within = check(
            (tf.cast(skipped, tf.float64) <= allowed) & ~none_is_good,
            [
                "max_skipped_share: ",
                skipped,
                " of ",
                met,
                f" {what} cannot be used, where a share of {max_skipped_share:g} may be skipped; "
                "with max_skipped_share: 0 the first of them is named",
            ],
        )
        with after([within]):
            news = (skipped > told) & (skipped >= 2 * told)
            told = tf.cond(news, lambda: _tell(skipped, met, what), lambda: told)
        return (met, skipped, told), element

    zero = tf.constant(0, tf.int64)
    # Not by a map and `get_single_element`: all threads of the pool wait for one another then.
    parsed = dataset.interleave(
        attempt, cycle_length=at_once, num_parallel_calls=at_once, deterministic=True
    )
    counted = parsed.concatenate(_one((True, False, nothing))).scan((zero, zero, zero), count)
    good = counted.filter(lambda is_end, is_good, value: is_good)
    return good.map(lambda is_end, is_good, value: value)


def _one(element) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(element)


def _alone(parts: tuple):
    """What `Dataset.map` gave a function as these arguments."""
    return parts[0] if len(parts) == 1 else parts


def _empty(spec: tf.TypeSpec):
    """A value of the kind, as small as it may be."""
    if isinstance(spec, tf.RaggedTensorSpec):
        inner = [size or 0 for size in spec.shape[spec.ragged_rank + 1 :]]
        splits = [tf.zeros([1], spec.row_splits_dtype)] * spec.ragged_rank
        return tf.RaggedTensor.from_nested_row_splits(tf.zeros([0, *inner], spec.dtype), splits)
    return tf.zeros([size or 0 for size in spec.shape], spec.dtype)


def _tell(skipped: tf.Tensor, met: tf.Tensor, what: str) -> tf.Tensor:
    tf.print(
        "warning: skipped",
        skipped,
        "of",
        met,
        f"{what}, which cannot be used (with max_skipped_share: 0 the first of them is named)",
    )
    return tf.identity(skipped)
