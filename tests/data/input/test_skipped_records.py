"""Records that cannot be used: left out of training up to a share, never out of evaluation."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf
from small_records import all_keys, grey_frame, keyframe, options, segment, write

from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.input.labelled_clip_source import LabelledClipSource
from avatx.data.input.skipped_records import map_good
from avatx.data.records.input_errors import explained
from avatx.errors import UserError

CLIP = ClipShape(num_frames=2, frame_rate=25.0, height=8, width=8)
NUM_RECORDS = 8
NO_JPEG = b"\xff\xd8\xff" + b"no picture" * 4  # begins like one


def video(number: int, **changes):
    keyframes = [keyframe(0), keyframe(40_000)]
    return segment(f"v{number}", keyframes, num_frames=2, **changes)


@pytest.fixture
def pattern(tmp_path):
    """Eight records of two keyframes: of the first the class is unknown, of the last a picture."""
    unknown = [((0.1, 0.2, 0.5, 0.6), 9, 0)]
    bad_class = segment("v0", [keyframe(0, unknown), keyframe(40_000)], num_frames=2)
    good = [video(number) for number in range(1, NUM_RECORDS - 1)]
    bad_picture = video(NUM_RECORDS - 1, frames=[grey_frame(0), NO_JPEG])
    return write(tmp_path / "a.tfrecord", [bad_class, *good, bad_picture])


def epochs(pattern, share, count, **changes):
    source = KeyframeSource(options(pattern, max_skipped_share=share, **changes), CLIP)
    with explained([pattern]):
        return all_keys(build_dataset(source, 1, training=True).take(count))


# The last record's first keyframe does not show the bad picture.
GOOD = {(f"v{number}", time) for number in range(1, NUM_RECORDS) for time in (0.0, 0.04)}
GOOD.remove((f"v{NUM_RECORDS - 1}", 0.04))


@pytest.mark.parametrize("changes", [{}, {"num_parallel_decodes": 1}, {"shuffle": False}], ids=str)
def test_the_good_ones_come_once_an_epoch(pattern, changes, capfd):
    found = epochs(pattern, 0.2, 3 * len(GOOD), **changes)
    for epoch in range(3):
        assert set(found[epoch * len(GOOD) : (epoch + 1) * len(GOOD)]) == GOOD
    said = capfd.readouterr().err
    for what in ("records", "keyframe clips"):
        assert re.search(f"warning: skipped 1 of .* {what}, which cannot be used", said)


def test_without_a_share_the_first_one_ends_training_and_is_named(pattern):
    with pytest.raises(UserError, match=r"a\.tfrecord.*class id 9"):
        epochs(pattern, 0.0, 1)


def test_above_the_share_an_epoch_ends_with_a_line(tmp_path):
    """Wherever the bad ones are, the last of the file too."""
    bad = [segment(f"b{number}", [keyframe(0)], num_frames=1, frames=[b"x"]) for number in range(3)]
    good = [*map(video, range(7))]
    for name, order in (("a", [*good, *bad]), ("b", [bad[0], *good, *bad[1:]])):
        path = write(tmp_path / f"{name}.tfrecord", order)
        assert len(epochs(path, 0.3, 28)) == 28
        with pytest.raises(UserError, match="max_skipped_share: 3 of 10 records cannot be used"):
            epochs(path, 0.2, 28, shuffle=False)


def test_a_set_of_which_nothing_can_be_used(tmp_path):
    """It would be read for ever."""
    wrong_class = [((0.1, 0.2, 0.5, 0.6), 9, 0)]
    path = write(tmp_path / "a.tfrecord", [segment("v", [keyframe(0, wrong_class)], num_frames=2)])
    with pytest.raises(UserError, match=r"a\.tfrecord: record .* class id 9"):
        epochs(path, 1.0, 1)
    no_picture = video(0, frames=[NO_JPEG, NO_JPEG])
    path = write(tmp_path / "b.tfrecord", [no_picture])
    with pytest.raises(UserError, match="max_skipped_share: .* keyframe clips cannot be used"):
        epochs(path, 1.0, 1)


def test_a_classifier_s_videos_too(tmp_path):
    def labelled(number, class_id):
        return dataclasses.replace(
            video(number), keyframes=[], clip_class_ids=[class_id], clip_class_names=["c"]
        )

    path = write(tmp_path / "a.tfrecord", map(labelled, range(5), [1, 9, 2, 3, 1]))
    source = LabelledClipSource(options(path, max_skipped_share=0.3), CLIP)
    dataset = build_dataset(source, 1, training=True).take(12)
    found = [int(batch.video_index[0]) for batch in dataset]
    for epoch in range(3):
        assert sorted(found[4 * epoch : 4 * epoch + 4]) == [0, 2, 3, 4]


def test_evaluation_leaves_none_out(pattern):
    source = KeyframeSource(options(pattern, max_skipped_share=0.5), CLIP)
    with pytest.raises(UserError, match="class id 9"), explained([pattern]):
        all_keys(build_dataset(source, 1, training=False))


def test_a_damaged_file_is_never_skipped(pattern):
    with open(pattern, "r+b") as file:
        file.seek(-20, 2)
        file.write(b"x")
    with pytest.raises(UserError, match="corrupt"):
        epochs(pattern, 0.5, 3 * len(GOOD))


def test_with_none_bad_it_is_map():
    numbers = tf.data.Dataset.range(200).map(lambda number: (number, tf.strings.as_string(number)))

    def parse(number, text):
        return {"text": text, "ragged": tf.ragged.range(tf.stack([number % 3, number % 5]))}

    plain = list(numbers.map(parse))
    careful = list(map_good(numbers, parse, 0.1, "records"))
    assert len(plain) == len(careful) == 200
    for one, other in zip(plain, careful, strict=True):
        assert one["text"] == other["text"]
        np.testing.assert_array_equal(one["ragged"].values, other["ragged"].values)
        np.testing.assert_array_equal(one["ragged"].row_splits, other["ragged"].row_splits)


@pytest.mark.parametrize(
    ("bad", "count", "share", "ends"),
    [
        (range(1, 100), 100, 0.01, "11 of 12 records"),
        (range(100), 100, 1.0, "100 of 100 records"),
        (range(1100), None, 1.0, "100 of 100 records"),
        ((1,), 2, 0.0, None),  # one is always allowed
        ((), 0, 0.1, None),
        ((0, 1), 300, 0.1, None),  # not judged by the first three
        (range(290, 300), 300, 0.02, "10 of 300 records"),
    ],
)
def test_shares(bad, count, share, ends):
    is_endless = count is None
    count = len(bad) if is_endless else count
    is_bad = tf.constant([number in bad for number in range(count)], tf.bool)
    numbers = tf.data.Dataset.range(count)

    def parse(number):
        with tf.control_dependencies([tf.debugging.Assert(~is_bad[number], ["bad"])]):
            return tf.identity(number)

    dataset = map_good(numbers.repeat() if is_endless else numbers, parse, share, "records")
    if ends:
        with pytest.raises(UserError, match=f"max_skipped_share: {ends}"), explained():
            list(dataset)
    else:
        assert [*dataset.as_numpy_iterator()] == [i for i in range(count) if i not in bad]
