"""Boxes from elsewhere in the input pipeline."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from small_records import keyframe, options, segment, write

from avatx.data.annotations.person_box_files import read_person_boxes
from avatx.data.input.augmentation import RandomHorizontalFlip
from avatx.data.input.clip_shape import ClipShape
from avatx.data.input.input_options import ExternalBoxesOptions
from avatx.data.input.input_pipeline import build_dataset
from avatx.data.input.keyframe_source import KeyframeSource
from avatx.data.input.person_box_lookup import PersonBoxLookup
from avatx.errors import UserError

CLIP = ClipShape(num_frames=2, frame_rate=25.0, height=8, width=8)
BOXES = (
    "film,0,0.125,0.25,0.375,0.5,,0.5\nfilm,0,0.5,0.25,0.75,0.5,,0.75\nfilm,1\n"
    "other,0,0.25,0.25,0.5,0.5,,0.9\nother,1,0.25,0.25,0.5,0.5,,0.1\n"
)


@pytest.fixture(name="records")
def fixture_records(tmp_path):
    for name in ("film", "other"):
        times = [keyframe(second * 1_000_000) for second in range(3)]
        write(tmp_path / f"{name}.tfrecord", [segment(name, times, num_frames=4, frame_rate=1.0)])
    return str(tmp_path / "*.tfrecord")


def external(tmp_path, text=BOXES, **changes):
    (tmp_path / "boxes.csv").write_text(text)
    values = {"coco_images_path": "", "score_threshold": 0.2, "max_number_of_boxes": 3}
    return ExternalBoxesOptions((str(tmp_path / "boxes.csv"),), **{**values, **changes})


def batches(records, given, training=False, size=3, **others):
    source = KeyframeSource(options(records, shuffle=False, external_boxes=given), CLIP)
    return build_dataset(source, size, training=training, **others)


def test_boxes_are_joined_by_video_and_time(records, tmp_path, capfd):
    film, other = batches(records, external(tmp_path))
    assert film.person_boxes.num_proposals.numpy().tolist() == [2, 0, 0]
    assert film.person_boxes.boxes.shape == (3, 3, 4)
    np.testing.assert_allclose(
        film.person_boxes.boxes[0], [[0.25, 0.5, 0.5, 0.75], [0.25, 0.125, 0.5, 0.375], [0] * 4]
    )
    np.testing.assert_allclose(film.person_boxes.scores[0], [0.75, 0.5, 0])
    assert other.person_boxes.num_proposals.numpy().tolist() == [1, 0, 0]
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "3 boxes; 4 of 6 keyframes are in it" in line
    assert line.endswith("MISSING 2, which get no box: film at 2 s, other at 2 s")


def test_boxes_of_nobody_are_said_to_be_so(records, tmp_path, capfd):
    next(iter(batches(records, external(tmp_path, "film,0\nfilm,1\nother,0\n"))))
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "0 boxes; 3 of 6 keyframes are in it; NOBODY: every row" in line


def test_they_are_mirrored_with_the_clip(records, tmp_path):
    flip = (RandomHorizontalFlip(probability=1.0),)
    batch = next(iter(batches(records, external(tmp_path), training=True, augmentations=flip)))
    np.testing.assert_allclose(batch.person_boxes.boxes[0, 0], [0.25, 0.25, 0.5, 0.5])
    np.testing.assert_allclose(batch.groundtruth.boxes[0, 0], [0.1, 0.4, 0.5, 0.8], atol=1e-6)


def test_the_best_ones_are_kept(records, tmp_path):
    batch = next(iter(batches(records, external(tmp_path, max_number_of_boxes=1))))
    assert batch.person_boxes.num_proposals.numpy().tolist() == [1, 0, 0]
    np.testing.assert_allclose(batch.person_boxes.scores[0], [0.75])


def test_without_them_a_batch_has_none(records):
    assert next(iter(batches(records, None))).person_boxes == ()


def test_boxes_of_other_videos_are_one_line(records, tmp_path):
    given = external(tmp_path, "elsewhere,1800,0.1,0.1,0.2,0.2,,0.5\n")
    with pytest.raises(
        UserError,
        match="boxes.csv: has boxes of none of the 6 keyframes.*first are of elsewhere at 1800 s, "
        "the records' first is film at 0 s",
    ) as raised:
        batches(records, given)
    assert "\n" not in str(raised.value)


def test_the_lookup_is_the_table_s_eagerly_and_in_a_graph(tmp_path):
    given = external(tmp_path)
    table = read_person_boxes(given.input_path)
    for times in (table, dataclasses.replace(table, tolerance=table.tolerance * 400)):
        lookup = PersonBoxLookup(times, 3)
        in_graph = tf.function(
            lookup, input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64)]
        )
        for video in ("film", "other", "absent", ""):
            for time in (-500_000, 0, 900, 300_000, 499_999, 700_000, 1_000_400, 2_000_000):
                known = times.at(video, time)
                expected = np.zeros([0, 4]) if known is None else known.boxes
                key = tf.constant(video), tf.constant(time, tf.int64)
                np.testing.assert_array_equal(lookup(*key).boxes, expected)
                np.testing.assert_array_equal(in_graph(*key).boxes, expected)
    (tmp_path / "nobody.csv").write_text("film,0\n")
    empty = PersonBoxLookup(read_person_boxes([str(tmp_path / "nobody.csv")]), 3)
    assert empty(tf.constant("film"), tf.constant(0, tf.int64)).boxes.shape == (0, 4)
