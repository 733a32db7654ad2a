"""Clips of labelled videos: windows and views against a plain reading, labels, shares, seeds."""

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_records import grey_frame, keyframe, segment, write

from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.data.input.augmentation import RandomColor, RandomCropImage, RandomHorizontalFlip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import InputOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.labelled_clip_source import LabelledClipSource, TestViews
from avatx.data.records import record
from avatx.data.records.input_errors import explained
from avatx.errors import UserError
from avatx.inference.video_classification import center_crop

HEIGHT, WIDTH = 48, 64
AUGMENTATIONS = (default(RandomHorizontalFlip), default(RandomCropImage), default(RandomColor))


def labelled(video_id, times, class_id=1, frames=None, start=0, size=(HEIGHT, WIDTH)):
    """Frame i is grey of level 2 i unless `frames` are given; `times` in microseconds."""
    return record.Segment(
        video_id=video_id,
        start=start,
        end=int(times[-1]) + 40_000,
        height=size[0],
        width=size[1],
        frame_rate=25.0,
        timestamps=np.array(times, np.int64),
        frames=frames or [grey_frame(2 * index) for index in range(len(times))],
        keyframes=[],
        clip_class_ids=[class_id],
        clip_class_names=[f"class {class_id}"],
    )


def regular(num_frames, rate=25.0):
    return np.rint(np.arange(num_frames) * 1e6 / rate).astype(np.int64)


def options(pattern, **changes):
    return default(InputOptions, (str(pattern),), **{"num_classes": 3, **changes})


def write_set(folder, num_files=3, videos_each=4, num_frames=4):
    """Videos of one grey level each, so that a clip tells its video; returns the file pattern."""
    for file in range(num_files):
        write(
            folder / f"set-{file}.tfrecord",
            [
                labelled(
                    f"video {file} {index}",
                    regular(num_frames, 5.0),
                    class_id=1 + (file + index) % 3,
                    frames=[grey_frame(10 * (file * videos_each + index))] * num_frames,
                )
                for index in range(videos_each)
            ],
        )
    return folder / "set-*.tfrecord"


def plain_window(times, begin, clip):
    """Which frames a clip shows that begins `begin` us after the first frame: by the book."""
    times = np.asarray(times, float) - times[0]
    mean = times[-1] / max(len(times) - 1, 1) or 1e6 / clip.frame_rate
    duration = np.floor(times[-1] + mean)
    shown = []
    for i in range(clip.num_frames):
        wanted = (begin + np.rint(i * 1e6 / clip.frame_rate)) % duration
        shown.append(int(np.argmin(np.abs(times - wanted))))
    return shown


def latest_begin(times, clip):
    duration = np.floor((times[-1] - times[0]) * len(times) / max(len(times) - 1, 1))
    return max(int(duration) - round(clip.num_frames * 1e6 / clip.frame_rate), 0)


def levels(clips):
    """[B, T] which frame each is, of videos with levels 2 i."""
    return np.rint(np.asarray(clips, float).mean(axis=(2, 3, 4)) / 2).astype(int)


def numbers(dataset):
    """(video, view) of all clips that are no filling."""
    return [
        (int(video), int(view))
        for batch in dataset
        for video, view, valid in zip(batch.video_index, batch.view, batch.valid, strict=True)
        if valid
    ]


@pytest.mark.parametrize(
    "times",
    [
        regular(100),
        regular(60, 30000 / 1001),
        regular(10),
        regular(1),
        np.cumsum([500_000, *np.random.default_rng(0).integers(9_000, 120_000, 80)]),
    ],
    ids=["long", "ntsc", "short", "one frame", "variable, begins late"],
)
def test_views_are_spread_over_the_whole_video(tmp_path, times):
    clip = ClipShape(num_frames=16, frame_rate=12.5, height=8, width=8)
    path = write(tmp_path / "a.tfrecord", [labelled("a", times)])
    for num_clips in (1, 3) if len(times) == 100 else (3,):
        dataset = build_dataset(
            LabelledClipSource(options(path), clip, TestViews(num_clips=num_clips, num_crops=2)),
            1,
            training=False,
        )
        batches = list(dataset)
        assert numbers(batches) == [(0, view) for view in range(2 * num_clips)]
        last = latest_begin(times, clip)
        for view, batch in enumerate(batches):
            share = 0.5 if num_clips == 1 else (view // 2) / (num_clips - 1)
            assert levels(batch.clips)[0].tolist() == plain_window(
                times, np.rint(share * last), clip
            )


def test_training_windows_lie_anywhere_in_the_video(tmp_path):
    times = regular(100)
    clip = ClipShape(num_frames=8, frame_rate=8.0, height=8, width=8)
    path = write(tmp_path / "a.tfrecord", [labelled("a", times)])
    allowed = {
        tuple(plain_window(times, begin, clip))
        for begin in range(0, latest_begin(times, clip) + 1, 500)
    }
    seen = [
        tuple(row)
        for batch in build_dataset(LabelledClipSource(options(path), clip), 10, training=True).take(
            20
        )
        for row in levels(batch.clips)
    ]
    assert set(seen) <= allowed
    begins = np.array([window[0] for window in seen])
    assert begins.min() <= 3 and begins.max() >= latest_begin(times, clip) / 40_000 - 3
    assert len(set(begins.tolist())) > 40


def test_short_videos_are_played_again(tmp_path):
    times = regular(10)  # 0.4 s
    clip = ClipShape(num_frames=16, frame_rate=25.0, height=8, width=8)
    path = write(tmp_path / "a.tfrecord", [labelled("a", times)])
    batch = next(iter(build_dataset(LabelledClipSource(options(path), clip), 1, training=True)))
    assert levels(batch.clips)[0].tolist() == [*range(10), *range(6)]


def gradient_frame(height, width):
    """Red tells the row, green the column."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = np.arange(height)[:, np.newaxis] * 3
    frame[..., 1] = np.arange(width) * 3
    return frame


def stored(frame):
    """Its JPEG; without chroma subsampling a crop in decoding is a crop of the decoded."""
    return tf.io.encode_jpeg(frame, quality=100, chroma_downsampling=False).numpy()


def pixels(frame):
    """What is left of a stored frame."""
    return tf.io.decode_jpeg(stored(frame)).numpy()


@pytest.mark.parametrize("size, num_crops", [((48, 64), 1), ((48, 64), 3), ((64, 48), 2)])
def test_crops_of_testing(tmp_path, size, num_crops):
    frame = gradient_frame(*size)
    path = write(
        tmp_path / "a.tfrecord", [labelled("a", regular(2), frames=[stored(frame)] * 2, size=size)]
    )
    clip = ClipShape(num_frames=2, frame_rate=25.0, height=32, width=32)
    dataset = build_dataset(
        LabelledClipSource(options(path), clip, TestViews(num_clips=1, num_crops=num_crops)),
        num_crops,
        training=False,
    )
    clips = next(iter(dataset)).clips.numpy()
    along = {1: [16], 2: [0, 32], 3: [0, 16, 32]}[num_crops]  # 64 - 32 is 32
    for shown, offset in zip(clips, along, strict=True):
        top, left = (8, offset) if size[1] > size[0] else (offset, 8)
        for one in shown:
            np.testing.assert_array_equal(one, pixels(frame)[top : top + 32, left : left + 32])


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (31, 45)])
@pytest.mark.parametrize("num_crops", [1, 3])
def test_the_centre_is_that_of_a_whole_video(tmp_path, size, num_crops):
    frame = gradient_frame(*size)
    path = write(
        tmp_path / "a.tfrecord", [labelled("a", regular(2), frames=[stored(frame)] * 2, size=size)]
    )
    clip = ClipShape(num_frames=2, frame_rate=25.0, height=30, width=30)
    dataset = build_dataset(
        LabelledClipSource(options(path), clip, TestViews(num_clips=1, num_crops=num_crops)),
        num_crops,
        training=False,
    )
    shown = next(iter(dataset)).clips.numpy()[num_crops // 2, 0]
    np.testing.assert_array_equal(shown, center_crop(pixels(frame), 30, 30))


def test_training_crops_are_of_the_clips_size_and_everywhere(tmp_path):
    frame = gradient_frame(40, 44)
    path = write(
        tmp_path / "a.tfrecord",
        [labelled("a", regular(2), frames=[stored(frame)] * 2, size=(40, 44))],
    )
    clip = ClipShape(num_frames=2, frame_rate=25.0, height=36, width=40)
    corners = set()
    for batch in build_dataset(LabelledClipSource(options(path), clip), 50, training=True).take(8):
        for shown in batch.clips.numpy():
            np.testing.assert_array_equal(shown[0], shown[1])
            means = shown[0].astype(float).mean(axis=(0, 1)) / 3
            top, left = int(round(means[0] - 17.5)), int(round(means[1] - 19.5))
            corners.add((top, left))
            np.testing.assert_array_equal(shown[0], pixels(frame)[top : top + 36, left : left + 40])
    assert corners == {(top, left) for top in range(5) for left in range(5)}


def test_frames_smaller_than_the_clip_are_enlarged_in_its_ratio(tmp_path):
    frame = gradient_frame(30, 60)
    path = write(
        tmp_path / "a.tfrecord", [labelled("a", regular(1), frames=[stored(frame)], size=(30, 60))]
    )
    clip = ClipShape(num_frames=1, frame_rate=25.0, height=60, width=60)
    batch = next(
        iter(
            build_dataset(
                LabelledClipSource(options(path), clip, TestViews(1, 1)), 1, training=False
            )
        )
    )
    expected = tf.image.resize(pixels(frame)[:, 15:45], (60, 60)).numpy()
    assert np.abs(batch.clips.numpy()[0, 0] - expected).max() <= 0.5  # rounding


def test_flips_and_crops_are_one_for_all_frames(tmp_path):
    frame = gradient_frame(48, 64)
    path = write(tmp_path / "a.tfrecord", [labelled("a", regular(6), frames=[stored(frame)] * 6)])
    clip = ClipShape(num_frames=6, frame_rate=25.0, height=32, width=32)
    mirrored = []
    for batch in build_dataset(
        LabelledClipSource(options(path), clip), 8, training=True, augmentations=AUGMENTATIONS
    ).take(4):
        clips = batch.clips.numpy().astype(int)
        assert (clips == clips[:, :1]).all()
        mirrored += [bool(one[0, 16, 0, 1] > one[0, 16, -1, 1]) for one in clips]
    assert 4 < sum(mirrored) < 28


def test_testing_gives_each_view_once_in_order_with_labels(tmp_path):
    pattern = write_set(tmp_path)
    clip = ClipShape(num_frames=2, frame_rate=5.0, height=8, width=8)
    dataset = build_dataset(
        LabelledClipSource(options(pattern), clip, TestViews(2, 1)),
        5,
        training=False,
        augmentations=AUGMENTATIONS,
    )
    assert dataset.element_spec.clips.shape == (5, 2, 8, 8, 3)
    batches = list(dataset)
    assert numbers(batches) == [(video, view) for video in range(12) for view in range(2)]
    assert [int(batch.valid.numpy().sum()) for batch in batches] == [5, 5, 5, 5, 4]
    for batch in batches:
        videos = batch.video_index.numpy()
        np.testing.assert_array_equal(batch.labels, (videos // 4 + videos % 4) % 3)
        level = np.rint(batch.clips.numpy().mean(axis=(1, 2, 3, 4)) / 10)
        np.testing.assert_array_equal(level, videos)


@pytest.mark.parametrize(
    "num_files, pipelines, replicas, training",
    [(3, 2, 1, True), (2, 3, 1, True), (3, 2, 1, False), (1, 2, 2, False)],
)
def test_workers_share_the_videos(tmp_path, num_files, pipelines, replicas, training):
    pattern = write_set(tmp_path, num_files)
    clip = ClipShape(num_frames=2, frame_rate=5.0, height=8, width=8)
    found = []
    for index in range(pipelines):
        context = tf.distribute.InputContext(pipelines, index, pipelines * replicas)
        dataset = build_dataset(
            LabelledClipSource(options(pattern), clip, TestViews(3, 1)),
            pipelines * replicas,
            training=training,
            input_context=context,
        )
        assert dataset.element_spec.clips.shape[0] == 1
        if training:  # the worker's share of the first epoch
            dataset = dataset.take(len(range(index, 4 * num_files, pipelines)))
        found += numbers(dataset)
    views = range(1 if training else 3)
    assert sorted(found) == [(video, view) for video in range(4 * num_files) for view in views]


def test_epochs_are_permutations_and_differ(tmp_path):
    clip = ClipShape(num_frames=2, frame_rate=5.0, height=8, width=8)
    dataset = build_dataset(
        LabelledClipSource(options(write_set(tmp_path)), clip), 3, training=True
    ).take(16)
    stream = [video for video, _ in numbers(dataset)]
    epochs = [tuple(stream[i : i + 12]) for i in range(0, 48, 12)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert len(set(epochs)) == 4


def equal(first, second):
    for one, other in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_seed_decides_and_training_resumes(tmp_path):
    paths = [
        write(
            tmp_path / f"{name}.tfrecord",
            [
                labelled(f"{name}{index}", regular(30 + index), class_id=1 + index)
                for index in range(3)
            ],
        )
        for name in "abc"
    ]
    pattern = paths[0].replace("a.tfrecord", "*.tfrecord")
    clip = ClipShape(num_frames=4, frame_rate=12.5, height=16, width=16)

    def make(start_step=0, **changes):
        return build_dataset(
            LabelledClipSource(options(pattern, **changes), clip),
            4,
            training=True,
            augmentations=AUGMENTATIONS,
            start_step=start_step,
        )

    tf.random.set_seed(1)
    whole = list(make(num_parallel_decodes=1).take(7))
    tf.random.set_seed(2)
    for one, other in zip(whole, make(num_parallel_decodes=4).take(7), strict=True):
        equal(one, other)
    for step in (1, 5):  # in the first and in the third epoch
        for one, other in zip(whole[step : step + 2], make(start_step=step).take(2), strict=True):
            equal(one, other)
    assert any(
        (one.clips.numpy() != other.clips.numpy()).any()
        for one, other in zip(whole, make(seed=1).take(7), strict=True)
    )


def test_only_frames_that_a_clip_shows_are_decoded(tmp_path):
    frames = [b"\xff\xd8 no JPEG"] * 100
    clip = ClipShape(num_frames=4, frame_rate=25.0, height=8, width=8)
    for index in range(48, 52):  # the middle view
        frames[index] = grey_frame(2 * index)
    path = write(tmp_path / "a.tfrecord", [labelled("a", regular(100), frames=frames)])
    batch = next(
        iter(
            build_dataset(
                LabelledClipSource(options(path), clip, TestViews(1, 1)), 1, training=False
            )
        )
    )
    assert levels(batch.clips)[0].tolist() == [48, 49, 50, 51]


def test_an_epoch_made_in_a_graph_counts_its_videos(tmp_path):
    """Without a manifest: what counts is the first to read the files."""
    source = LabelledClipSource(options(write_set(tmp_path)), ClipShape(2, 5.0, 8, 8))
    assert len(source.files) == 3  # as build_dataset asks first
    assert len(source.files) == 3  # build_dataset asks for them first
    epochs = tf.data.Dataset.range(1).flat_map(lambda epoch: source.of_epoch(epoch))
    assert sorted(int(clip.video_index) for clip in epochs) == list(range(12))


def label_map(folder, *names):
    """The path of a label map that numbers `names` from 1 on."""
    path = folder / "map.pbtxt"
    write_label_map(path, LabelMap(dict(enumerate(names, start=1))))
    return str(path)


def test_a_label_map_in_another_order_is_refused(tmp_path):
    clip = ClipShape(num_frames=2, frame_rate=5.0, height=8, width=8)
    path = write(
        tmp_path / "a.tfrecord",
        [labelled("first", regular(3)), labelled("second", regular(3), class_id=2)],
    )

    def dataset(*names):
        return build_dataset(
            LabelledClipSource(
                options(path, label_map_path=label_map(tmp_path, *names)), clip, TestViews(1, 1)
            ),
            1,
            training=False,
        )

    assert len(list(dataset("class 1", "class 2"))) == 2
    with pytest.raises(
        UserError,
        match=r"a\.tfrecord: record first \(video 0\) calls class 1 "
        r"'class 1' and .*map\.pbtxt 'class 2'; .*label_map_path",
    ):
        dataset("class 2", "class 1")
    with (
        pytest.raises(
            UserError,
            match=r"record second \(video 1\) calls class 2 'class 2' and "
            r".*map\.pbtxt 'class 3'",
        ) as raised,
        explained([path]),
    ):
        list(dataset("class 1", "class 3", "class 2"))
    assert "\n" not in str(raised.value)


def test_a_class_without_a_name_is_not_compared(tmp_path):
    clip = ClipShape(num_frames=2, frame_rate=5.0, height=8, width=8)
    unnamed = tf.train.SequenceExample.FromString(record.encode(labelled("a", regular(3))))
    del unnamed.context.feature[record.CLIP_LABEL_STRING]
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(unnamed.SerializeToString())
        writer.write(record.encode(labelled("b", regular(3), class_id=3)))
    given = options(tmp_path / "a.tfrecord", label_map_path=label_map(tmp_path, "x", "y"))
    assert (
        len(
            list(build_dataset(LabelledClipSource(given, clip, TestViews(1, 1)), 1, training=False))
        )
        == 2
    )


def test_mistakes_are_one_line(tmp_path):
    clip = ClipShape(num_frames=2, frame_rate=5.0, height=8, width=8)
    path = write(tmp_path / "a.tfrecord", [labelled("a", regular(3), class_id=4)])
    with pytest.raises(
        UserError,
        match=r"a\.tfrecord: record a .*class id 4; expected 1 to "
        "num_classes = 3",
    ):
        build_dataset(LabelledClipSource(options(path), clip), 1, training=True)
    ava = write(tmp_path / "ava.tfrecord", [segment("v", [keyframe(0)], num_frames=2)])
    with pytest.raises(UserError, match="lacks clip/label/index.*create_kinetics_tfrecord"):
        build_dataset(LabelledClipSource(options(ava), clip), 1, training=False)
    empty = write(tmp_path / "empty.tfrecord", [])
    with pytest.raises(UserError, match="empty.*create_kinetics_tfrecord"):
        build_dataset(LabelledClipSource(options(empty), clip), 1, training=False)
    with pytest.raises(UserError, match="num_crops: 0"):
        TestViews(1, 0)
    late = write(
        tmp_path / "late.tfrecord",
        [labelled("good", regular(3)), labelled("bad", regular(3), class_id=9)],
    )
    with pytest.raises(UserError, match=r"record bad \(video 1\) has class id 9"):
        with explained([late]):
            source = LabelledClipSource(options(late), clip, TestViews(1, 1))
            list(build_dataset(source, 1, training=False))
