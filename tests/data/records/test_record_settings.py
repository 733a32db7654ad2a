"""Settings of records: finished shards stay finished, plans and manifests stay readable."""

import dataclasses
import json

import pytest

from avatx.data.annotations.label_map import LabelMap
from avatx.data.records.planned_segment import from_dict
from avatx.data.records.record_plan import RecordSettings, fingerprint
from avatx.data.video.frame_settings import FrameSettings
from avatx.errors import UserError

LABELS = LabelMap({1: "stand", 7: "wave"})
OTHER = RecordSettings(
    FrameSettings(256, 29.97, 12.5, "farneback", 900.0),
    jpeg_quality=95,
    seconds_per_record=3.0,
    margin_seconds=1.0,
)
KEYFRAMES = {
    "video_id": "v",
    "source": "/a/v.mp4",
    "identity": [123, 456],
    "start": -2000000,
    "end": 9000000,
    "keyframes": [{"timestamp": 0, "rows": [[0.1, 0.2, 0.5, 0.9, 1, 0]]}],
}
LABELLED = {
    "video_id": "w",
    "source": None,
    "identity": None,
    "start": 0,
    "end": None,
    "class_id": 7,
    "keyframes": [],
}


@pytest.mark.parametrize(
    "segment, settings, digest",
    [
        (
            KEYFRAMES,
            RecordSettings(),
            "8ad9bd0dab173acc1aa9f9838635bd7d4e89c13bc150cc6063884349f247ae3d",
        ),
        (KEYFRAMES, OTHER, "39cca2c5c6111f8686cc4b92825095061f5c766389d6b71069e0a31b5066acfd"),
        (
            LABELLED,
            RecordSettings(FrameSettings(shorter_side=256), margin_seconds=0.0),
            "fb780f730f3c871903ebca2c411dc3db2fb051704f5ff2dd257196954404dc99",
        ),
    ],
)
def test_shards_of_before_frame_settings_count_as_unchanged(segment, settings, digest):
    """The digests are of the code before there were any."""
    planned = from_dict(segment)
    assert fingerprint([planned], settings, LABELS) == digest
    moved = dataclasses.replace(planned, source="/b/elsewhere.mp4")
    assert fingerprint([moved], settings, LABELS) == digest


@pytest.mark.parametrize("segment", [KEYFRAMES, LABELLED])
def test_the_json_of_a_plan_stays(segment):
    """Also that of a plan file, which a worker of before may read."""
    planned = from_dict(json.loads(json.dumps(segment)))
    assert planned.to_dict() == segment
    assert from_dict(json.loads(json.dumps(planned.to_dict()))) == planned


def test_every_fact_of_a_segment_changes_the_fingerprint():
    plain = from_dict(KEYFRAMES)
    (keyframe,) = plain.keyframes
    (row,) = keyframe.rows
    others = [
        dataclasses.replace(plain, video_id="u"),
        dataclasses.replace(plain, identity=[124, 456]),
        dataclasses.replace(plain, start=-1000000),
        dataclasses.replace(plain, end=8000000),
        dataclasses.replace(plain, keyframes=(dataclasses.replace(keyframe, timestamp=1),)),
        dataclasses.replace(plain, keyframes=(dataclasses.replace(keyframe, rows=(row, row)),)),
        dataclasses.replace(
            plain, keyframes=(dataclasses.replace(keyframe, rows=((*row[:5], 1),)),)
        ),
    ]
    digests = {fingerprint([one], RecordSettings(), LABELS) for one in [plain, *others]}
    assert len(digests) == 8
    video = from_dict(LABELLED)
    labels = [dataclasses.replace(video, class_id=1), dataclasses.replace(video, end=5)]
    assert len({fingerprint([one], RecordSettings(), LABELS) for one in [video, *labels]}) == 3


def test_every_setting_changes_the_fingerprint():
    planned = from_dict(KEYFRAMES)
    digests = {fingerprint([planned], RecordSettings(), LABELS)}
    changed = OTHER.to_dict()
    for name, value in changed.items():
        settings = RecordSettings.from_dict({name: value})
        digests.add(fingerprint([planned], settings, LABELS))
    assert len(changed) == 8 and len(digests) == 9


def test_plans_are_read_back_also_those_of_before():
    assert RecordSettings.from_dict(json.loads(json.dumps(OTHER.to_dict()))) == OTHER
    before = {
        "shorter_side": 256,
        "jpeg_quality": 95,
        "seconds_per_record": 3.0,
        "margin_seconds": 1.0,
        "max_frame_rate": 12.5,
        "frames_rate": 29.97,
        "video_start_seconds": 900.0,
        "optical_flow": "farneback",
    }
    assert RecordSettings.from_dict(before) == OTHER


@pytest.mark.parametrize(
    "values",
    [
        {"jpeg_quality": 0},
        {"jpeg_quality": 101},
        {"seconds_per_record": 0.0005},
        {"seconds_per_record": float("nan")},
        {"margin_seconds": -0.1},
    ],
)
def test_other_settings_are_checked(values):
    ((name, _),) = values.items()
    with pytest.raises(UserError, match=f"^{name} is .*, expected"):
        RecordSettings(**values)
