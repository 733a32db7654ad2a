"""What is asked of a video for a record, and what is made of the answer: the video is made up."""

import numpy as np
import pytest
from PIL import Image

from avatx.data.records import keyframe_segment, labelled_video
from avatx.data.records.planned_segment import PlannedKeyframe, PlannedSegment, PlannedVideo
from avatx.data.records.record_plan import RecordSettings
from avatx.data.records.span_reading import Span, read_span
from avatx.data.video.frame_settings import FrameSettings
from avatx.errors import UserError

SECOND = 1_000_000
NAMES = {1: "stand"}


@pytest.fixture
def video(monkeypatch):
    """Spans that are asked for, as (start, end, other arguments), and what is answered."""
    told = {"asked": [], "end_time": None, "ended": True, "error": None, "times": [0, 40_000]}

    def read_span(source, settings, start, end, **more):
        assert source == "v.mp4"
        told["asked"].append((start, end, more))
        if isinstance(told["error"], UserError):
            raise told["error"]
        times = np.array(told["times"], np.int64)
        frames = [b"jpeg"] * len(times)
        facts = {"end_time": told["end_time"], "ended": told["ended"], "error": told["error"]}
        return Span(
            48,
            64,
            told.get("rate", 25.0),
            times,
            frames,
            None,
            {"codec": "x", "container": "mp4"},
            **facts,
        )

    monkeypatch.setattr(keyframe_segment, "read_span", read_span)
    monkeypatch.setattr(labelled_video, "read_span", read_span)
    monkeypatch.setattr(keyframe_segment, "_ENDS", {})
    return told


def read(times, start_seconds=0.0, source="v.mp4"):
    """The keyframes of the record of these times, and (reason, seconds) of the others."""
    keyframes = tuple(PlannedKeyframe(time, ((0.1, 0.2, 0.3, 0.4, 1, 7),)) for time in times)
    planned = PlannedSegment("v", source, None, times[0] - 5, times[-1] + 9, keyframes)
    settings = RecordSettings(FrameSettings(video_start_seconds=start_seconds))
    segment, skipped = keyframe_segment.read(planned, settings, NAMES)
    assert all(one["video_id"] == "v" for one in skipped)
    kept = [] if segment is None else [keyframe.timestamp for keyframe in segment.keyframes]
    return segment, kept, [(one["reason"], one["timestamps"]) for one in skipped]


def test_times_of_a_video_that_begins_later(video):
    """A keyframe at its first frame is there, one a microsecond before is not."""
    start = 900 * SECOND
    segment, kept, skipped = read([start - 1, start, start + SECOND], start_seconds=900.0)
    assert video["asked"] == [(-6, SECOND + 9, {"optical_flow": ""})]
    assert kept == [start, start + SECOND]
    assert skipped == [("before the video's first frame, which is at 900 s", [899.999999])]
    assert segment.timestamps.tolist() == [start, start + 40_000]
    assert (segment.start, segment.end) == (start - 6, start + SECOND + 9)
    assert (segment.height, segment.width, segment.frame_rate) == (48, 64, 25.0)
    assert segment.provenance == {"codec": "x", "container": "mp4", "margin_seconds": 2.0}
    one = segment.keyframes[0]
    np.testing.assert_allclose(one.boxes, [[0.1, 0.2, 0.3, 0.4]])
    assert (one.class_ids.tolist(), one.class_names, one.person_ids.tolist()) == (
        [1],
        ["stand"],
        [7],
    )


@pytest.mark.parametrize("rate, grace", [(25.0, 20_000), (10.0, 50_000), (0.0, 20_000)])
def test_half_a_frame_of_grace_at_the_end(video, rate, grace):
    video.update(end_time=10 * SECOND, rate=rate)
    last = 10 * SECOND + grace
    _, kept, skipped = read([9 * SECOND, last, last + 1])
    assert kept == [9 * SECOND, last]
    assert skipped == [("past the end of the video, which is at 10.000 s", [(last + 1) / SECOND])]


def test_an_end_is_looked_for_once(video):
    video.update(end_time=10 * SECOND)
    late = [11 * SECOND]
    for count in (1, 1):
        segment, _, skipped = read(late)
        assert segment is None and len(video["asked"]) == count
        assert skipped == [("past the end of the video, which is at 10.000 s", [11.0])]
    read([9 * SECOND])
    assert len(video["asked"]) == 2  # what lies before it is read
    assert read(late, start_seconds=5.0)[1] == late and len(video["asked"]) == 3


def test_an_end_by_damage_is_looked_for_again(video):
    video.update(end_time=10 * SECOND, ended=False, error="corrupt data after 9.960 s")
    for count in (1, 2):
        assert read([11 * SECOND])[2] == [("corrupt data after 9.960 s", [11.0])]
        assert len(video["asked"]) == count


def test_a_video_that_is_not_there_or_cannot_be_read(video):
    assert read([SECOND], source=None)[2] == [("the video was not found", [1.0])]
    assert not video["asked"]
    video["error"] = UserError("v.mp4: no frame of it can be decoded")
    assert read([SECOND, 2 * SECOND])[2] == [("no frame of it can be decoded", [1.0, 2.0])]


def labelled(start, end, source="v.mp4"):
    planned = PlannedVideo("v", source, None, start, end, 1)
    segment, skipped = labelled_video.read(planned, RecordSettings(), NAMES)
    assert (segment is None) == bool(skipped)
    return segment, [(one["reason"], one["timestamps"]) for one in skipped]


def test_a_label_holds_from_its_start_to_before_its_end(video):
    segment, _ = labelled(SECOND, 3 * SECOND)
    ((start, end, more),) = video["asked"]
    assert (start, end) == (SECOND, 3 * SECOND)
    moments = (SECOND - 1, SECOND, 3 * SECOND - 1, 3 * SECOND)
    assert [more["wanted"](time) for time in moments] == [False, True, True, False]
    assert (segment.start, segment.end) == (SECOND, 3 * SECOND)
    assert (segment.clip_class_ids, segment.clip_class_names) == ([1], ["stand"])
    assert "damage" not in segment.provenance and segment.keyframes == []


@pytest.mark.parametrize("end_time, end", [(80_000, 80_000), (None, 40_000)])
def test_a_whole_video_ends_where_it_ends(video, end_time, end):
    video["end_time"] = end_time
    assert labelled(0, None)[0].end == end
    assert video["asked"][0][2]["wanted"](10**15)


def test_a_labelled_video_that_breaks_off_or_holds_nothing(video):
    video["error"] = "corrupt data after 0.040 s"
    assert labelled(0, None)[0].provenance["damage"] == video["error"]
    video["times"] = []
    assert labelled(0, None)[1] == [(video["error"], [0.0])]
    video.update(error=None, end_time=2 * SECOND)
    words = "no frame from 3 s to 4 s; the video ends at 2.000 s"
    assert labelled(3 * SECOND, 4 * SECOND)[1] == [(words, [3.0])]
    assert labelled(0, None, source=None)[1] == [("the video was not found", [0.0])]


def test_a_span_says_where_it_is_from(tmp_path):
    """Three frames of 6 x 8 pixels, 10 a second, of which the second and third are read."""
    folder = tmp_path / "film"
    folder.mkdir()
    for number in (1, 2, 3):
        Image.new("RGB", (8, 6)).save(folder / f"{number}.png")
    settings = RecordSettings(
        FrameSettings(shorter_side=3, folder_frame_rate=10.0), jpeg_quality=80
    )
    span = read_span(str(folder), settings, 100_000, 900_000)
    assert span.timestamps.tolist() == [100_000, 200_000] and len(span.frames) == 2
    assert (span.height, span.width, span.frame_rate) == (3, 4, 10.0)
    assert (span.end_time, span.ended, span.error, span.flow) == (300_000, True, None, None)
    facts = span.provenance
    assert (facts["source"], facts["source_height"], facts["source_width"]) == ("film", 6, 8)
    assert (facts["jpeg_quality"], facts["shorter_side"], facts["codec"]) == (80, 3, "png")
    size = len(span.frames[0])
    assert read_span(str(folder), settings, 100_000, 900_000, max_bytes=2 * size).ended
    with pytest.raises(UserError, match="too many for one record"):
        read_span(str(folder), settings, 100_000, 900_000, max_bytes=2 * size - 1)
