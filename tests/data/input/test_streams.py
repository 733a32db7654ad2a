"""The streams of batches, written down: which clips, in which order, with which random numbers.

A run that is resumed by other code must go on with the batches that it would have had. So the
order of files and clips, the seeds and what is skipped on resuming are fixed here by their digest;
the numbers are those of the code before keyframes and labelled videos got one pipeline. Several
workers share the stream of one: tested here, too.
"""

import hashlib

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_records import keyframe, segment, write

from avatx.data.input.augmentation import RandomColor, RandomCropImage, RandomHorizontalFlip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import InputOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.input.labelled_clip_source import LabelledClipSource, TestViews
from avatx.data.records import record

CLIP = ClipShape(num_frames=3, frame_rate=4.0, height=10, width=14)
AUGMENTATIONS = (default(RandomHorizontalFlip), default(RandomCropImage), default(RandomColor))
HEIGHT, WIDTH, FRAMES = 48, 64, 12


def picture(number: int, time: int) -> bytes:
    """A smooth JPEG that tells video, time, left from right and top from bottom."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    channels = (3 * rows + 10 * time, 2 * columns + 5 * number, rows + columns + 40 * (time % 3))
    frame = np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)
    return tf.io.encode_jpeg(frame, quality=95).numpy()


def people(number: int):
    """None, one or two people, the second with two labels."""
    first = ((0.1, 0.2, 0.5 + number / 100, 0.6), 1 + number % 3, 0)
    second = ((0.3, 0.25, 0.9, 0.4 + number / 50), 2, 1)
    return [first, second, (second[0], 3, 1)][: (number % 4 if number % 4 < 2 else 3)]


@pytest.fixture(scope="module")
def keyframes(tmp_path_factory):
    """5 files of 0, 3, 1, 4 and 2 segments, each of 1 to 4 keyframes; 25 in all."""
    folder, number = tmp_path_factory.mktemp("keyframes"), 0
    for file, segments in enumerate((0, 3, 1, 4, 2)):
        content = []
        for part in range(segments):
            start = part * 9_000_000
            times = [start + 500_000 * k for k in range(1 + (file + part) % 4)]
            content.append(
                segment(
                    f"video{file}",
                    [keyframe(time, people(number + k)) for k, time in enumerate(times)],
                    num_frames=FRAMES,
                    frame_rate=4.0,
                    first_time=start,
                    frames=[picture(number, time) for time in range(FRAMES)],
                )
            )
            number += len(times)
        write(folder / f"set-{file}.tfrecord", content)
    assert number == 25
    return str(folder / "set-*.tfrecord")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """4 files of 3, 0, 5 and 2 labelled videos of 1 to 10 frames."""
    folder, number = tmp_path_factory.mktemp("videos"), 0
    for file, count in enumerate((3, 0, 5, 2)):
        content = []
        for _ in range(count):
            times = 250_000 * np.arange(1 + number, dtype=np.int64)
            content.append(
                record.Segment(
                    video_id=f"video{number}",
                    start=1_000_000 * (number % 3),
                    end=100_000_000,
                    height=HEIGHT,
                    width=WIDTH,
                    frame_rate=4.0,
                    timestamps=times,
                    frames=[picture(number, time) for time in range(len(times))],
                    keyframes=[],
                    clip_class_ids=[1 + number % 3],
                    clip_class_names=[f"class {1 + number % 3}"],
                )
            )
            number += 1
        write(folder / f"set-{file}.tfrecord", content)
    return str(folder / "set-*.tfrecord")


def pixel_sum(batches) -> float:
    """A sum of all pixels in which each has another weight; a few rounded otherwise do not show."""
    pixels = np.concatenate([batch.clips.numpy().ravel() for batch in batches]).astype(float)
    weights = np.sin(0.1 * np.arange(len(pixels)) ** 2.0)
    return float(pixels @ weights / np.sqrt(len(pixels)))


def digest(facts: list) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def keyframe_facts(batches) -> list:
    """All that a batch says beside pixels, of each clip."""
    return [
        (
            bytes(batch.keyframes.video_id[i].numpy()).rstrip(b"\0").decode(),
            float(batch.keyframes.timestamp[i]),
            bool(batch.valid[i]),
            int(batch.groundtruth.num_boxes[i]),
            # Augmentation may round the last bit otherwise on another machine.
            (np.rint(batch.groundtruth.boxes[i].numpy() * 1e4).astype(int) + 0).tolist(),
            batch.groundtruth.labels[i].numpy().astype(int).tolist(),
            batch.groundtruth.sampling_seed[i].numpy().tolist(),
        )
        for batch in batches
        for i in range(len(batch.valid))
    ]


def clip_facts(batches) -> list:
    return [
        tuple(int(part[i]) for part in (batch.video_index, batch.view, batch.labels, batch.valid))
        for batch in batches
        for i in range(len(batch.valid))
    ]


def check(batches, facts, wanted) -> None:
    found = digest(facts(batches)), round(pixel_sum(batches), 2)
    assert found[0] == wanted[0], found
    assert found[1] == pytest.approx(wanted[1], abs=0.2), found


# (options, batch size, start step, batches), then what comes.
KEYFRAME_TRAINING = {
    "one worker": ({}, 3, 0, 18),
    "small buffers": (
        {"shuffle_buffer_size": 2, "open_segments": 3, "num_readers": 2},
        4,
        0,
        12,
    ),
    "in order": ({"shuffle": False}, 3, 0, 10),
    "resumed with people only": (
        {"drop_keyframes_without_people": True, "seed": 2},
        3,
        7,
        4,
    ),
}
LABELLED_TRAINING = {
    "one worker": ({}, 3, 0, 10),
    "small buffers": ({"shuffle_buffer_size": 2, "num_readers": 2}, 4, 0, 8),
    "in order": ({"shuffle": False}, 3, 0, 8),
}
EVALUATION = {
    "one worker": 4,
}
KEYFRAMES_WRITTEN_DOWN = {
    ("training", "one worker"): ("f0f747d2663e3706", -68.77),
    ("training", "small buffers"): ("4da3b43341d6d161", -71.07),
    ("training", "in order"): ("fc7075234698dc0c", -54.87),
    ("training", "resumed with people only"): ("28ccee2f2e0210db", -179.45),
    ("evaluation", "one worker"): ("007e66d3a0dd1d62", -31.34),
}
CLIPS_WRITTEN_DOWN = {
    ("training", "one worker"): ("782741e5118743fc", -62.76),
    ("training", "small buffers"): ("4537d125bec14a34", -105.96),
    ("training", "in order"): ("05583bf69edd7323", -71.99),
    ("evaluation", "one worker"): ("580ab4cadcb98f47", -9.03),
}


@pytest.mark.parametrize("name", KEYFRAME_TRAINING)
def test_keyframes_in_training(keyframes, name):
    changes, batch_size, start_step, count = KEYFRAME_TRAINING[name]
    dataset = build_dataset(
        KeyframeSource(
            default(InputOptions, (keyframes,), **{"num_classes": 3, "max_boxes": 4, **changes}),
            CLIP,
        ),
        batch_size,
        training=True,
        augmentations=AUGMENTATIONS,
        start_step=start_step,
    )
    check(list(dataset.take(count)), keyframe_facts, KEYFRAMES_WRITTEN_DOWN["training", name])


@pytest.mark.parametrize("name", EVALUATION)
def test_keyframes_in_evaluation(keyframes, name):
    batch_size = EVALUATION[name]
    dataset = build_dataset(
        KeyframeSource(
            default(InputOptions, (keyframes,), num_classes=3, max_boxes=4, seed=6), CLIP
        ),
        batch_size,
        training=False,
    )
    check(list(dataset), keyframe_facts, KEYFRAMES_WRITTEN_DOWN["evaluation", name])


@pytest.mark.parametrize("name", LABELLED_TRAINING)
def test_labelled_clips_in_training(videos, name):
    changes, batch_size, start_step, count = LABELLED_TRAINING[name]
    dataset = build_dataset(
        LabelledClipSource(default(InputOptions, (videos,), **{"num_classes": 3, **changes}), CLIP),
        batch_size,
        training=True,
        augmentations=AUGMENTATIONS,
        start_step=start_step,
    )
    check(list(dataset.take(count)), clip_facts, CLIPS_WRITTEN_DOWN["training", name])


@pytest.mark.parametrize("name", EVALUATION)
def test_labelled_clips_in_testing(videos, name):
    batch_size = EVALUATION[name]
    dataset = build_dataset(
        LabelledClipSource(
            default(InputOptions, (videos,), num_classes=3, seed=6),
            CLIP,
            TestViews(num_clips=3, num_crops=2),
        ),
        batch_size,
        training=False,
    )
    check(list(dataset), clip_facts, CLIPS_WRITTEN_DOWN["evaluation", name])


SOURCES = {
    "keyframes": lambda path: KeyframeSource(
        default(InputOptions, (path,), num_classes=3, max_boxes=4, seed=3), CLIP
    ),
    "videos": lambda path: LabelledClipSource(
        default(InputOptions, (path,), num_classes=3, seed=3),
        CLIP,
        TestViews(num_clips=3, num_crops=2),
    ),
}


# More files than workers, and fewer; where looking at all workers takes minutes, first and last.
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "pipelines, looked_at, replicas, batch_size, start_step",
    [
        (2, (0, 1), 2, 8, 5),
        (7, (0, 6), 1, 14, 3),
        pytest.param(3, range(3), 1, 6, 0, marks=pytest.mark.long),
        pytest.param(7, range(7), 1, 14, 3, marks=pytest.mark.long),
    ],
)
def test_workers_get_their_parts_of_each_batch_of_one(
    kind, training, pipelines, looked_at, replicas, batch_size, start_step, request
):
    source = SOURCES[kind](request.getfixturevalue(kind))

    def batches(index=None):
        context = index is not None and tf.distribute.InputContext(
            pipelines, index, pipelines * replicas
        )
        dataset = build_dataset(
            source,
            batch_size,
            training=training,
            augmentations=AUGMENTATIONS,
            input_context=context or None,
            start_step=start_step if training else 0,
        )
        count = 5 * (1 if index is None else replicas)
        return list(dataset.take(count) if training else dataset)

    whole = batches()
    size = batch_size // (pipelines * replicas)
    for index in looked_at:
        own = batches(index)
        assert len(own) == len(whole) * replicas
        for i, part in enumerate(own):
            first = (index * replicas + i % replicas) * size
            for all_of_it, mine in zip(
                tf.nest.flatten(whole[i // replicas]), tf.nest.flatten(part), strict=True
            ):
                np.testing.assert_array_equal(all_of_it[first : first + size], mine)
