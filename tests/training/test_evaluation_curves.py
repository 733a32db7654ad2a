"""What TensorBoard gets of an evaluation beside its headline and its clips."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_experiment import read_curves

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.evaluation_run import Evaluated
from avatx.training.evaluation_curves import confusion_picture, write_class_curves, write_confusion
from avatx.training.evaluation_losses import EvaluationLosses

LABELS = LabelMap({1: "stand", 2: "walk", 3: "sit"})


@pytest.fixture
def events(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        yield tmp_path
    writer.close()


def test_losses_are_the_mean_over_whole_batches(events):
    losses = EvaluationLosses()
    whole, filled_up = np.array([True, True]), np.array([True, False])
    losses.add(whole, {"Loss/a": np.float32(1.0), "Loss/b": tf.constant(5.0)})
    losses.add(filled_up, {"Loss/a": np.float32(100.0), "Loss/b": tf.constant(100.0)})
    losses.add(whole, {"Loss/a": np.float32(2.0), "Loss/b": tf.constant(0.0)})
    losses.write(7)
    losses.add(whole, {"Loss/a": np.float32(8.0)})
    losses.write(9)  # nothing of the first is left
    losses.add(filled_up, {"Loss/a": np.float32(8.0)})
    losses.write(11)  # no whole batch, so no point
    tf.summary.flush()
    curves = read_curves(events)
    assert curves == {
        "Loss/a": {7: 1.5, 9: 8.0},
        "Loss/b": {7: 2.5},
        "total_loss": {7: 4.0, 9: 8.0},
    }


def test_a_curve_a_class_that_has_groundtruth(events):
    metrics = {
        "mAP": 0.5,
        "per_class": {
            "1": {"name": "stand", "ap": 0.25},
            "2": {"name": "walk", "ap": None},
            "3": {"name": "sit", "ap": 0.0},
        },
    }
    write_class_curves(metrics, 3)
    write_class_curves({"person_AP": 0.5}, 4)
    tf.summary.flush()
    assert read_curves(events) == {"AP/stand": {3: 0.25}, "AP/sit": {3: 0.0}}


def table(rows, **columns):
    boxes = np.array([[0.1, 0.1, 0.5, 0.3], [0.2, 0.6, 0.9, 0.9]])
    return AvaTable.from_columns(
        ["film"] * len(rows),
        [1.0] * len(rows),
        boxes[[person for person, _ in rows]],
        [class_id for _, class_id in rows],
        **columns,
    )


def test_the_confusion_is_a_picture_and_nobody_gives_none(events):
    truth = table([(0, 1), (1, 2)], person_id=[0, 1])
    found = table([(0, 1), (1, 3)], score=[0.9, 0.8])
    write_confusion(Evaluated(truth, found, [("film", 1.0)]), LABELS, "AVA_2020", 0.5, 4)
    write_confusion(Evaluated(truth, table([], score=[]), []), LABELS, "AVA_2020", 0.5, 6)
    tf.summary.flush()
    (path,) = events.iterdir()
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    pictures = [
        (event.step, value.tag, value.tensor.string_val[2])
        for event in map(tf.compat.v1.Event.FromString, records)
        for value in event.summary.value
    ]
    assert [picture[:2] for picture in pictures] == [(4, "confusion")]
    assert tf.io.decode_png(pictures[0][2]).shape[0] > 200

    content = {"class_ids": [1, 2, 3], "matrix": [[1.0, 0, 0, 0], [0, 0, 1.0, 0], None]}
    picture = confusion_picture(content, LABELS)
    # Two rows (nobody sits) of three squares: "stand" for stand is black, and of "walk" nothing
    # is among the columns, for sit has none.
    dark = (picture < 60).all(axis=-1)
    assert picture.dtype == np.uint8 and dark.any(axis=1).sum() > 40
    wider = confusion_picture(
        {**content, "matrix": [*content["matrix"][:2], [0, 0, 1.0, 0]]}, LABELS
    )
    assert wider.shape[0] > picture.shape[0] and wider.shape[2] == 3
