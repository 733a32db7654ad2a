"""What lies in a record, read by the literal names of MediaSequence: no code of ours reads here."""

import json

import numpy as np
import pytest
import tensorflow as tf

from avatx.data.records import record


def two_people(**changes) -> record.Segment:
    """Every number in it is another one."""
    return record.Segment(
        **{
            "video_id": "film",
            "start": 1_500_000,
            "end": 9_250_000,
            "height": 48,
            "width": 160,
            "frame_rate": 23.5,
            "timestamps": np.array([2_000_000, 2_040_000, 2_090_000]),
            "frames": [b"first", b"second", b"third"],
            "keyframes": [
                record.Keyframe(
                    timestamp=2_030_000,
                    boxes=np.float32([[0.1, 0.2, 0.6, 0.9], [0.3, 0.05, 0.7, 0.4]]),
                    class_ids=np.array([12, 80]),
                    class_names=["stand", "watch"],
                    person_ids=np.array([7, -1]),
                ),
                record.Keyframe(
                    timestamp=3_030_000,
                    boxes=np.zeros([0, 4], np.float32),
                    class_ids=np.zeros([0], np.int64),
                    class_names=[],
                    person_ids=np.zeros([0], np.int64),
                ),
            ],
            "provenance": {"decoder": "PyAV", "codec": "h264"},
            **changes,
        }
    )


def stored(segment):
    """(context, lists): key -> value or values, and key -> one list a step."""
    example = tf.train.SequenceExample.FromString(record.encode(segment))

    def values(feature):
        return list(getattr(feature, feature.WhichOneof("kind")).value)

    return (
        {key: values(feature) for key, feature in example.context.feature.items()},
        {
            key: [values(feature) for feature in steps.feature]
            for key, steps in example.feature_lists.feature_list.items()
        },
    )


def test_context_of_a_segment():
    context, _ = stored(two_people())
    assert json.loads(context.pop("avatx/provenance")[0]) == {"decoder": "PyAV", "codec": "h264"}
    assert context == {
        "example/id": [b"film@1.5-9.25"],
        "clip/media_id": [b"film"],
        "clip/start/timestamp": [1_500_000],
        "clip/end/timestamp": [9_250_000],
        "image/format": [b"JPEG"],
        "image/height": [48],
        "image/width": [160],
        "image/frame_rate": [23.5],
    }


def test_steps_of_a_segment():
    _, steps = stored(two_people())
    boxes = {key: steps.pop(f"region/bbox/{key}") for key in ("ymin", "xmin", "ymax", "xmax")}
    for key, expected in (
        ("ymin", [0.1, 0.3]),
        ("xmin", [0.2, 0.05]),
        ("ymax", [0.6, 0.7]),
        ("xmax", [0.9, 0.4]),
    ):
        assert boxes[key][0] == pytest.approx(expected, rel=1e-6), key
        assert boxes[key][1] == [], key
    assert steps == {
        "image/encoded": [[b"first"], [b"second"], [b"third"]],
        "image/timestamp": [[2_000_000], [2_040_000], [2_090_000]],
        "region/timestamp": [[2_030_000], [3_030_000]],
        "region/label/index": [[12, 80], []],
        "region/label/string": [[b"stand", b"watch"], []],
        "region/track/index": [[7, -1], []],
    }


def test_optical_flow_has_a_list_of_its_own():
    _, steps = stored(two_people(flow=[b"x", b"y", b"z"]))
    assert steps["FORWARD_FLOW/image/encoded"] == [[b"x"], [b"y"], [b"z"]]
    assert steps["image/encoded"] == [[b"first"], [b"second"], [b"third"]]
    with pytest.raises(ValueError, match="3 frames but the flow of 2"):
        record.encode(two_people(flow=[b"x", b"y"]))


def test_a_labelled_video_has_labels_and_no_region():
    context, steps = stored(
        two_people(keyframes=[], clip_class_ids=[3, 5], clip_class_names=["jump", "run"])
    )
    assert context["clip/label/index"] == [3, 5]
    assert context["clip/label/string"] == [b"jump", b"run"]
    assert set(steps) == {"image/encoded", "image/timestamp"}


def foreign_record(**steps) -> bytes:
    """A record written by hand, by the names that the format's documentation gives."""

    def feature(values):
        if isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if isinstance(values[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    context = {
        "clip/media_id": [b"foreign"],
        "clip/start/timestamp": [10],
        "clip/end/timestamp": [990],
        "clip/label/index": [4],
        "clip/label/string": [b"dance"],
        "image/height": [20],
        "image/width": [30],
        "image/frame_rate": [12.5],
        "avatx/provenance": [b"{}"],
    }
    lists = {
        "image/encoded": [[b"a"], [b"b"]],
        "image/timestamp": [[100], [300]],
        "FORWARD_FLOW/image/encoded": [[b"fa"], [b"fb"]],
        "region/timestamp": [[200]],
        "region/bbox/ymin": [[0.125]],
        "region/bbox/xmin": [[0.25]],
        "region/bbox/ymax": [[0.375]],
        "region/bbox/xmax": [[0.875]],
        "region/label/index": [[6]],
        "region/label/string": [[b"sit"]],
        "region/track/index": [[9]],
        **steps,
    }
    return tf.train.SequenceExample(
        context=tf.train.Features(feature={k: feature(v) for k, v in context.items()}),
        feature_lists=tf.train.FeatureLists(
            feature_list={
                key: tf.train.FeatureList(feature=[feature(value) for value in values])
                for key, values in lists.items()
            }
        ),
    ).SerializeToString()


def test_a_foreign_record_is_read_by_the_same_names():
    """`decode` and `parse`, each against the literal: what both got wrong alike would pass."""
    decoded = record.decode(foreign_record())
    assert (decoded.video_id, decoded.start, decoded.end) == ("foreign", 10, 990)
    assert (decoded.height, decoded.width, decoded.frame_rate) == (20, 30, 12.5)
    assert decoded.keyframes[0].boxes.tolist() == [[0.125, 0.25, 0.375, 0.875]]
    assert decoded.keyframes[0].class_ids.tolist() == [6]
    assert decoded.keyframes[0].class_names == ["sit"]
    assert decoded.keyframes[0].person_ids.tolist() == [9]
    assert decoded.keyframes[0].timestamp == 200
    assert (decoded.frames, decoded.flow) == ([b"a", b"b"], [b"fa", b"fb"])
    assert decoded.timestamps.tolist() == [100, 300]
    assert (decoded.clip_class_ids, decoded.clip_class_names) == ([4], ["dance"])

    parsed = record.parse(tf.constant(foreign_record()), flow=True)
    assert parsed.video_id == b"foreign"
    assert (int(parsed.start), int(parsed.end)) == (10, 990)
    assert (int(parsed.height), int(parsed.width), float(parsed.frame_rate)) == (20, 30, 12.5)
    assert parsed.boxes.to_list() == [[[0.125, 0.25, 0.375, 0.875]]]
    assert parsed.class_ids.to_list() == [[6]]
    assert parsed.class_names.to_list() == [[b"sit"]]
    assert parsed.person_ids.to_list() == [[9]]
    assert parsed.keyframe_timestamps.numpy().tolist() == [200]
    assert parsed.timestamps.numpy().tolist() == [100, 300]
    assert parsed.frames.numpy().tolist() == [b"a", b"b"]
    assert parsed.flow.numpy().tolist() == [b"fa", b"fb"]
    assert record.parse(tf.constant(foreign_record())).flow.numpy().tolist() == []

    video = record.parse_labelled_video(tf.constant(foreign_record()))
    assert (video.video_id, int(video.start)) == (b"foreign", 10)
    assert (int(video.height), int(video.width)) == (20, 30)
    assert (int(video.class_id), video.class_name) == (4, b"dance")
    assert video.timestamps.numpy().tolist() == [100, 300]
    assert video.frames.numpy().tolist() == [b"a", b"b"]


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamps": np.array([2_000_000, 2_000_000, 2_090_000])},  # equal is no order either
        {"keyframes": [two_people().keyframes[0]] * 2},
        {"keyframes": two_people().keyframes[::-1]},
    ],
)
def test_equal_and_descending_times_are_refused(changes):
    with pytest.raises(ValueError, match="strictly ascending"):
        record.encode(two_people(**changes))


@pytest.mark.parametrize("field", ["class_ids", "class_names", "person_ids"])
def test_lists_of_a_keyframe_are_of_one_length(field):
    segment = two_people()
    setattr(segment.keyframes[0], field, getattr(segment.keyframes[0], field)[:1])
    with pytest.raises(ValueError, match="keyframe 2030000 .* of different counts"):
        record.encode(segment)


def test_a_labelled_video_with_keyframes_or_other_names_is_refused():
    for changes in (
        {"clip_class_ids": [1], "clip_class_names": ["x"]},
        {"clip_class_ids": [1], "clip_class_names": [], "keyframes": []},
    ):
        with pytest.raises(ValueError, match="as many names as classes and no keyframes"):
            record.encode(two_people(**changes))
