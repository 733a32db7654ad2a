"""A user's mistake is told in one line, whatever a file made the message hold."""

import pytest

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
