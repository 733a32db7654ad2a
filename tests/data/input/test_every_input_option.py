"""Each field of InputOptions changes the stream, as it says."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
from default_options import default
from small_records import all_keys, keyframe, options, segment, write, write_set

from avatx.data.input.augmentation import RandomCropImage
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import ExternalBoxesOptions, InputOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.records.input_errors import explained
from avatx.errors import UserError

CLIP = ClipShape(num_frames=2, frame_rate=25.0, height=8, width=8)
EPOCH = 18  # keyframes of the set: 3 files of 2 records of 3


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"), num_files=3)


@functools.cache
def training_keys(pattern, count=EPOCH, **changes):
    """Building a stream takes far longer than reading it: none is built twice."""
    return all_keys(
        build_dataset(KeyframeSource(options(pattern, **changes), CLIP), 1, training=True).take(
            count
        )
    )


def test_every_option_is_changed_here():
    for field in dataclasses.fields(InputOptions):
        assert f"test_{field.name}" in globals(), field.name


def test_input_paths(tmp_path):
    """In the order of the patterns, each file once."""
    for name in ("b", "a", "c"):
        write(tmp_path / f"{name}.tfrecord", [segment(name, [keyframe(0)], num_frames=4)])
    paths = tuple(str(tmp_path / f"{name}.tfrecord") for name in ("c", "[ab]", "a"))
    dataset = build_dataset(
        KeyframeSource(default(InputOptions, paths, 3, max_boxes=4), CLIP), 1, training=False
    )
    assert [video for video, _ in all_keys(dataset)] == ["c", "a", "b"]


def test_num_classes(pattern):
    batch = next(
        iter(
            build_dataset(KeyframeSource(options(pattern, num_classes=7), CLIP), 1, training=False)
        )
    )
    assert batch.groundtruth.labels.shape == (1, 4, 7)
    np.testing.assert_array_equal(batch.groundtruth.labels[0, 0], [1, 0, 1, 0, 0, 0, 0])
    with pytest.raises(UserError, match="class id 3; expected 1 to num_classes = 2"), explained():
        list(
            build_dataset(KeyframeSource(options(pattern, num_classes=2), CLIP), 1, training=False)
        )


@pytest.mark.parametrize("name, good", [("class 3", True), ("class three", False)])
def test_label_map_path(pattern, tmp_path, name, good):
    (tmp_path / "map.pbtxt").write_text(
        "".join(f'item {{ name: "class {i}" id: {i} }}' for i in (1, 2))
        + f'item {{ name: "{name}" id: 3 }}'
    )

    def read():
        chosen = options(pattern, label_map_path=str(tmp_path / "map.pbtxt"))
        with explained():
            return all_keys(build_dataset(KeyframeSource(chosen, CLIP), 1, training=False))

    if good:
        assert len(read()) == EPOCH
    else:
        with pytest.raises(UserError, match="class three"):
            read()


def test_max_boxes(tmp_path):
    people = [((0.1, 0.1 * i, 0.9, 0.1 * i + 0.1), 1, i) for i in range(3)]
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0, people)], num_frames=4)])
    for room, count in ((3, 3), (2, 2)):
        batch = next(
            iter(
                build_dataset(KeyframeSource(options(path, max_boxes=room), CLIP), 1, training=True)
            )
        )
        assert batch.groundtruth.boxes.shape == (1, room, 4)
        assert int(batch.groundtruth.num_boxes[0]) == count
        found = batch.groundtruth.boxes.numpy()[0, :count, 1]
        np.testing.assert_allclose(found, [0, 0.1, 0.2][:count], atol=1e-6)


def test_shuffle(pattern):
    in_order = training_keys(pattern, shuffle=False, num_readers=1)
    assert in_order == sorted(in_order)
    two_epochs = training_keys(pattern, 2 * EPOCH)
    first, second = two_epochs[:EPOCH], two_epochs[EPOCH:]
    assert first != in_order and sorted(first) == in_order
    assert second != first and sorted(second) == in_order  # another order each epoch


def test_evaluation_is_in_order_whatever_shuffle_says(pattern):
    keys = all_keys(
        build_dataset(KeyframeSource(options(pattern, shuffle=True), CLIP), 1, training=False)
    )
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
    assert [video for video, _ in one[::3]] == [
        "video0",
        "video0",
        "video1",
        "video1",
        "video2",
        "video2",
    ]
    assert [video for video, _ in two[::3]] == [
        "video0",
        "video1",
        "video0",
        "video1",
        "video2",
        "video2",
    ]


def test_drop_keyframes_without_people(tmp_path):
    stored = segment("v", [keyframe(0), keyframe(40_000, []), keyframe(80_000)], num_frames=4)
    path = write(tmp_path / "a.tfrecord", [stored])
    times = {time for _, time in training_keys(path, 6, drop_keyframes_without_people=True)}
    assert times == {0.0, 0.08}


def test_seed(pattern):
    """Of the order, of the crops and of what is sampled; each changes with the epoch as well."""
    crop = [default(RandomCropImage, min_area=0.2, max_area=0.3, overlap_threshold=0.0)]

    def read(seed):
        chosen = options(pattern, seed=seed)
        dataset = build_dataset(
            KeyframeSource(chosen, CLIP), EPOCH, training=True, augmentations=crop
        )
        for batch in dataset.take(2):
            keys = all_keys([batch])
            # By keyframe, so that the order alone makes no difference.
            place = sorted(range(EPOCH), key=lambda i: keys[i])
            boxes = batch.groundtruth.boxes.numpy()[place]
            # Nor have two keyframes of an epoch the same window.
            assert len({one.tobytes() for one in boxes}) > EPOCH / 2
            yield keys, boxes, batch.groundtruth.sampling_seed.numpy()[place]

    (first, next_epoch), (other, _) = read(1), read(2)
    for changed in (next_epoch, other):
        assert first[0] != changed[0] and sorted(first[0]) == sorted(changed[0])
        for one, another in zip(first[1:], changed[1:], strict=True):
            assert np.any(one != another, axis=tuple(range(1, one.ndim))).mean() > 0.8


def test_num_parallel_decodes(pattern, monkeypatch):
    """Of the time it takes, and nothing else."""
    in_order = training_keys(pattern, shuffle=False, num_readers=1)
    given = []
    original = tf.data.Dataset.map

    def watched(self, function, num_parallel_calls=None, **options):
        given.append(num_parallel_calls)
        return original(self, function, num_parallel_calls=num_parallel_calls, **options)

    monkeypatch.setattr(tf.data.Dataset, "map", watched)
    found = training_keys(pattern, shuffle=False, num_readers=1, num_parallel_decodes=3)
    assert found == in_order and 3 in given and tf.data.AUTOTUNE not in given


def test_max_skipped_share(pattern, tmp_path):
    """See test_skipped_records.py. Where nothing is bad, it changes nothing."""
    plain = training_keys(pattern)
    assert training_keys(pattern, max_skipped_share=0.5) == plain
    empty = segment("b", [keyframe(0)], num_frames=1, frames=[b"x"])
    path = write(tmp_path / "a.tfrecord", [segment("g", [keyframe(0)], num_frames=4), empty])
    assert training_keys(path, 2, max_skipped_share=0.5) == [("g", 0.0)] * 2


@pytest.mark.parametrize(
    "name", ["num_classes", "max_boxes", "shuffle_buffer_size", "open_segments", "num_readers"]
)
def test_options_of_at_least_one(name):
    assert getattr(options("x", **{name: 1}), name) == 1
    with pytest.raises(UserError, match=f"{name}: 0; expected at least 1"):
        options("x", **{name: 0})


def test_one_keyframe_is_found_without_a_dataset(pattern, monkeypatch):
    """Building one takes longer than a training has to wait for its first keyframe."""
    source = KeyframeSource(options(pattern), CLIP)
    monkeypatch.setattr(source, "_segments", lambda *_: pytest.fail("a dataset was built"))
    assert source.count(at_least=1) >= 1


# Where training goes on.


def test_training_goes_on_where_it_was(pattern):
    """From the eighth batch on, over the border of an epoch, as in an unbroken run."""
    batch_size, start_step = 4, 7
    keys = training_keys(pattern, 2 * EPOCH)
    later = build_dataset(
        KeyframeSource(options(pattern), CLIP), batch_size, training=True, start_step=start_step
    )
    first = start_step * batch_size
    assert all_keys(later.take(2)) == keys[first : first + 2 * batch_size]


def test_replicas_share_a_batch_evenly(pattern):
    context = tf.distribute.InputContext(1, 0, 3)
    with pytest.raises(UserError, match="4 clips cannot be shared evenly by 3 replicas"):
        build_dataset(
            KeyframeSource(options(pattern), CLIP), 4, training=True, input_context=context
        )


def test_external_boxes(pattern, tmp_path):
    (tmp_path / "boxes.csv").write_text("video1,2,0.25,0.25,0.5,0.5,,0.5\n")
    given = ExternalBoxesOptions((str(tmp_path / "boxes.csv"),), "", 0.0, 2)
    dataset = build_dataset(
        KeyframeSource(options(pattern, external_boxes=given), CLIP), 1, training=False
    )
    found = [
        (key, int(batch.person_boxes.num_proposals[0]))
        for batch in dataset
        for key in all_keys([batch])
    ]
    assert [key for key, count in found if count] == [("video1", 2.0)]
