"""Messages of checks inside graphs, and what they cost."""

import pytest
import tensorflow as tf
from small_records import keyframe, segment

from avatx.data.records import record
from avatx.data.records.graph_check import (
    as_shown,
    check,
    first_of,
    first_values,
    record_name,
    seconds_as_shown,
    value_at,
)
from avatx.data.records.input_errors import explained
from avatx.errors import UserError


@pytest.mark.parametrize(
    "text",
    [b"short", b"", b"\n", b"a\nb" * 66, b"a" * 200, b"a" * 201, "é".encode() * 101, b"\xff" * 250],
    ids=lambda text: f"{text[:4]!r} x {len(text)}",
)
def test_a_long_text_is_cut_as_one_outside_a_graph(text):
    """To the byte, whatever the bytes are; the name of the record too."""

    @tf.function
    def fails(video_id, start):
        name = record_name(video_id, start)
        with tf.control_dependencies([check(start < 0, [*name, " is '", video_id, "'"])]):
            return tf.identity(start)

    with pytest.raises(UserError) as raised, explained():
        fails(tf.constant(text), tf.constant(1_500_000, tf.int64))
    shown = as_shown(text)
    said = f"record {shown}@{seconds_as_shown(1_500_000)} is '{shown}'"
    assert str(raised.value) == str(UserError(said))


def test_parts_of_columns():
    values = tf.constant([5, 6, 7], tf.int64)
    nothing = tf.zeros([0], tf.int64)
    assert first_of(values) == 5 and first_of(nothing) == 0
    assert value_at(values, 2, 9) == 7 and value_at(values, 3, 9) == 9
    assert value_at(nothing, 0, 9) == 9
    assert first_values(values, tf.constant(2)).numpy().tolist() == [5, 6]


def test_a_record_s_checks_are_few_operations():
    """Every dataset's graph has them several times, and waits for each when it is built."""
    one = tf.constant(record.encode(segment("v", [keyframe(0)], num_frames=1)))
    graph = record.parse.get_concrete_function(one).graph
    assert len(graph.get_operations()) < 500
