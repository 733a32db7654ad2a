"""From records to batches: the right frames, people, order, shares and errors."""

import collections
import os
import resource

import numpy as np
import pytest
import tensorflow as tf

import small_records
from avatx.core.structures import Batch
from avatx.data import clip_sampling, input_pipeline, record
from avatx.data.augmentation import RandomColor, RandomCropImage, RandomHorizontalFlip
from avatx.data.input_errors import explained
from avatx.data.input_pipeline import ClipShape, InputOptions, build_dataset
from avatx.data.keyframe_parsing import KeyframeParser, merge_rows, nearest_frames
from avatx.errors import UserError
from small_records import grey_frame, keyframe, segment, write, write_set

CLIP = ClipShape(num_frames=2, frame_rate=25.0, height=8, width=8)
AUGMENTATIONS = (RandomHorizontalFlip(), RandomCropImage(), RandomColor())


def options(pattern, **changes) -> InputOptions:
    return InputOptions((str(pattern),), **{"num_classes": 3, "max_boxes": 4, **changes})


def keys(batch: Batch):
    return [(bytes(video_id).rstrip(b"\0").decode(), float(timestamp))
            for video_id, timestamp, valid in zip(
                batch.keyframes.video_id.numpy(), batch.keyframes.timestamp.numpy(),
                batch.valid.numpy()) if valid]


def all_keys(dataset):
    return [key for batch in dataset for key in keys(batch)]


def equal(first, second):
    for one, other in zip(tf.nest.flatten(first), tf.nest.flatten(second)):
        np.testing.assert_array_equal(one, other)


def shown_frames(clips) -> np.ndarray:
    """Which stored frame each frame of [..., T, H, W, 3] is, by its grey level."""
    return np.rint(np.asarray(clips)[..., 4, 4, 0] / 2).astype(int)


# Which frames a clip shows.


@pytest.mark.parametrize("num_frames", [1, 2, 7, 8, 64])
def test_frame_in_the_centre_is_the_keyframe(tmp_path, num_frames):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(2_000_000)])])
    clip = ClipShape(num_frames, 25.0, 8, 8)
    batch = next(iter(build_dataset(options(path), clip, 1, training=False)))
    frames = shown_frames(batch.clips)[0]
    if num_frames % 2 == 0:
        assert frames[num_frames // 2] == 50
    assert list(np.diff(frames)) == [1] * (num_frames - 1)


@pytest.mark.parametrize("at, expected", [
    (0, [0, 0, 0, 0, 0, 1, 2, 3]),  # the start of the video
    (80_000, [0, 0, 0, 1, 2, 3, 4, 5]),
    (9 * 40_000, [5, 6, 7, 8, 9, 9, 9, 9]),  # the last frame
    (12 * 40_000, [8, 9, 9, 9, 9, 9, 9, 9]),  # past the end
])
def test_border_frames_repeat(tmp_path, at, expected):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(at)], num_frames=10)])
    batch = next(iter(build_dataset(options(path), ClipShape(8, 25.0, 8, 8), 1, training=False)))
    assert list(shown_frames(batch.clips)[0]) == expected


@pytest.mark.parametrize("stored_rate", [5.0, 23.976, 25.0, 29.97, 30.0, 60.0])
@pytest.mark.parametrize("clip_rate", [8.0, 21.3, 25.0])
def test_rates_are_converted_as_inference_does(stored_rate, clip_rate):
    times = np.rint(np.arange(120) * 1e6 / stored_rate).astype(np.int64)
    for at in (0, 1_000_000, 1_966_633, int(times[-1])):
        wanted = clip_sampling.wanted_times(at, 16, clip_rate)
        np.testing.assert_array_equal(
            nearest_frames(tf.constant(times), tf.constant(wanted)),
            clip_sampling.nearest_frames(times, wanted))


def test_nearest_frame_is_nearest_and_earlier_on_a_tie():
    generator = np.random.default_rng(0)
    for count in (1, 2, 3, 50):
        times = np.cumsum(generator.integers(1, 9, count)) * 2
        wanted = np.arange(-5, times[-1] + 5)
        distance = np.abs(times[np.newaxis] - wanted[:, np.newaxis])
        np.testing.assert_array_equal(
            nearest_frames(tf.constant(times), tf.constant(wanted)), distance.argmin(axis=1))


def test_only_frames_of_the_clip_are_decoded(tmp_path):
    frames = [grey_frame(2 * i) if 8 <= i < 12 else b"not a JPEG" for i in range(20)]
    path = write(tmp_path / "a.tfrecord",
                 [segment("v", [keyframe(400_000)], num_frames=20, frames=frames)])
    batch = next(iter(build_dataset(options(path), ClipShape(4, 25.0, 8, 8), 1, training=False)))
    assert list(shown_frames(batch.clips)[0]) == [8, 9, 10, 11]
    with pytest.raises(UserError, match="not a readable JPEG"), explained([path]):
        next(iter(build_dataset(options(path), ClipShape(6, 25.0, 8, 8), 1, training=False)))


# People.


def test_rows_of_one_person_merge_in_order():
    rows = [((0.5, 0.5, 0.6, 0.6), 4, 7), ((0.1, 0.2, 0.3, 0.4), 1, 3),
            ((0.5, 0.5, 0.6, 0.6), 2, 7), ((0.1, 0.2, 0.3, 0.4), 1, 3),
            ((0.5, 0.5, 0.6, 0.6), 3, 8), ((0.1, 0.2, 0.3, 0.4), 4, 3)]
    boxes, class_ids, person_ids = zip(*rows)
    merged, labels = merge_rows(
        tf.constant(boxes), tf.constant(class_ids, tf.int64), tf.constant(person_ids, tf.int64), 5)
    np.testing.assert_array_equal(
        merged, np.float32([[.5, .5, .6, .6], [.1, .2, .3, .4], [.5, .5, .6, .6]]))
    np.testing.assert_array_equal(
        labels, [[0, 1, 0, 1, 0], [1, 0, 0, 1, 0], [0, 0, 1, 0, 0]])


def test_boxes_labels_and_counts_are_padded(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [
        keyframe(1_000_000), keyframe(2_000_000, [])])])
    batch = next(iter(build_dataset(options(path), CLIP, 2, training=False)))
    boxes, labels, num_boxes, seeds = batch.groundtruth
    assert list(num_boxes) == [2, 0]
    np.testing.assert_array_equal(boxes[0], np.float32(
        [[.1, .2, .5, .6], [.3, .3, .9, .4], [0] * 4, [0] * 4]))
    np.testing.assert_array_equal(labels[0], [[1, 0, 1], [0, 1, 0], [0] * 3, [0] * 3])
    assert not np.any(boxes[1]) and not np.any(labels[1])
    assert seeds.shape == (2, 2) and len(np.unique(seeds)) == 4


def test_more_people_than_max_boxes_keep_the_first(tmp_path, capfd):
    crowd = [((0.1 * i, 0.1, 0.1 * i + 0.1, 0.2), 1 + i % 3, i) for i in range(6)]
    path = write(tmp_path / "a.tfrecord", [segment("crowded", [keyframe(1_000_000, crowd)])])
    batch = next(iter(build_dataset(options(path), CLIP, 1, training=True)))
    np.testing.assert_allclose(batch.groundtruth.boxes[0, :, 0], [0, 0.1, 0.2, 0.3], rtol=1e-6)
    assert batch.groundtruth.num_boxes == 4
    assert "crowded" in capfd.readouterr().err


def test_keyframes_without_people_stay_unless_training_drops_them(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [
        keyframe(0), keyframe(1_000_000, []), keyframe(2_000_000)])])
    dropping = options(path, drop_keyframes_without_people=True)
    assert len(all_keys(build_dataset(dropping, CLIP, 1, training=False))) == 3
    stream = all_keys(build_dataset(dropping, CLIP, 1, training=True).take(8))
    assert {time for _, time in stream} == {0.0, 2.0}
    stream = all_keys(build_dataset(options(path), CLIP, 1, training=True).take(3))
    assert {time for _, time in stream} == {0.0, 1.0, 2.0}


# One pass, shares, repetition.


def test_evaluation_gives_each_keyframe_once_in_static_batches(tmp_path):
    pattern = write_set(tmp_path, num_files=3)
    dataset = build_dataset(options(pattern), CLIP, 4, training=False)
    assert dataset.element_spec.clips.shape == (4, 2, 8, 8, 3)
    assert dataset.element_spec.groundtruth.labels.shape == (4, 4, 3)
    batches = list(dataset)
    assert [int(sum(batch.valid.numpy())) for batch in batches] == [4, 4, 4, 4, 2]
    expected = [(f"video{file}", 10.0 * part + second)
                for file in range(3) for part in range(2) for second in range(3)]
    assert all_keys(dataset) == expected
    np.testing.assert_array_equal(batches[-1].clips[2], batches[0].clips[0])


@pytest.mark.parametrize("num_files, pipelines", [(5, 2), (1, 2), (2, 3)])
@pytest.mark.parametrize("replicas", [1, 2])
def test_shares_of_workers_partition_the_keyframes(tmp_path, num_files, pipelines, replicas):
    pattern = write_set(tmp_path, num_files)
    total = num_files * 6
    found = []
    for index in range(pipelines):
        context = tf.distribute.InputContext(pipelines, index, pipelines * replicas)
        dataset = build_dataset(options(pattern), CLIP, 2 * pipelines * replicas,
                                training=False, input_context=context)
        assert dataset.element_spec.clips.shape[0] == 2
        batches = list(dataset)
        assert len(batches) % replicas == 0  # no replica is left without a batch
        found += [key for batch in batches for key in keys(batch)]
    assert len(found) == total and len(set(found)) == total


def test_distributed_evaluation_covers_all_once(tmp_path):
    pattern = write_set(tmp_path, num_files=1, segments_each=1)  # 3 keyframes
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    dataset = strategy.distribute_datasets_from_function(
        lambda context: build_dataset(options(pattern), CLIP, 2, training=False,
                                      input_context=context))
    assert sorted(all_keys(dataset)) == [("video0", 0.0), ("video0", 1.0), ("video0", 2.0)]


def test_training_epochs_are_permutations_and_differ(tmp_path):
    pattern = write_set(tmp_path, num_files=3)
    stream = all_keys(build_dataset(options(pattern), CLIP, 3, training=True).take(24))
    epochs = [stream[i:i + 18] for i in range(0, 72, 18)]
    for epoch in epochs:
        assert len(set(epoch)) == 18
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert epochs[0] != sorted(epochs[0])


def test_shuffle_off_keeps_the_order(tmp_path):
    pattern = write_set(tmp_path, num_files=1)
    stream = all_keys(build_dataset(
        options(pattern, shuffle=False), CLIP, 3, training=True).take(4))
    assert stream[:6] == sorted(stream[:6]) and stream[6:] == stream[:6]


def test_batches_of_replicas_are_parts_of_the_whole_batch(tmp_path):
    pattern = write_set(tmp_path, num_files=2)

    def make(**arguments):
        return build_dataset(options(pattern), CLIP, 4, training=True,
                             augmentations=AUGMENTATIONS, **arguments)

    shares = list(make(input_context=tf.distribute.InputContext(1, 0, 2)).take(6))
    for whole, first, second in zip(make().take(3), shares[::2], shares[1::2]):
        equal(whole, tf.nest.map_structure(
            lambda one, other: tf.concat([one, other], 0), first, second))


# Determinism.


def test_same_seed_same_stream_whatever_the_threads(tmp_path):
    pattern = write_set(tmp_path, num_files=3)

    def make(**changes):
        return build_dataset(options(pattern, **changes), CLIP, 4, training=True,
                             augmentations=AUGMENTATIONS).take(6)

    tf.random.set_seed(1)
    first = list(make(num_parallel_decodes=1))
    tf.random.set_seed(0)
    for one, other in zip(first, make(num_parallel_decodes=5)):
        equal(one, other)
    assert [keys(batch) for batch in make(seed=1)] != [keys(batch) for batch in first]


@pytest.mark.parametrize("step", [1, 5, 9])
def test_start_step_continues_the_stream(tmp_path, step):
    pattern = write_set(tmp_path, num_files=3)  # 18 keyframes: 4.5 batches an epoch

    def make(**arguments):
        return build_dataset(options(pattern), CLIP, 4, training=True,
                             augmentations=AUGMENTATIONS, **arguments)

    for one, other in zip(make().skip(step).take(3), make(start_step=step).take(3)):
        equal(one, other)


def test_example_is_the_same_eagerly_as_in_the_dataset(tmp_path):
    pattern = write_set(tmp_path, num_files=1, segments_each=1)
    given = options(pattern)
    parser = KeyframeParser(CLIP, given.num_classes)
    serialized = next(iter(tf.data.TFRecordDataset(tf.io.gfile.glob(pattern))))
    eager = {}
    for index in range(3):
        example = input_pipeline.make_example(
            parser.keyframe(parser.segment(serialized), index), CLIP, given, AUGMENTATIONS)
        eager[float(example.keyframes.timestamp)] = example
    dataset = build_dataset(given, CLIP, 1, training=True, augmentations=AUGMENTATIONS)
    for batch in dataset.take(3):
        equal(tf.nest.map_structure(lambda part: part[0], batch),
              eager[float(batch.keyframes.timestamp[0])])


def test_an_augmented_clip_changes_from_epoch_to_epoch(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(1_000_000)])])
    seeds, boxes = collections.Counter(), collections.Counter()
    for batch in build_dataset(options(path), CLIP, 1, training=True,
                               augmentations=(RandomCropImage(),)).take(4):
        seeds[batch.groundtruth.sampling_seed.numpy().tobytes()] += 1
        boxes[batch.groundtruth.boxes.numpy().tobytes()] += 1
    assert len(seeds) == 4 and len(boxes) == 4


def test_memory_does_not_grow_with_the_number_of_clips(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, [20, 120, 160, 3], np.uint8)
    frames = [tf.io.encode_jpeg(frame, quality=95).numpy() for frame in noise]
    segments = [segment(f"v{i}", [keyframe(200_000 + j) for j in range(4)], num_frames=20,
                        frames=frames) for i in range(8)]
    path = write(tmp_path / "a.tfrecord", segments)
    clip = ClipShape(16, 25.0, 96, 96)
    iterator = iter(build_dataset(options(path, shuffle_buffer_size=8), clip, 4, training=True,
                                  augmentations=AUGMENTATIONS))
    for _ in range(40):
        next(iterator)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(120):
        batch = next(iterator)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    read = 120 * int(tf.size(batch.clips))
    assert grown < read / 4  # 212 MB of pixels passed through


# Mistakes.


def failure(pattern, clip=CLIP, **changes) -> str:
    """The one line with which reading all of the records ends."""
    with pytest.raises(UserError) as caught:
        files = tf.io.gfile.glob(str(pattern))
        with explained(files):
            for _ in build_dataset(options(pattern, **changes), clip, 1, training=False):
                pass
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_pattern_without_a_file(tmp_path):
    assert "nothing-*.tfrecord: no file matches" in failure(tmp_path / "nothing-*.tfrecord")
    with pytest.raises(UserError, match="input_path is empty"):
        build_dataset(InputOptions((), 3), CLIP, 1, training=True)


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
        tmp_path / "set-*.tfrecord")
    path.write_bytes(whole[:-200] + bytes(200))
    assert "set-01.tfrecord: corrupt or cut short after 1 records" in failure(
        tmp_path / "set-*.tfrecord")


def test_records_of_something_else(tmp_path):
    path = str(tmp_path / "other.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(tf.train.Example(features=tf.train.Features(feature={
            "image/source_id": tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[b"1"]))})).SerializeToString())
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


def test_video_id_too_long(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("é" * 64, [keyframe(0)])])
    assert len(all_keys(build_dataset(options(path), CLIP, 1, training=False))) == 1
    path = write(tmp_path / "b.tfrecord", [segment("é" * 65, [keyframe(0)])])
    assert "130 bytes; expected 128 at most" in failure(path)


def test_clip_longer_than_the_records_hold(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(2_000_000)], margin=0)])
    covered = build_dataset(options(path), ClipShape(64, 25.0, 8, 8), 1, training=False)
    assert len(all_keys(covered)) == 1
    message = failure(path, ClipShape(64, 12.5, 8, 8))
    assert "64 frames at 12.5 a second around keyframe 2 s need -0.56 to 4.48 s" in message


def test_nothing_to_read(tmp_path):
    assert "empty" in failure(write(tmp_path / "a.tfrecord", []))
    path = write(tmp_path / "b.tfrecord", [segment("v", [keyframe(0, [])])])
    with pytest.raises(UserError, match="no keyframe to train on; .* with people"):
        build_dataset(options(path, drop_keyframes_without_people=True), CLIP, 1, training=True)


def test_one_empty_file_among_others_is_no_mistake(tmp_path):
    write_set(tmp_path, num_files=1)
    write(tmp_path / "set-99.tfrecord", [])
    pattern = tmp_path / "set-*.tfrecord"
    assert len(all_keys(build_dataset(options(pattern), CLIP, 4, training=False))) == 6


def test_batch_that_replicas_cannot_share(tmp_path):
    pattern = write_set(tmp_path, num_files=1)
    with pytest.raises(UserError, match="batch_size: 3 clips .* 2 replicas"):
        build_dataset(options(pattern), CLIP, 3, training=True,
                      input_context=tf.distribute.InputContext(1, 0, 2))


def test_values_out_of_range():
    with pytest.raises(UserError, match="max_boxes: 0"):
        InputOptions(("a",), 3, max_boxes=0)
    with pytest.raises(UserError, match="frame_rate: 0"):
        ClipShape(4, 0, 8, 8)


def test_errors_that_are_not_of_the_input_pass_unchanged():
    with pytest.raises(tf.errors.InvalidArgumentError):
        with explained():
            tf.reshape(tf.zeros([3]), [2])
