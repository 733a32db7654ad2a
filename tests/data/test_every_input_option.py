"""Each field of InputOptions, ClipShape and TestViews changes the stream, as it says."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from small_records import all_keys, grey_frame, keyframe, options, segment, write, write_set

from avatx.data import classification_pipeline, record
from avatx.data.augmentation import RandomCropImage
from avatx.data.classification_pipeline import TestViews
from avatx.data.input_errors import explained
from avatx.data.input_pipeline import ClipShape, InputOptions, build_dataset
from avatx.errors import UserError

CLIP = ClipShape(num_frames=2, frame_rate=25.0, height=8, width=8)
EPOCH = 18  # keyframes of the set: 3 files of 2 records of 3


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"), num_files=3)


def training_keys(pattern, count=EPOCH, **changes):
    return all_keys(build_dataset(options(pattern, **changes), CLIP, 1, training=True).take(count))


def test_every_option_is_changed_here():
    for kind in (InputOptions, ClipShape, TestViews):
        for field in dataclasses.fields(kind):
            assert f"test_{field.name}" in globals(), field.name


# InputOptions.


def test_input_paths(tmp_path):
    """In the order of the patterns, each file once."""
    for name in ("b", "a", "c"):
        write(tmp_path / f"{name}.tfrecord", [segment(name, [keyframe(0)], num_frames=4)])
    paths = tuple(str(tmp_path / f"{name}.tfrecord") for name in ("c", "[ab]", "a"))
    dataset = build_dataset(InputOptions(paths, 3, max_boxes=4), CLIP, 1, training=False)
    assert [video for video, _ in all_keys(dataset)] == ["c", "a", "b"]


def test_num_classes(pattern):
    batch = next(iter(build_dataset(options(pattern, num_classes=7), CLIP, 1, training=False)))
    assert batch.groundtruth.labels.shape == (1, 4, 7)
    np.testing.assert_array_equal(batch.groundtruth.labels[0, 0], [1, 0, 1, 0, 0, 0, 0])
    with pytest.raises(UserError, match="class id 3; expected 1 to num_classes = 2"), explained():
        list(build_dataset(options(pattern, num_classes=2), CLIP, 1, training=False))


@pytest.mark.parametrize("name, good", [("class 3", True), ("class three", False)])
def test_label_map_path(pattern, tmp_path, name, good):
    (tmp_path / "map.pbtxt").write_text(
        "".join(f'item {{ name: "class {i}" id: {i} }}' for i in (1, 2))
        + f'item {{ name: "{name}" id: 3 }}'
    )

    def read():
        chosen = options(pattern, label_map_path=str(tmp_path / "map.pbtxt"))
        with explained():
            return all_keys(build_dataset(chosen, CLIP, 1, training=False))

    if good:
        assert len(read()) == EPOCH
    else:
        with pytest.raises(UserError, match="class three"):
            read()


def test_max_boxes(tmp_path):
    people = [((0.1, 0.1 * i, 0.9, 0.1 * i + 0.1), 1, i) for i in range(3)]
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0, people)], num_frames=4)])
    for room, count in ((5, 3), (3, 3), (2, 2)):
        batch = next(iter(build_dataset(options(path, max_boxes=room), CLIP, 1, training=True)))
        assert batch.groundtruth.boxes.shape == (1, room, 4)
        assert int(batch.groundtruth.num_boxes[0]) == count
        found = batch.groundtruth.boxes.numpy()[0, :count, 1]
        np.testing.assert_allclose(found, [0, 0.1, 0.2][:count], atol=1e-6)


def test_shuffle(pattern):
    in_order = training_keys(pattern, shuffle=False, num_readers=1)
    assert in_order == sorted(in_order)
    shuffled = training_keys(pattern)
    assert shuffled != in_order and sorted(shuffled) == in_order
    second = training_keys(pattern, 2 * EPOCH)[EPOCH:]
    assert second != shuffled and sorted(second) == in_order  # another order each epoch


def test_evaluation_is_in_order_whatever_shuffle_says(pattern):
    for shuffle in (True, False):
        chosen = options(pattern, shuffle=shuffle)
        keys = all_keys(build_dataset(chosen, CLIP, 1, training=False))
        assert keys == sorted(keys) and len(keys) == EPOCH


def test_shuffle_buffer_size(pattern):
    """A buffer of one is no buffer: then the open records alone mix."""
    one = training_keys(pattern, shuffle_buffer_size=1, open_segments=1, num_readers=1)
    videos = [video for video, _ in one]
    assert all(len(set(videos[i : i + 3])) == 1 for i in range(0, EPOCH, 3))
    many = training_keys(pattern, shuffle_buffer_size=256, open_segments=1, num_readers=1)
    assert many != one and sorted(many) == sorted(one)


def test_open_segments(pattern):
    """So many records give a keyframe in turn."""
    two = training_keys(pattern, shuffle_buffer_size=1, open_segments=2, num_readers=1)
    parts = [(video, time // 10) for video, time in two]
    assert parts[0::2][:3] == [parts[0]] * 3 and parts[1::2][:3] == [parts[1]] * 3
    assert parts[0] != parts[1]


def test_num_readers(pattern):
    """So many files give a record in turn."""
    one = training_keys(pattern, shuffle=False, num_readers=1)
    two = training_keys(pattern, shuffle=False, num_readers=2)
    assert [video for video, _ in one[::3]] == ["video0", "video0", "video1", "video1",
                                               "video2", "video2"]  # fmt: skip
    assert [video for video, _ in two[::3]] == ["video0", "video1", "video0", "video1",
                                               "video2", "video2"]  # fmt: skip


def test_drop_keyframes_without_people(tmp_path):
    stored = segment("v", [keyframe(0), keyframe(40_000, []), keyframe(80_000)], num_frames=4)
    path = write(tmp_path / "a.tfrecord", [stored])
    times = {time for _, time in training_keys(path, 6, drop_keyframes_without_people=True)}
    assert times == {0.0, 0.08}
    assert {time for _, time in training_keys(path, 6)} == {0.0, 0.04, 0.08}


def test_seed(pattern):
    """Of the order, of the crops and of what is sampled."""
    crop = [RandomCropImage(min_area=0.2, max_area=0.3, overlap_threshold=0.0)]

    def read(seed):
        chosen = options(pattern, seed=seed)
        dataset = build_dataset(chosen, CLIP, EPOCH, training=True, augmentations=crop)
        batch = next(iter(dataset))
        keys = all_keys([batch])
        # By keyframe, so that the order alone makes no difference.
        place = sorted(range(EPOCH), key=lambda i: keys[i])
        return (keys, batch.groundtruth.boxes.numpy()[place],
                batch.groundtruth.sampling_seed.numpy()[place])  # fmt: skip

    first, again, other = read(1), read(1), read(2)
    assert first[0] == again[0] != other[0]
    for part in (1, 2):
        np.testing.assert_array_equal(first[part], again[part])
        assert np.any(first[part] != other[part], axis=tuple(range(1, first[part].ndim))).mean() > 0.8


def test_augmentations_change_from_epoch_to_epoch(pattern):
    crop = [RandomCropImage(min_area=0.2, max_area=0.3, overlap_threshold=0.0)]
    dataset = build_dataset(options(pattern), CLIP, EPOCH, training=True, augmentations=crop)
    boxes = [
        dict(zip(all_keys([batch]), batch.groundtruth.boxes.numpy(), strict=True))
        for batch in dataset.take(2)
    ]
    assert boxes[0].keys() == boxes[1].keys()
    differ = [not np.allclose(boxes[0][key], boxes[1][key]) for key in boxes[0]]
    assert np.mean(differ) > 0.8
    # Nor have two keyframes of an epoch the same window.
    assert len({value.tobytes() for value in boxes[0].values()}) > EPOCH / 2


def test_num_parallel_decodes(pattern, monkeypatch):
    """Of the time it takes, and nothing else."""
    expected = training_keys(pattern, 6)
    given = []
    original = tf.data.Dataset.map

    def watched(self, function, num_parallel_calls=None, **options):
        given.append(num_parallel_calls)
        return original(self, function, num_parallel_calls=num_parallel_calls, **options)

    monkeypatch.setattr(tf.data.Dataset, "map", watched)
    assert training_keys(pattern, 6, num_parallel_decodes=3) == expected
    assert 3 in given
    given.clear()
    training_keys(pattern, 6)
    assert 3 not in given and tf.data.AUTOTUNE in given


@pytest.mark.parametrize("name", ["num_classes", "max_boxes", "shuffle_buffer_size",
                                  "open_segments", "num_readers"])  # fmt: skip
def test_options_of_at_least_one(name):
    assert getattr(options("x", **{name: 1}), name) == 1
    with pytest.raises(UserError, match=f"{name}: 0; expected at least 1"):
        options("x", **{name: 0})


# ClipShape.


def one_clip(tmp_path, **changes):
    """[T, H, W, C] of keyframe 1.03 s of a video of 10 frames a second, frame i grey of 2 i."""
    stored = segment("v", [keyframe(1_030_000)], num_frames=30, frame_rate=10.0)
    path = write(tmp_path / "a.tfrecord", [stored])
    shape = ClipShape(**{"num_frames": 4, "frame_rate": 8.0, "height": 8, "width": 8, **changes})
    return next(iter(build_dataset(options(path), shape, 1, training=False))).clips.numpy()[0]


def shown(clip):
    return np.rint(clip[:, 4, 4, 0] / 2).astype(int).tolist()


def test_num_frames(tmp_path):
    assert shown(one_clip(tmp_path)) == [8, 9, 10, 12]
    assert shown(one_clip(tmp_path, num_frames=2)) == [9, 10]


def test_frame_rate(tmp_path):
    assert shown(one_clip(tmp_path, frame_rate=3.0)) == [4, 7, 10, 14]


@pytest.mark.parametrize("height, width", [(8, 12), (24, 6)])
def test_height(tmp_path, height, width):
    clip = one_clip(tmp_path, height=height, width=width)
    assert clip.shape == (4, height, width, 3) and clip.dtype == np.uint8


test_width = test_height


def test_channels(tmp_path):
    """With 5, records without flow are refused: tests/data/test_clip_centre.py shows those with."""
    assert not ClipShape(4, 8.0, 8, 8).has_flow and ClipShape(4, 8.0, 8, 8, 5).has_flow
    with pytest.raises(UserError, match="optical flow of 0"), explained():
        one_clip(tmp_path, channels=5)


@pytest.mark.parametrize("field", ["num_frames", "frame_rate", "height", "width", "channels"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_shapes_of_nothing(field, value):
    numbers = {"num_frames": 4, "frame_rate": 8.0, "height": 8, "width": 8, "channels": 3}
    with pytest.raises(UserError, match=f"clip {field}"):
        ClipShape(**{**numbers, field: value})


# TestViews.


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A video of 20 frames, 48 x 64, frame i grey of level 4 i but for its left half: white."""
    path = tmp_path_factory.mktemp("labelled") / "a.tfrecord"
    frames = []
    for index in range(20):
        image = np.full([48, 64, 3], 4 * index, np.uint8)
        image[:, :32] = 255
        frames.append(tf.io.encode_jpeg(image, quality=100).numpy())
    video = record.Segment(
        video_id="v", start=0, end=2_000_000, height=48, width=64, frame_rate=10.0,
        timestamps=np.arange(20) * 100_000, frames=frames, keyframes=[], clip_class_ids=[2],
        clip_class_names=["jump"],
    )  # fmt: skip
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(record.encode(video))
    return str(path)


def views(labelled, num_clips, num_crops):
    # Of 48 x 64 stored pixels a clip of 24 x 24 is a window of as many.
    clip = ClipShape(4, 10.0, 24, 24)
    dataset = classification_pipeline.build_dataset(
        InputOptions((labelled,), 3), clip, 1, training=False, views=TestViews(num_clips, num_crops)
    )
    return [batch.clips.numpy()[0] for batch in dataset]


def test_num_clips(labelled):
    """Of 20 frames: from the first, from the middle, from the last that fits."""
    first = [round(int(clip[0, 12, 20, 0]) / 4) for clip in views(labelled, 3, 1)]
    assert first == [0, 8, 16]
    assert [round(int(c[0, 12, 20, 0]) / 4) for c in views(labelled, 1, 1)] == [8]


def test_num_crops(labelled):
    """Left is white, right is not, the centre is half."""
    white = [(clip[0, :, :, 0] > 200).mean() for clip in views(labelled, 1, 3)]
    assert white == pytest.approx([1, 0.5, 0], abs=0.05)
    assert len(views(labelled, 2, 3)) == 6
    assert len(views(labelled, 1, 2)) == 2


def test_test_views_of_nothing():
    for name in ("num_clips", "num_crops"):
        with pytest.raises(UserError, match=f"{name}: 0; expected at least 1"):
            TestViews(**{name: 0})
    assert TestViews(3, 2).count == 6


def test_label_and_index_of_a_labelled_video(labelled):
    dataset = classification_pipeline.build_dataset(
        InputOptions((labelled,), 3), ClipShape(4, 10.0, 24, 24), 2, training=False,
        views=TestViews(3, 1),
    )  # fmt: skip
    batches = list(dataset)
    assert np.concatenate([b.labels for b in batches]).tolist() == [1, 1, 1, 1]  # class id 2
    assert np.concatenate([b.view for b in batches])[:3].tolist() == [0, 1, 2]
    assert np.concatenate([b.valid for b in batches]).tolist() == [True, True, True, False]
    assert np.concatenate([b.video_index for b in batches])[:3].tolist() == [0, 0, 0]


# Where training goes on.


@pytest.mark.parametrize("start_step", [1, 4, 7])
def test_training_goes_on_where_it_was(pattern, start_step):
    """The clips from a step on are those of an unbroken run, over the border of an epoch too."""
    batch_size, more = 4, 3
    whole = build_dataset(options(pattern), CLIP, batch_size, training=True)
    keys = all_keys(whole.take(start_step + more))
    later = build_dataset(
        options(pattern), CLIP, batch_size, training=True, start_step=start_step
    )
    assert all_keys(later.take(more)) == keys[start_step * batch_size :]


def test_replicas_share_a_batch(pattern):
    """Two pipelines of one replica each, three files: the first reads files 0 and 2."""
    found = {}
    for shard in (0, 1):
        context = tf.distribute.InputContext(2, shard, 2)
        dataset = build_dataset(options(pattern), CLIP, 4, training=False, input_context=context)
        batches = list(dataset)
        assert {batch.clips.shape[0] for batch in batches} == {2}
        found[shard] = {video for video, _ in all_keys(batches)}
    assert found == {0: {"video0", "video2"}, 1: {"video1"}}
    context = tf.distribute.InputContext(1, 0, 3)
    with pytest.raises(UserError, match="4 clips cannot be shared evenly by 3 replicas"):
        build_dataset(options(pattern), CLIP, 4, training=True, input_context=context)


def test_more_pipelines_than_files_share_the_keyframes(tmp_path):
    frames = [grey_frame(level) for level in range(4)]
    times = [second * 1_000_000 for second in range(5)]
    stored = segment("v", [keyframe(time) for time in times], num_frames=4, frame_rate=1.0,
                     frames=frames)  # fmt: skip
    path = write(tmp_path / "a.tfrecord", [stored])
    found = []
    for shard in (0, 1):
        context = tf.distribute.InputContext(2, shard, 2)
        dataset = build_dataset(options(path), CLIP, 2, training=False, input_context=context)
        found.append([time for _, time in all_keys(dataset)])
    assert found == [[0.0, 2.0, 4.0], [1.0, 3.0]]
