"""Numbers for TensorBoard are what `tf.summary.scalar` writes, in fewer events."""

import glob

import numpy as np
import tensorflow as tf

from avatx.training.summaries import ScalarSummaries, write_pictures, write_scalars


def written(folder):
    """(step, tag, value, plugin) of each number below a folder."""
    found = []
    for path in sorted(glob.glob(f"{folder}/**/events.*", recursive=True)):
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                metadata = value.metadata
                number = float(tf.make_ndarray(value.tensor))
                kind = (metadata.plugin_data.plugin_name, metadata.data_class)
                found.append((event.step, value.tag, number, kind))
    return sorted(found)


def test_as_tensorflow_writes_them(tmp_path):
    values = {"loss": 2.5, "AP/hand wave": np.float32(0.125), "steps": tf.constant(3)}
    with tf.summary.create_file_writer(str(tmp_path / "ours")).as_default():
        write_scalars(values, 7)
        write_scalars({}, 8)
    with tf.summary.create_file_writer(str(tmp_path / "theirs")).as_default():
        for tag, value in values.items():
            tf.summary.scalar(tag, value, step=7)
    assert written(tmp_path / "ours") == written(tmp_path / "theirs")
    assert len(written(tmp_path / "ours")) == 3


def test_orbit_s_manager(tmp_path):
    step = tf.Variable(5, dtype=tf.int64)
    summaries = ScalarSummaries(str(tmp_path / "train"), step)
    summaries.write_summaries({"a": 1.0, "val": {"b": tf.constant(2.0)}})
    step.assign(6)
    summaries.write_summaries({"a": 3.0})
    summaries.flush()
    assert [row[:3] for row in written(tmp_path)] == [(5, "a", 1.0), (5, "b", 2.0), (6, "a", 3.0)]
    assert len(written(tmp_path / "train" / "val")) == 1
    nowhere = ScalarSummaries(None, step)
    nowhere.write_summaries({"a": 1.0})
    nowhere.flush()


def test_one_event_a_step(tmp_path):
    """Each event that is written costs memory that TensorFlow does not give back."""
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        write_scalars({f"a{number}": number for number in range(20)}, 1)
    (path,) = glob.glob(f"{tmp_path}/events.*")
    events = list(tf.compat.v1.train.summary_iterator(path))
    assert [len(event.summary.value) for event in events] == [0, 20]  # the first: the version


def test_pictures_as_tensorflow_writes_them(tmp_path):
    pictures = {
        name: np.random.default_rng(seed).integers(0, 256, [7, 5, 3], np.uint8)
        for seed, name in enumerate(["clips/clip1_v@5", "confusion"])
    }
    with tf.summary.create_file_writer(str(tmp_path / "ours")).as_default():
        write_pictures(pictures, 7)
        write_pictures({}, 8)
    with tf.summary.create_file_writer(str(tmp_path / "theirs")).as_default():
        for tag, picture in pictures.items():
            tf.summary.image(tag, picture[np.newaxis], step=7)
    (ours,), theirs = events(tmp_path / "ours"), events(tmp_path / "theirs")
    assert len(ours.summary.value) == len(theirs) == 2
    for one, event in zip(ours.summary.value, theirs, strict=True):
        (other,) = event.summary.value
        assert (ours.step, one.tag, one.metadata) == (event.step, other.tag, other.metadata)
        width, height, png = tf.make_ndarray(one.tensor)
        assert [width, height] == tf.make_ndarray(other.tensor)[:2].tolist()
        np.testing.assert_array_equal(tf.io.decode_png(png), pictures[one.tag])


def events(folder):
    """Those with numbers or pictures, of the one file in a folder."""
    (path,) = glob.glob(f"{folder}/events.*")
    return [
        event for event in tf.compat.v1.train.summary_iterator(path) if len(event.summary.value)
    ]
