"""Records that cannot be used, left out of training up to a stated share of all.

One bad record among millions need not end a training of days: with `max_skipped_share` above 0 it
is left out and counted. That is told from the stream alone (the numbers of what came through have
holes), so it is the same for any number of threads. Evaluation skips nothing, for its metric is of
all keyframes; neither does a file whose framing is damaged, for nobody knows what is lost with it.
"""

from collections.abc import Callable

import tensorflow as tf

from avatx.data.records.graph_check import after, check

_AT_ONCE = 16


def map_good(
    dataset: tf.data.Dataset,
    parse: Callable,
    max_skipped_share: float,
    what: str,
    at_once: int = 0,
) -> tf.data.Dataset:
    """`dataset.map(parse)` in the same order, without the elements of which `parse` fails.

    When some were left out, and when their number has doubled, a line on stderr says how many.

    Args:
      dataset: its elements; an error of its own is raised, not skipped.
      parse: fails by an error of TensorFlow.
      max_skipped_share: above it training ends with a line; one element is always allowed.
      what: the elements, for the messages: "records".
      at_once: elements in work; 0 for 16.
    """

    def one(number: tf.Tensor, *element) -> tf.data.Dataset:
        only = tf.data.Dataset.from_tensors((number, element))
        return only.map(lambda number, element: (number, parse(*element))).ignore_errors()

    parsed = dataset.enumerate().map(lambda number, element: (number, *_parts(element)))
    good = parsed.interleave(
        one,
        cycle_length=at_once or _AT_ONCE,
        num_parallel_calls=at_once or _AT_ONCE,
        deterministic=True,
    )

    def count(state, numbered):
        (passed, told), (number, value) = state, numbered
        skipped = number - passed
        allowed = tf.maximum(max_skipped_share * tf.cast(number + 1, tf.float64), 1.0)
        within = check(
            tf.cast(skipped, tf.float64) <= allowed,
            [
                "max_skipped_share: ",
                skipped,
                " of the first ",
                number + 1,
                f" {what} cannot be used, more than the share of {max_skipped_share:g} that may be "
                "skipped; with max_skipped_share: 0 the first of them is named",
            ],
        )
        with after([within]):
            news = skipped > 2 * told  # so that a thousand of them are ten lines
            told = tf.cond(news, lambda: _tell(skipped, number, what), lambda: told)
        with tf.control_dependencies([told]):
            return (passed + 1, told), tf.nest.map_structure(tf.identity, value)

    none = tf.constant(0, tf.int64)
    return good.scan((none, none), count)


def _parts(element) -> tuple:
    """What `Dataset.map` would give a function of it as its arguments."""
    return element if type(element) is tuple else (element,)


def _tell(skipped: tf.Tensor, number: tf.Tensor, what: str) -> tf.Tensor:
    tf.print(
        "warning: skipped",
        skipped,
        "of the first",
        number + 1,
        f"{what} that cannot be used (with max_skipped_share: 0 the first of them is named)",
    )
    return tf.identity(skipped)
