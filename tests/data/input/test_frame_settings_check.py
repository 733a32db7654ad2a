"""What is an error, what is a note, and what is neither, between records and a config."""

import pytest

from avatx.data.input.frame_settings_check import (
    agreed,
    check_eval_records,
    check_train_records,
    notes,
)
from avatx.data.video.frame_settings import FIELDS, FrameSettings
from avatx.errors import UserError

USUAL = FrameSettings(400, 30.0, 15.0, "dis", 0.0).to_dict()
OTHER = {
    "shorter_side": 256,
    "folder_frame_rate": 12.5,
    "max_frame_rate": 0.0,
    "optical_flow": "farneback",
    "video_start_seconds": 900.0,
}
UNKNOWN = dict.fromkeys(FIELDS)


def but(name, value=None):
    return {**USUAL, name: OTHER[name] if value is None else value}


def test_what_all_files_agree_on():
    assert agreed([]) == UNKNOWN
    assert agreed([("a", USUAL), ("b", UNKNOWN), ("c", USUAL)]) == USUAL
    assert agreed([("a", USUAL), ("b", but("shorter_side"))]) == {**USUAL, "shorter_side": None}


@pytest.mark.parametrize("name", FIELDS)
def test_a_config_that_says_something_else_than_its_training_records(name):
    found = [("a.tfrecord", USUAL), ("b.tfrecord", but(name))]
    check_train_records(found[:1], USUAL, has_flow=True)
    with pytest.raises(UserError, match=rf"(?s){name}|optical flow") as error:
        check_train_records(found, USUAL, has_flow=True)
    assert "b.tfrecord" in str(error.value) and "a.tfrecord" not in str(error.value)
    check_train_records(found, {**USUAL, name: None}, name != "optical_flow")
    check_train_records([("b", {**but(name), name: None})], USUAL, has_flow=True)


def test_the_line_of_a_wrong_config():
    with pytest.raises(UserError) as error:
        check_train_records([("b.tfrecord", but("shorter_side"))], USUAL, has_flow=False)
    assert str(error.value) == (
        "clip.frame_settings.shorter_side: the config says frames of 400 pixels, and the training "
        "records b.tfrecord hold frames of 256 pixels: expected the same; leave the field out of "
        "the config, or write the records again"
    )


def test_flow_that_is_needed():
    nothing = [("a", USUAL), ("plain", {**USUAL, "optical_flow": ""})]
    mixed = [("u", UNKNOWN), ("a", USUAL), ("b", but("optical_flow"))]
    for check in (check_train_records, check_eval_records):
        with pytest.raises(UserError, match="^plain: holds no optical flow, .*two_stream trunk"):
            check(nothing, UNKNOWN, True)
        with pytest.raises(UserError, match="^b: holds optical flow by farneback, and a has"):
            check(mixed, UNKNOWN, True)
        with pytest.raises(UserError, match="^b: holds .*farneback, and the model was to be"):
            check(mixed[2:], USUAL, True)
        # A model without a flow stream looks at none of it.
        check(nothing, UNKNOWN, False)
        check(mixed, USUAL, False)
        check([], {"optical_flow": ""}, False)
    with pytest.raises(UserError, match="^clip.frame_settings.optical_flow is empty"):
        check_train_records([], {"optical_flow": ""}, True)
    assert notes(mixed, mixed, USUAL, False, 15.0) == []


@pytest.mark.parametrize("name", FIELDS)
def test_records_that_differ_are_noted_once(name):
    train = [("a", USUAL), ("u", UNKNOWN), ("b", but(name)), ("c", but(name))]
    (line,) = notes(train, (), UNKNOWN, True, 15.0)
    assert line.startswith("the training records differ: a holds ") and ", b " in line
    (line,) = notes((), train, UNKNOWN, True, 15.0)
    assert line.startswith("the evaluation records differ: a holds ")
    (line,) = notes(train[:2], train[2:], USUAL, True, 15.0)
    assert line.startswith("the evaluation records b hold ")
    assert notes(train[:2], train[:2], USUAL, True, 15.0) == []


def test_evaluation_on_other_frames_is_noted_in_words():
    assert notes((), [("e.tfrecord", but("max_frame_rate"))], USUAL, False, 15.0) == [
        "the evaluation records e.tfrecord hold all frames of a video, and the model's training "
        "has at most 15 frames a second"
    ]


def test_clips_faster_than_what_records_keep():
    assert notes((), (), USUAL, False, 15.0) == []
    assert notes((), (), {**USUAL, "max_frame_rate": 0.0}, False, 25.0) == []
    assert notes((), (), UNKNOWN, False, 25.0) == []
    (line,) = notes((), (), USUAL, False, 25.0)
    assert line == (
        "clip.frame_rate is 25, and the records hold at most 15 frames a second: clips repeat "
        "frames"
    )
