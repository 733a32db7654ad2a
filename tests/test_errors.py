"""A user's mistake is told in one line, whatever a file made the message hold."""

import pytest
import tensorflow as tf

from avatx import errors


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_line_end_of_a_file_does_not_break_the_line(end):
    text = str(errors.UserError(f"a.csv:3: video_id 'x{end} y'"))
    assert text == "a.csv:3: video_id 'x y'"


def test_what_is_readable_stays():
    assert str(errors.UserError("a\tb é \\n")) == "a\tb é \\n"


def test_a_long_text_loses_its_middle():
    text = str(errors.UserError("begin" + "x" * 100_000 + "end"))
    assert text.startswith("begin") and text.endswith("end") and len(text) < 4_100


def test_what_a_graph_says_is_not_where_it_says_it():
    @tf.function(autograph=False)
    def parse(serialized):
        feature = tf.io.FixedLenFeature([], tf.string)
        return tf.io.parse_single_sequence_example(serialized, {"a": feature}, {})

    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        parse(b"\xff\xff")
    assert str(raised.value).startswith("Graph execution error")
    assert "protocol message" in errors.first_line(raised.value)
