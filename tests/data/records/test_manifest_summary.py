"""The lines that end a conversion, and the entry that they are made from, by hand."""

from avatx.data.records.manifest import make_entry, summary
from avatx.data.records.planned_segment import PlannedSegment, PlannedVideo
from avatx.data.records.record_plan import RecordPlan

ENTRY = {
    "unit": "keyframes",
    "totals": {"records": 3, "keyframes": 8, "frames": 70, "bytes": 2_400_000, "jpeg_bytes": 1},
    "videos": {"a": {}, "b": {"damage": "corrupt data"}},
    "shards": [{}, {}],
    "excluded_keyframes": 0,
    "dropped_rows_of_unknown_classes": {},
    "skipped": [],
}


def skip(video_id, timestamps, reason="not found"):
    return {
        "video_id": video_id,
        "reason": reason,
        "timestamps": timestamps,
        "num_keyframes": len(timestamps),
    }


def test_keyframes():
    assert summary({**ENTRY, "videos": {"a": {}, "b": {}}}) == [
        "8 keyframes of 2 videos in 3 records, 2 shards, 2.4 MB (300 kB a keyframe)"
    ]


def test_labelled_videos():
    assert summary({**ENTRY, "unit": "videos", "videos": {}}) == [
        "3 labelled videos, 2 shards, 2.4 MB (800 kB a video)"
    ]


def test_nothing_at_all():
    totals = {**ENTRY["totals"], "keyframes": 0, "bytes": 0}
    assert summary({**ENTRY, "videos": {}, "totals": totals}) == [
        "0 keyframes of 0 videos in 3 records, 2 shards, 0.0 MB"
    ]


def test_what_is_missing():
    lines = summary(
        {
            **ENTRY,
            "excluded_keyframes": 4,
            "dropped_rows_of_unknown_classes": {"77": 1, "99": 6},
            "skipped": [skip("c", [1.0, 2.0]), skip("c", [9.0], "past the end"), skip("d", [5.0])],
        }
    )
    assert lines[1:] == [
        "4 excluded keyframes left out",
        "7 rows dropped whose class is not in the label map: 77, 99",
        "1 videos break off and were read up to there: b",
        "MISSING: 4 keyframes of 2 videos",
        "  c: 2 keyframes: not found",
        "  c: 1 keyframes: past the end",
        "  d: 1 keyframes: not found",
    ]


def test_no_more_than_ten_names():
    many = [skip(f"v{number:02d}", [0.0]) for number in range(12)]
    lines = summary({**ENTRY, "unit": "videos", "skipped": many})
    assert lines[-12] == "MISSING: 12 videos" and lines[-11] == "  v00: not found"
    assert lines[-1] == "  and 2 more: see the manifest"
    dropped = {str(number): 1 for number in range(12)}
    (line,) = [
        one
        for one in summary({**ENTRY, "dropped_rows_of_unknown_classes": dropped})
        if "dropped" in one
    ]
    assert line.endswith("map: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more")


def result(shard, **changes):
    return {
        "shard": shard,
        "fingerprint": f"print of {shard}",
        "records": 1,
        "keyframes": 2,
        "frames": 30,
        "bytes": 500,
        "jpeg_bytes": 400,
        "videos": {},
        "skipped": [],
        **changes,
    }


def test_an_entry_adds_its_shards_up():
    plan = RecordPlan([[PlannedSegment("z", None, None, 0, 1, ())]], ["z", "y"], {99: 2}, 3, 7)
    entry = make_entry(
        plan,
        [
            result(
                "one",
                videos={"a": {"codec": "h264"}},
                skipped=[{"video_id": "y", "reason": "gone", "timestamps": [3.0, 1.0]}],
            ),
            result(
                "two",
                keyframes=5,
                bytes=250,
                videos={"b": {}},
                skipped=[
                    {"video_id": "y", "reason": "gone", "timestamps": [2.0]},
                    {"video_id": "x", "reason": "late", "timestamps": [4.0]},
                ],
            ),
        ],
        {"jpeg_quality": 90},
        {"annotations": "a.csv"},
    )
    assert entry["totals"] == {
        "records": 2,
        "keyframes": 7,
        "frames": 60,
        "bytes": 750,
        "jpeg_bytes": 800,
    }
    assert entry["skipped"] == [
        {"video_id": "x", "reason": "late", "num_keyframes": 1, "timestamps": [4.0]},
        {"video_id": "y", "reason": "gone", "num_keyframes": 3, "timestamps": [1.0, 2.0, 3.0]},
    ]
    assert entry["missing_videos"] == ["y", "z"]
    assert entry["dropped_rows_of_unknown_classes"] == {"99": 2}
    assert entry["excluded_keyframes"] == 3 and entry["unit"] == "keyframes"
    assert entry["videos"] == {"a": {"codec": "h264"}, "b": {}}
    assert [one["shard"] for one in entry["shards"]] == ["one", "two"]
    assert entry["shards"][1] == {
        "shard": "two",
        "fingerprint": "print of two",
        "records": 1,
        "keyframes": 5,
        "frames": 30,
        "bytes": 250,
    }
    assert entry["settings"] == {"jpeg_quality": 90} and entry["inputs"] == {"annotations": "a.csv"}


def test_the_unit_is_of_what_is_planned():
    assert (
        RecordPlan([[], [PlannedVideo("a", None, None, 0, None, 3)]], [], {}, 0, 0).unit == "videos"
    )
