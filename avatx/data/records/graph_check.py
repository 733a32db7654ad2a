"""Checks inside tf.data, where only TensorFlow's errors can be raised.

A failed check carries its message between two marks; `input_errors.explained` finds it there and
raises a UserError of it.
"""

import re
from collections.abc import Iterable, Sequence

import tensorflow as tf

_BEGIN, _END = "[[avatx:", ":avatx]]"
MARKED = re.compile(re.escape(_BEGIN) + "(.*?)" + re.escape(_END), re.DOTALL)
_MAX_TEXT = 200  # bytes of each text of a message


def check(condition: tf.Tensor, parts: Sequence) -> tf.Operation:
    """An op that fails with the joined `parts` (strings and scalar tensors) unless `condition`."""
    texts = [part if isinstance(part, str) else _as_text(part) for part in parts]
    return tf.debugging.Assert(condition, [tf.strings.join([_BEGIN, *texts, _END])])


def _as_text(value: tf.Tensor) -> tf.Tensor:
    value = tf.convert_to_tensor(value)
    if value.dtype != tf.string:
        return tf.strings.as_string(value)
    dots = tf.where(tf.strings.length(value) > _MAX_TEXT, "...", "")
    return tf.strings.join([tf.strings.substr(value, 0, _MAX_TEXT), dots])


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


def record_name(video_id: tf.Tensor, start: tf.Tensor) -> list:
    """Parts of a message that name a record: [] string, [] int64 microseconds."""
    return ["record ", video_id, "@", seconds(start)]


def seconds(microseconds: tf.Tensor) -> tf.Tensor:
    """[] int64 to [] string: whole, or with as many decimals as it takes."""
    text = tf.strings.as_string(tf.cast(microseconds, tf.float64) / 1e6, precision=6)
    return tf.strings.regex_replace(text, r"\.?0+$", "")
