"""The stream of batches: one pass or many, shares of workers, determinism, memory."""

import collections
import os

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_records import all_keys, keyframe, keys, options, segment, write, write_set

from avatx.data.input.augmentation import RandomColor, RandomCropImage, RandomHorizontalFlip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_parsing import KeyframeParser
from avatx.data.input.keyframe_source import KeyframeSource, make_example

CLIP = ClipShape(num_frames=2, frame_rate=25.0, height=8, width=8)
AUGMENTATIONS = (default(RandomHorizontalFlip), default(RandomCropImage), default(RandomColor))


def equal(first, second):
    for one, other in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_evaluation_gives_each_keyframe_once_in_static_batches(tmp_path):
    pattern = write_set(tmp_path, num_files=3)
    dataset = build_dataset(KeyframeSource(options(pattern), CLIP), 4, training=False)
    assert dataset.element_spec.clips.shape == (4, 2, 8, 8, 3)
    assert dataset.element_spec.groundtruth.labels.shape == (4, 4, 3)
    batches = list(dataset)
    assert [int(sum(batch.valid.numpy())) for batch in batches] == [4, 4, 4, 4, 2]
    expected = [
        (f"video{file}", 10.0 * part + second)
        for file in range(3)
        for part in range(2)
        for second in range(3)
    ]
    assert all_keys(dataset) == expected
    np.testing.assert_array_equal(batches[-1].clips[2], batches[0].clips[0])


@pytest.mark.parametrize("num_files, pipelines, replicas", [(5, 2, 1), (1, 2, 2), (2, 3, 1)])
def test_shares_of_workers_partition_the_keyframes(tmp_path, num_files, pipelines, replicas):
    pattern = write_set(tmp_path, num_files)
    total = num_files * 6
    found = []
    for index in range(pipelines):
        context = tf.distribute.InputContext(pipelines, index, pipelines * replicas)
        dataset = build_dataset(
            KeyframeSource(options(pattern), CLIP),
            2 * pipelines * replicas,
            training=False,
            input_context=context,
        )
        assert dataset.element_spec.clips.shape[0] == 2
        batches = list(dataset)
        assert len(batches) % replicas == 0  # no replica is left without a batch
        found += [key for batch in batches for key in keys(batch)]
    assert len(found) == total and len(set(found)) == total


def test_distributed_evaluation_covers_all_once(tmp_path):
    pattern = write_set(tmp_path, num_files=1, segments_each=1)  # 3 keyframes
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    dataset = strategy.distribute_datasets_from_function(
        lambda context: build_dataset(
            KeyframeSource(options(pattern), CLIP), 2, training=False, input_context=context
        )
    )
    assert sorted(all_keys(dataset)) == [("video0", 0.0), ("video0", 1.0), ("video0", 2.0)]


def test_training_epochs_are_permutations_and_differ(tmp_path):
    pattern = write_set(tmp_path, num_files=3)
    stream = all_keys(
        build_dataset(KeyframeSource(options(pattern), CLIP), 3, training=True).take(24)
    )
    epochs = [stream[i : i + 18] for i in range(0, 72, 18)]
    for epoch in epochs:
        assert len(set(epoch)) == 18
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert epochs[0] != sorted(epochs[0])


def test_shuffle_off_keeps_the_order(tmp_path):
    pattern = write_set(tmp_path, num_files=1)
    stream = all_keys(
        build_dataset(KeyframeSource(options(pattern, shuffle=False), CLIP), 3, training=True).take(
            4
        )
    )
    assert stream[:6] == sorted(stream[:6]) and stream[6:] == stream[:6]


def test_batches_of_replicas_are_parts_of_the_whole_batch(tmp_path):
    pattern = write_set(tmp_path, num_files=2)

    def make(**arguments):
        return build_dataset(
            KeyframeSource(options(pattern), CLIP),
            4,
            training=True,
            augmentations=AUGMENTATIONS,
            **arguments,
        )

    shares = list(make(input_context=tf.distribute.InputContext(1, 0, 2)).take(6))
    for whole, first, second in zip(make().take(3), shares[::2], shares[1::2], strict=True):
        equal(
            whole,
            tf.nest.map_structure(lambda one, other: tf.concat([one, other], 0), first, second),
        )


# Determinism.


def test_same_seed_same_stream_whatever_the_threads(tmp_path):
    pattern = write_set(tmp_path, num_files=3)

    def make(**changes):
        return build_dataset(
            KeyframeSource(options(pattern, **changes), CLIP),
            4,
            training=True,
            augmentations=AUGMENTATIONS,
        ).take(6)

    tf.random.set_seed(1)
    first = list(make(num_parallel_decodes=1))
    tf.random.set_seed(0)
    for one, other in zip(first, make(num_parallel_decodes=5), strict=True):
        equal(one, other)
    assert [keys(batch) for batch in make(seed=1)] != [keys(batch) for batch in first]


def test_start_step_continues_the_stream(tmp_path):
    pattern = write_set(tmp_path, num_files=3)  # 18 keyframes: 4.5 batches an epoch

    def make(**arguments):
        return build_dataset(
            KeyframeSource(options(pattern), CLIP),
            4,
            training=True,
            augmentations=AUGMENTATIONS,
            **arguments,
        )

    whole = list(make().take(11))
    for step in (1, 9):
        for one, other in zip(whole[step : step + 2], make(start_step=step).take(2), strict=True):
            equal(one, other)


def test_example_is_the_same_eagerly_as_in_the_dataset(tmp_path):
    pattern = write_set(tmp_path, num_files=1, segments_each=1)
    given = options(pattern)
    parser = KeyframeParser(CLIP, given.num_classes)
    serialized = next(iter(tf.data.TFRecordDataset(tf.io.gfile.glob(pattern))))
    eager = {}
    for index in range(3):
        example = make_example(
            parser.keyframe(parser.segment(serialized), index), CLIP, given, AUGMENTATIONS
        )
        eager[float(example.keyframes.timestamp)] = example
    dataset = build_dataset(
        KeyframeSource(given, CLIP), 1, training=True, augmentations=AUGMENTATIONS
    )
    for batch in dataset.take(3):
        equal(
            tf.nest.map_structure(lambda part: part[0], batch),
            eager[float(batch.keyframes.timestamp[0])],
        )


def test_an_augmented_clip_changes_from_epoch_to_epoch(tmp_path):
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(1_000_000)])])
    seeds, boxes = collections.Counter(), collections.Counter()
    for batch in build_dataset(
        KeyframeSource(options(path), CLIP),
        1,
        training=True,
        augmentations=(default(RandomCropImage),),
    ).take(4):
        seeds[batch.groundtruth.sampling_seed.numpy().tobytes()] += 1
        boxes[batch.groundtruth.boxes.numpy().tobytes()] += 1
    assert len(seeds) == 4 and len(boxes) == 4


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_number_of_clips(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, [20, 120, 160, 3], np.uint8)
    frames = [tf.io.encode_jpeg(frame, quality=95).numpy() for frame in noise]
    path = write(
        tmp_path / "a.tfrecord",
        [
            segment(
                f"v{i}", [keyframe(200_000 + j) for j in range(4)], num_frames=20, frames=frames
            )
            for i in range(8)
        ],
    )
    iterator = iter(
        build_dataset(
            KeyframeSource(options(path, shuffle_buffer_size=8), ClipShape(16, 25.0, 128, 128)),
            4,
            training=True,
            augmentations=(default(RandomHorizontalFlip),),
        )
    )

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(20):
        next(iterator)
    before, passed = resident(), 0
    for _ in range(60):
        passed += int(tf.size(next(iterator).clips))
    assert resident() - before < passed / 2  # 189 MB of pixels passed through
