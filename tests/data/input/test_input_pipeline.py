"""From records to batches: the right frames, the right people, one clear line for a mistake."""

import os

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_records import all_keys, grey_frame, keyframe, options, segment, write, write_set

from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import InputOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_parsing import merge_rows, nearest_frames
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.records import record
from avatx.data.records.input_errors import explained
from avatx.data.video import clip_sampling
from avatx.errors import UserError

CLIP = ClipShape(num_frames=2, frame_rate=25.0, height=8, width=8)


def shown_frames(clips) -> np.ndarray:
    """Which stored frame each frame of [..., T, H, W, 3] is, by its grey level."""
    return np.rint(np.asarray(clips)[..., 4, 4, 0] / 2).astype(int)


# Which frames a clip shows.


@pytest.mark.parametrize("num_frames", [1, 2, 7, 8, 64])
def test_frame_in_the_centre_is_the_keyframe(tmp_path, num_frames):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(2_000_000)])])
    clip = ClipShape(num_frames, 25.0, 8, 8)
    batch = next(iter(build_dataset(KeyframeSource(options(path), clip), 1, training=False)))
    frames = shown_frames(batch.clips)[0]
    if num_frames % 2 == 0:
        assert frames[num_frames // 2] == 50
    assert list(np.diff(frames)) == [1] * (num_frames - 1)


@pytest.mark.parametrize(
    "at, expected",
    [
        (0, [0, 0, 0, 0, 0, 1, 2, 3]),  # the start of the video
        (80_000, [0, 0, 0, 1, 2, 3, 4, 5]),
        (9 * 40_000, [5, 6, 7, 8, 9, 9, 9, 9]),  # the last frame
        (12 * 40_000, [8, 9, 9, 9, 9, 9, 9, 9]),  # past the end
    ],
)
def test_border_frames_repeat(tmp_path, at, expected):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(at)], num_frames=10)])
    batch = next(
        iter(
            build_dataset(
                KeyframeSource(options(path), ClipShape(8, 25.0, 8, 8)), 1, training=False
            )
        )
    )
    assert list(shown_frames(batch.clips)[0]) == expected


@pytest.mark.parametrize("stored_rate", [5.0, 23.976, 25.0, 29.97, 30.0, 60.0])
@pytest.mark.parametrize("clip_rate", [8.0, 21.3, 25.0])
def test_rates_are_converted_as_inference_does(stored_rate, clip_rate):
    times = np.rint(np.arange(120) * 1e6 / stored_rate).astype(np.int64)
    for at in (0, 1_000_000, 1_966_633, int(times[-1])):
        wanted = clip_sampling.wanted_times(at, 16, clip_rate)
        np.testing.assert_array_equal(
            nearest_frames(tf.constant(times), tf.constant(wanted)),
            clip_sampling.nearest_frames(times, wanted),
        )


def test_nearest_frame_is_nearest_and_earlier_on_a_tie():
    generator = np.random.default_rng(0)
    for count in (1, 2, 3, 50):
        times = np.cumsum(generator.integers(1, 9, count)) * 2
        wanted = np.arange(-5, times[-1] + 5)
        distance = np.abs(times[np.newaxis] - wanted[:, np.newaxis])
        np.testing.assert_array_equal(
            nearest_frames(tf.constant(times), tf.constant(wanted)), distance.argmin(axis=1)
        )


def test_only_frames_of_the_clip_are_decoded(tmp_path):
    frames = [grey_frame(2 * i) if 8 <= i < 12 else b"\xff\xd8 not a JPEG" for i in range(20)]
    path = write(
        tmp_path / "a.tfrecord", [segment("v", [keyframe(400_000)], num_frames=20, frames=frames)]
    )
    batch = next(
        iter(
            build_dataset(
                KeyframeSource(options(path), ClipShape(4, 25.0, 8, 8)), 1, training=False
            )
        )
    )
    assert list(shown_frames(batch.clips)[0]) == [8, 9, 10, 11]
    with (
        pytest.raises(UserError, match=r"image/encoded 1 \(\d+ bytes\) cannot be dec"),
        explained([path]),
    ):
        next(
            iter(
                build_dataset(
                    KeyframeSource(options(path), ClipShape(6, 25.0, 8, 8)), 1, training=False
                )
            )
        )


# People.


def test_rows_of_one_person_merge_in_order():
    rows = [
        ((0.5, 0.5, 0.6, 0.6), 4, 7),
        ((0.1, 0.2, 0.3, 0.4), 1, 3),
        ((0.5, 0.5, 0.6, 0.6), 2, 7),
        ((0.1, 0.2, 0.3, 0.4), 1, 3),
        ((0.5, 0.5, 0.6, 0.6), 3, 8),
        ((0.1, 0.2, 0.3, 0.4), 4, 3),
    ]
    boxes, class_ids, person_ids = zip(*rows, strict=True)
    merged, labels = merge_rows(
        tf.constant(boxes), tf.constant(class_ids, tf.int64), tf.constant(person_ids, tf.int64), 5
    )
    np.testing.assert_array_equal(
        merged, np.float32([[0.5, 0.5, 0.6, 0.6], [0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.6, 0.6]])
    )
    np.testing.assert_array_equal(labels, [[0, 1, 0, 1, 0], [1, 0, 0, 1, 0], [0, 0, 1, 0, 0]])


def test_boxes_labels_and_counts_are_padded(tmp_path):
    path = write(
        tmp_path / "a.tfrecord", [segment("v", [keyframe(1_000_000), keyframe(2_000_000, [])])]
    )
    batch = next(iter(build_dataset(KeyframeSource(options(path), CLIP), 2, training=False)))
    boxes, labels, num_boxes, seeds = batch.groundtruth
    assert list(num_boxes) == [2, 0]
    np.testing.assert_array_equal(
        boxes[0], np.float32([[0.1, 0.2, 0.5, 0.6], [0.3, 0.3, 0.9, 0.4], [0] * 4, [0] * 4])
    )
    np.testing.assert_array_equal(labels[0], [[1, 0, 1], [0, 1, 0], [0] * 3, [0] * 3])
    assert not np.any(boxes[1]) and not np.any(labels[1])
    assert seeds.shape == (2, 2) and len(np.unique(seeds)) == 4


def test_more_people_than_max_boxes_keep_the_first(tmp_path, capfd):
    crowd = [((0.1 * i, 0.1, 0.1 * i + 0.1, 0.2), 1 + i % 3, i) for i in range(6)]
    path = write(tmp_path / "a.tfrecord", [segment("crowded", [keyframe(1_000_000, crowd)])])
    batch = next(iter(build_dataset(KeyframeSource(options(path), CLIP), 1, training=True)))
    np.testing.assert_allclose(batch.groundtruth.boxes[0, :, 0], [0, 0.1, 0.2, 0.3], rtol=1e-6)
    assert batch.groundtruth.num_boxes == 4
    assert "crowded" in capfd.readouterr().err


def test_evaluation_refuses_more_people_than_max_boxes(tmp_path):
    crowd = [((0.1 * i, 0.1, 0.1 * i + 0.1, 0.2), 1 + i % 3, i) for i in range(6)]
    path = write(tmp_path / "a.tfrecord", [segment("crowded", [keyframe(1_000_000, crowd)])])
    dataset = build_dataset(KeyframeSource(options(path), CLIP), 1, training=False)
    words = "crowded@1.* has 6 people and max_number_of_boxes is 4"
    with pytest.raises(UserError, match=words), explained():
        next(iter(dataset))


def test_keyframes_without_people_stay_unless_training_drops_them(tmp_path):
    path = write(
        tmp_path / "a.tfrecord",
        [segment("v", [keyframe(0), keyframe(1_000_000, []), keyframe(2_000_000)])],
    )
    dropping = options(path, drop_keyframes_without_people=True)
    assert len(all_keys(build_dataset(KeyframeSource(dropping, CLIP), 1, training=False))) == 3
    stream = all_keys(build_dataset(KeyframeSource(dropping, CLIP), 1, training=True).take(8))
    assert {time for _, time in stream} == {0.0, 2.0}
    stream = all_keys(build_dataset(KeyframeSource(options(path), CLIP), 1, training=True).take(3))
    assert {time for _, time in stream} == {0.0, 1.0, 2.0}


@pytest.mark.parametrize("open_segments, together", [(1, True), (2, False)])
def test_open_segments_bring_keyframes_of_different_videos_beside_each_other(
    open_segments, together, tmp_path
):
    keyframes = [keyframe(second * 1_000_000) for second in range(4)]
    path = write(tmp_path / "a.tfrecord", [segment("v", keyframes), segment("w", keyframes)])
    given = options(path, open_segments=open_segments, shuffle_buffer_size=1)
    dataset = build_dataset(KeyframeSource(given, CLIP), 1, training=True)
    videos = [video for video, _ in all_keys(dataset.take(4))]
    assert (len(set(videos)) == 1) == together


# Mistakes.


def failure(pattern, clip=CLIP, **changes) -> str:
    """The one line with which reading all of the records ends."""
    with pytest.raises(UserError) as caught:
        with explained([str(pattern)]):
            for _ in build_dataset(
                KeyframeSource(options(pattern, **changes), clip), 1, training=False
            ):
                pass
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_pattern_without_a_file(tmp_path):
    assert "nothing-*.tfrecord: no file matches" in failure(tmp_path / "nothing-*.tfrecord")
    with pytest.raises(UserError, match="input_path is empty"):
        build_dataset(KeyframeSource(default(InputOptions, (), 3), CLIP), 1, training=True)


def test_file_that_is_no_tfrecord(tmp_path):
    (tmp_path / "video.mp4").write_bytes(os.urandom(4096))
    message = failure(tmp_path / "video.mp4")
    assert "video.mp4: not a TFRecord file" in message


def test_corrupt_and_cut_files_are_named(tmp_path):
    write_set(tmp_path, num_files=2)
    path = tmp_path / "set-01.tfrecord"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert "set-01.tfrecord: corrupt or cut short after 1 records" in failure(
        tmp_path / "set-*.tfrecord"
    )
    path.write_bytes(whole[:-200] + bytes(200))
    assert "set-01.tfrecord: corrupt or cut short after 1 records" in failure(
        tmp_path / "set-*.tfrecord"
    )


def test_records_of_something_else(tmp_path):
    path = str(tmp_path / "other.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(
            tf.train.Example(
                features=tf.train.Features(
                    feature={
                        "image/source_id": tf.train.Feature(
                            bytes_list=tf.train.BytesList(value=[b"1"])
                        )
                    }
                )
            ).SerializeToString()
        )
    message = failure(path)
    assert path in message and "clip/media_id" in message and "image/source_id" in message
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"\xff\xff\xff\xff not a proto")
    assert "not a tf.train.SequenceExample" in failure(path)


def test_later_record_of_something_else(tmp_path):
    path = str(tmp_path / "mixed.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(record.encode(segment("v", [keyframe(0)])))
        writer.write(tf.train.SequenceExample().SerializeToString())
    assert "mixed.tfrecord: record 2 lacks clip/media_id" in failure(path)


@pytest.mark.parametrize("wrong", [0, -1, 4])
def test_class_id_outside_the_label_map(tmp_path, wrong):
    good = segment("good", [keyframe(0)])
    bad = segment("bad", [keyframe(0, [((0, 0, 1, 1), wrong, -1)])])
    for order in ([bad, good], [good, bad]):
        message = failure(write(tmp_path / "a.tfrecord", order))
        assert "record bad@" in message and f"class id {wrong};" in message
        assert "num_classes = 3" in message


def test_a_label_map_in_another_order_is_refused(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0, []), keyframe(2_000_000)])])
    names = tmp_path / "map.pbtxt"

    def dataset(*classes):
        write_label_map(names, LabelMap({i: f"class {c}" for i, c in enumerate(classes, start=1)}))
        return build_dataset(
            KeyframeSource(options(path, label_map_path=str(names)), CLIP), 1, training=False
        )

    assert len(all_keys(dataset(1, 2, 3))) == 2
    assert len(all_keys(dataset(1, 2))) == 2  # nothing to compare class 3 with
    with pytest.raises(
        UserError,
        match=r"a\.tfrecord: record v@-100 calls class 3 'class 3' and "
        r".*map\.pbtxt 'class 2'; .*label_map_path",
    ) as raised:
        dataset(1, 3, 2)
    assert "\n" not in str(raised.value)


def test_records_without_names_are_not_compared(tmp_path):
    example = tf.train.SequenceExample.FromString(
        record.encode(segment("v", [keyframe(2_000_000)]))
    )
    del example.feature_lists.feature_list[record.REGION_LABEL_STRING]
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(example.SerializeToString())
    write_label_map(tmp_path / "map.pbtxt", LabelMap({1: "x"}))
    given = options(tmp_path / "a.tfrecord", label_map_path=str(tmp_path / "map.pbtxt"))
    assert len(all_keys(build_dataset(KeyframeSource(given, CLIP), 1, training=False))) == 1


def test_video_id_too_long(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("é" * 64, [keyframe(0)])])
    assert len(all_keys(build_dataset(KeyframeSource(options(path), CLIP), 1, training=False))) == 1
    path = write(tmp_path / "b.tfrecord", [segment("é" * 65, [keyframe(0)])])
    assert "130 bytes; expected 128 at most" in failure(path)


def test_clip_longer_than_the_records_hold(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(2_000_000)], margin=0)])
    covered = build_dataset(
        KeyframeSource(options(path), ClipShape(64, 25.0, 8, 8)), 1, training=False
    )
    assert len(all_keys(covered)) == 1
    message = failure(path, ClipShape(64, 12.5, 8, 8))
    assert "64 frames at 12.5 a second around keyframe 2 s need -0.56 to 4.48 s" in message


def test_nothing_to_read(tmp_path):
    assert "empty" in failure(write(tmp_path / "a.tfrecord", []))
    path = write(tmp_path / "b.tfrecord", [segment("v", [keyframe(0, [])])])
    with pytest.raises(UserError, match="no keyframe to train on; .* with people"):
        build_dataset(
            KeyframeSource(options(path, drop_keyframes_without_people=True), CLIP),
            1,
            training=True,
        )


def test_more_workers_than_keyframes(tmp_path):
    """A batch is more than an epoch then."""
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0), keyframe(1_000_000)])])
    found = []
    for index in range(3):
        context = tf.distribute.InputContext(3, index, 3)
        source = KeyframeSource(options(path, shuffle=False), CLIP)
        dataset = build_dataset(source, 3, training=True, input_context=context)
        found.append([seconds for _, seconds in all_keys(dataset.take(2))])
    assert found == [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]


def test_one_empty_file_among_others_is_no_mistake(tmp_path):
    write_set(tmp_path, num_files=1)
    write(tmp_path / "set-99.tfrecord", [])
    pattern = tmp_path / "set-*.tfrecord"
    assert (
        len(all_keys(build_dataset(KeyframeSource(options(pattern), CLIP), 4, training=False))) == 6
    )


def test_batch_that_replicas_cannot_share(tmp_path):
    pattern = write_set(tmp_path, num_files=1)
    with pytest.raises(UserError, match="batch_size: 3 clips .* 2 replicas"):
        build_dataset(
            KeyframeSource(options(pattern), CLIP),
            3,
            training=True,
            input_context=tf.distribute.InputContext(1, 0, 2),
        )


def test_values_out_of_range():
    with pytest.raises(UserError, match="max_boxes: 0"):
        default(InputOptions, ("a",), 3, max_boxes=0)
    with pytest.raises(UserError, match="frame_rate: 0"):
        ClipShape(4, 0, 8, 8)


def test_errors_that_are_not_of_the_input_pass_unchanged(tmp_path):
    with pytest.raises(tf.errors.InvalidArgumentError):
        with explained():
            tf.reshape(tf.zeros([3]), [2])
    (tmp_path / "checkpoint.index").write_bytes(bytes(100))
    with pytest.raises(tf.errors.DataLossError):
        with explained():
            tf.raw_ops.RestoreV2(
                prefix=str(tmp_path / "checkpoint"),
                tensor_names=["a"],
                shape_and_slices=[""],
                dtypes=[tf.float32],
            )
