"""Checks inside tf.data, where only TensorFlow's errors can be raised.

A failed check carries its message between two marks; `input_errors.explained` finds it there and
raises a UserError of it.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import tensorflow as tf

_BEGIN, _END = "[[avatx:", ":avatx]]"
MARKED = re.compile(re.escape(_BEGIN) + "(.*?)" + re.escape(_END), re.DOTALL)
_MAX_TEXT = 200  # bytes of each text of a message
_LONG_TEXT = rf"^(\C{{{_MAX_TEXT}}})\C+$"  # \C is any byte, of no character too


def check(condition: tf.Tensor, parts: Sequence) -> tf.Operation:
    """An op that fails with the joined `parts` unless `condition`.

    Parts are strings, scalar tensors and names of records.

    A record's checks are made anew in each graph that reads records, and are most of it: hence as
    few operations as will do, here and where the parts are made.
    """
    texts: list = []
    given = [_BEGIN, *parts, _END]
    for is_fixed, group in itertools.groupby(given, lambda part: isinstance(part, str)):
        some = list(group)
        texts += ["".join(some)] if is_fixed else [_as_text(part) for part in some]
    return tf.debugging.Assert(condition, [tf.strings.join(texts)])


def places(condition: tf.Tensor) -> tf.Tensor:
    """[N] bool -> int64, where it holds."""
    return tf.squeeze(tf.where(condition), axis=1)


def first_of(indices: tf.Tensor) -> tf.Tensor:
    """The first of [N] int64, or 0 where there is none."""
    return value_at(indices, 0, 0)


def first_values(values: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """[N] -> [count]; a third of the operations of a slice by brackets."""
    return tf.slice(values, [0], [count])


def value_at(values: tf.Tensor, at: tf.Tensor | int, filler) -> tf.Tensor:
    """[N] -> []: one of the values; the filler at N."""
    return tf.gather(tf.concat([values, [filler]], axis=0), at)


def _as_text(value) -> tf.Tensor:
    if isinstance(value, _Name):
        return value.text
    value = tf.convert_to_tensor(value)
    if value.dtype != tf.string:
        return tf.strings.as_string(value)
    return tf.strings.regex_replace(value, _LONG_TEXT, r"\1...")


def as_shown(text: bytes) -> str:
    """What a message shows of a text, once it is decoded."""
    dots = b"..." if len(text) > _MAX_TEXT else b""
    return (text[:_MAX_TEXT] + dots).decode("utf-8", "replace")


def seconds_as_shown(microseconds: int) -> str:
    """What `seconds` gives."""
    return re.sub(r"\.?0+$", "", f"{microseconds / 1e6:.6f}")


def after(checks: Iterable):
    """A context in which ops run after the checks. (They are None when eager: done already.)"""
    return tf.control_dependencies([one for one in checks if one is not None])


class _Name(NamedTuple):
    """[] string that is fit to be shown; made once for all checks of a record."""

    text: tf.Tensor


def record_name(video_id: tf.Tensor, start: tf.Tensor) -> list:
    """Parts of a message that name a record: [] string, [] int64 microseconds."""
    return [_Name(tf.strings.join(["record ", _as_text(video_id), "@", seconds(start)]))]


def seconds(microseconds: tf.Tensor) -> tf.Tensor:
    """[] int64 to [] string: whole, or with as many decimals as it takes."""
    text = tf.strings.as_string(tf.cast(microseconds, tf.float64) / 1e6, precision=6)
    return tf.strings.regex_replace(text, r"\.?0+$", "")
