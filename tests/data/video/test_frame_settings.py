"""How frames are taken: what is refused, how it is written, read and said."""

import dataclasses
import json

import pytest

from avatx.cli import Parser
from avatx.data.video.frame_flags import add_frame_flags, given_settings, overridden
from avatx.data.video.frame_settings import (
    FIELDS,
    FrameSettings,
    difference,
    for_model,
    known_of_record,
)
from avatx.errors import UserError

OTHER = FrameSettings(256, 12.5, 7.5, "farneback", 900.0)
FIELDS_OF_OTHER = {
    "shorter_side": 256,
    "folder_frame_rate": 12.5,
    "max_frame_rate": 7.5,
    "optical_flow": "farneback",
    "video_start_seconds": 900.0,
}


def test_defaults_and_round_trip_by_json():
    assert FrameSettings() == FrameSettings(400, 30.0, 0.0, "", 0.0)
    assert OTHER.to_dict() == FIELDS_OF_OTHER
    assert FrameSettings.from_dict(json.loads(json.dumps(OTHER.to_dict()))) == OTHER
    assert FrameSettings.from_dict({"frames_rate": 12.5}) == FrameSettings(folder_frame_rate=12.5)
    assert FrameSettings.from_dict({"shorter_side": None}) == FrameSettings()
    with pytest.raises(UserError, match="'frame_rate' is unknown; expected shorter_side, "):
        FrameSettings.from_dict({"frame_rate": 25})


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("shorter_side", (-1, 1.5, True, "400"), "shorter_side .*: expected pixels"),
        (
            "folder_frame_rate",
            (0, -1.0, 1e6, float("nan")),
            "folder_frame_rate .*: expected frames",
        ),
        ("max_frame_rate", (-1, float("inf"), float("nan")), "max_frame_rate .*: expected 0"),
        ("optical_flow", ("tvl1", None), "optical_flow .*: expected dis or farneback"),
        ("video_start_seconds", (float("inf"), -1e9), "video_start_seconds .*: expected seconds"),
    ],
)
def test_what_no_video_can_be_read_with_is_refused(name, values, message):
    for value in values:
        with pytest.raises(UserError, match=f"^{message}"):
            FrameSettings(**{name: value})


def test_borders_are_taken():
    FrameSettings(0, 0.01, 0, "dis", -900)
    FrameSettings(1, 999_999, 999_999, "", 999_999_999)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_told_apart_in_words(name):
    one, other = (
        FrameSettings(),
        dataclasses.replace(FrameSettings(), **{name: FIELDS_OF_OTHER[name]}),
    )
    assert one.difference(one) == ""
    parts = one.difference(other).split(" and ")
    assert len(parts) == 2 and parts[0] in one.describe() and parts[1] in other.describe()


def test_descriptions():
    assert FrameSettings().describe() == (
        "frames of 400 pixels, folders at 30 frames a second, all frames of a video, "
        "no optical flow, videos that begin at 0 s"
    )
    assert FrameSettings(shorter_side=0).difference(OTHER) == (
        "frames of the video's own size and frames of 256 pixels; "
        "folders at 30 frames a second and folders at 12.5 frames a second; "
        "all frames of a video and at most 7.5 frames a second; "
        "no optical flow and optical flow by farneback; "
        "videos that begin at 0 s and videos that begin at 900 s"
    )


def test_what_is_not_known_differs_from_nothing():
    assert difference({"shorter_side": None}, OTHER.to_dict()) == ""
    assert difference({}, OTHER.to_dict()) == ""
    known = {"shorter_side": 400, "max_frame_rate": None}
    assert difference(known, OTHER.to_dict()) == "frames of 400 pixels and frames of 256 pixels"


def test_provenance_of_a_record():
    flow = {"method": "farneback", "opencv": "4.10"}
    assert known_of_record(OTHER.to_provenance(flow)) == FIELDS_OF_OTHER
    plain = FrameSettings(optical_flow="")
    assert "optical_flow" not in plain.to_provenance()
    assert known_of_record(plain.to_provenance()) == plain.to_dict()
    before = {"shorter_side": 256, "max_frame_rate": 0.0, "video_start_seconds": 0.0}
    assert known_of_record(before) == {**before, "folder_frame_rate": None, "optical_flow": ""}
    assert known_of_record({}) == dict.fromkeys(FIELDS)  # of another maker


def test_for_a_model_flags_win_then_what_is_known_then_defaults():
    trained = {**FIELDS_OF_OTHER, "max_frame_rate": None}
    found = for_model(trained, True, {"shorter_side": 128})
    assert found == FrameSettings(128, 12.5, 0.0, "farneback", 0.0)
    assert for_model({}, True) == FrameSettings(optical_flow="dis")
    assert for_model({"optical_flow": "farneback"}, True, {"optical_flow": "dis"}).optical_flow == (
        "dis"
    )
    assert for_model({}, False) == FrameSettings()
    with pytest.raises(UserError, match="optical_flow dis: the model has no flow stream; leave"):
        for_model(trained, False, {"optical_flow": "dis"})
    with pytest.raises(UserError, match="^optical_flow is empty, and the model has a flow stream"):
        for_model(trained, True, {"optical_flow": ""})
    assert for_model(trained, False, {"video_start_seconds": 5.0}).video_start_seconds == 5


def parsed(*arguments):
    parser = Parser("")
    add_frame_flags(parser, default="0", older={"--frame_rate": "max_frame_rate"})
    return parser.parse_args(list(arguments))


def test_flags_are_those_given():
    assert given_settings(parsed()) == {}
    all_of_them = (
        "--shorter_side 256 --folder_frame_rate 12.5 --max_frame_rate 7.5 "
        "--optical_flow farneback --video_start_seconds 900"
    )
    assert given_settings(parsed(*all_of_them.split())) == FIELDS_OF_OTHER
    older = given_settings(parsed("--frames_rate", "12.5", "--frame_rate", "7.5"))
    assert older == {"folder_frame_rate": 12.5, "max_frame_rate": 7.5}
    assert given_settings(parsed("--shorter_side", "0")) == {"shorter_side": 0}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--shorter_side -5", "--shorter_side -5: expected pixels"),
        ("--frames_rate 0", "--folder_frame_rate 0: expected frames a second"),
        ("--max_frame_rate -1", "--max_frame_rate -1: expected 0"),
        ("--optical_flow tvl1", "--optical_flow tvl1: expected dis or farneback"),
        ("--video_start_seconds 1e15", "--video_start_seconds 1e\\+15: expected seconds"),
    ],
)
def test_mistakes_are_named_by_flag(arguments, message):
    with pytest.raises(UserError, match=f"^{message}"):
        given_settings(parsed(*arguments.split()))


def test_what_flags_change_is_said():
    trained = {**FrameSettings().to_dict(), "folder_frame_rate": None}
    given = {"shorter_side": 256, "folder_frame_rate": 12.5, "max_frame_rate": 0.0}
    assert overridden(given, trained) == [
        "--shorter_side 256: the model was trained on frames of 400 pixels"
    ]
    assert overridden({"max_frame_rate": 0.0}, OTHER.to_dict()) == [
        "--max_frame_rate 0: the model was trained on at most 7.5 frames a second"
    ]
    assert overridden({"video_start_seconds": 0.0}, OTHER.to_dict()) == []
    assert overridden({"optical_flow": ""}, OTHER.to_dict()) == [
        "--optical_flow '': the model was trained on optical flow by farneback"
    ]
