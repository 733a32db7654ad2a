"""The record says back what was put into it, in Python and inside a graph."""

import numpy as np
import pytest
import tensorflow as tf

from avatx.data.records import record


def _segment(num_rows=(3, 0, 1)):
    generator = np.random.default_rng(0)
    keyframes = []
    for k, rows in enumerate(num_rows):
        keyframes.append(
            record.Keyframe(
                timestamp=902_000_000 + k * 1_000_000,
                boxes=np.sort(generator.uniform(size=(rows, 2, 2)), axis=1)
                .reshape(-1, 4)
                .astype(np.float32),
                class_ids=generator.integers(1, 81, rows),
                class_names=[f"class {i}" for i in range(rows)],
                person_ids=generator.integers(-1, 9, rows),
            )
        )
    return record.Segment(
        video_id="-5KQ66BBWC4",
        start=900_000_000,
        end=906_000_000,
        height=6,
        width=8,
        frame_rate=23.976,
        timestamps=np.array([900_000_000, 900_041_708, 900_083_417]),
        frames=[
            bytes(tf.io.encode_jpeg(generator.integers(0, 255, (6, 8, 3), np.uint8)).numpy())
            for _ in range(3)
        ],
        keyframes=keyframes,
        provenance={"decoder": "PyAV", "jpeg_quality": 90},
    )


@pytest.mark.parametrize("num_rows", [(3, 0, 1), (0,), (0, 0), (1,)])
def test_decode_is_encode_backwards(num_rows):
    segment = _segment(num_rows)
    decoded = record.decode(record.encode(segment))
    assert decoded.key == segment.key
    for name in ("video_id", "start", "end", "height", "width", "frames", "provenance"):
        assert getattr(decoded, name) == getattr(segment, name), name
    assert decoded.frame_rate == pytest.approx(segment.frame_rate)
    np.testing.assert_array_equal(decoded.timestamps, segment.timestamps)
    assert len(decoded.keyframes) == len(num_rows)
    for was, now in zip(segment.keyframes, decoded.keyframes, strict=True):
        assert now.timestamp == was.timestamp and now.class_names == was.class_names
        assert now.boxes.shape == was.boxes.shape
        np.testing.assert_array_equal(now.boxes, was.boxes)
        np.testing.assert_array_equal(now.class_ids, was.class_ids)
        np.testing.assert_array_equal(now.person_ids, was.person_ids)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("num_rows", [(3, 0, 1), (0,), (0, 0)])
def test_parse_agrees_with_decode(num_rows, in_graph):
    segment = _segment(num_rows)
    serialized = record.encode(segment)
    if in_graph:
        parsed = next(iter(tf.data.Dataset.from_tensors(serialized).map(record.parse)))
    else:
        parsed = record.parse(tf.constant(serialized))
    assert parsed.video_id.numpy().decode() == segment.video_id
    assert (int(parsed.start), int(parsed.end)) == (segment.start, segment.end)
    assert (int(parsed.height), int(parsed.width)) == (6, 8)
    np.testing.assert_array_equal(parsed.timestamps, segment.timestamps)
    assert list(parsed.frames.numpy()) == segment.frames
    np.testing.assert_array_equal(
        parsed.keyframe_timestamps, [keyframe.timestamp for keyframe in segment.keyframes]
    )
    for k, keyframe in enumerate(segment.keyframes):
        np.testing.assert_array_equal(parsed.boxes[k], keyframe.boxes)
        np.testing.assert_array_equal(parsed.class_ids[k], keyframe.class_ids)
        np.testing.assert_array_equal(parsed.person_ids[k], keyframe.person_ids)


def test_keys_are_mediasequence_s():
    example = tf.train.SequenceExample.FromString(record.encode(_segment()))
    assert set(example.context.feature) == {
        "example/id",
        "clip/media_id",
        "clip/start/timestamp",
        "clip/end/timestamp",
        "image/format",
        "image/height",
        "image/width",
        "image/frame_rate",
        "avatx/provenance",
    }
    assert set(example.feature_lists.feature_list) == {
        "image/encoded",
        "image/timestamp",
        "region/timestamp",
        "region/bbox/ymin",
        "region/bbox/xmin",
        "region/bbox/ymax",
        "region/bbox/xmax",
        "region/label/index",
        "region/label/string",
        "region/track/index",
    }


def test_encode_refuses_disorder():
    segment = _segment()
    segment.timestamps = segment.timestamps[::-1]
    with pytest.raises(ValueError, match="ascending"):
        record.encode(segment)
    segment = _segment()
    segment.frames.pop()
    with pytest.raises(ValueError, match="2 frames but 3 timestamps"):
        record.encode(segment)


@pytest.mark.parametrize(
    "junk", [b"no protobuf at all", b"", tf.train.Example().SerializeToString()]
)
def test_decode_says_what_is_no_record(junk):
    with pytest.raises(ValueError, match="not a"):
        record.decode(junk)
