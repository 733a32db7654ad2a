"""A detector starts from a classifier: what is loaded, what is refused, and what is said."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tiny_classification import make_i3d

from avatx.errors import UserError
from avatx.training import fine_tuning, restore
from avatx.training.optimizer import build_optimizer
from avatx.training.options import TrainOptions


class Head(tf_keras.layers.Layer):
    """As the I3D head: it owns a tail."""

    def __init__(self, trunk):
        super().__init__()
        self.tail = trunk.build_tail()
        self.tail(tf.zeros([1, 2, 2, 2, trunk.output_depth]))


class Detector(tf_keras.Model):
    """As far as fine-tuning looks at one."""

    def __init__(self, classifier):
        super().__init__()
        self.trunk = classifier.trunk
        self.box_predictor = Head(classifier.trunk)


def detector(**options):
    return Detector(make_i3d(**options))


def save(model, prefix, **options):
    """A training checkpoint; with an average, that is 1 above each trained weight."""
    optimizer = build_optimizer(TrainOptions(**options), model)
    if optimizer.average is not None:
        for variable in model.trainable_variables:
            optimizer.average.get_slot(variable, "average").assign_add(tf.ones_like(variable))
    tf.train.Checkpoint(
        model=model, optimizer=optimizer.checkpointed, global_step=tf.Variable(7, dtype=tf.int64)
    ).write(prefix)


def initialize(model, path):
    return fine_tuning.initialize(model, TrainOptions(fine_tune_checkpoint=str(path)))


def values(layer):
    return {path: value.numpy() for path, value in restore.variables_by_path(layer).items()}


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("by", ["prefix", "directory"])
def test_trunk_and_tail_are_filled_averaged_where_there_is_an_average(tmp_path, decay, by):
    source, model = make_i3d(), detector()
    save(source, str(tmp_path / "ckpt-7"), moving_average_decay=decay)
    lines = initialize(model, tmp_path / "ckpt-7" if by == "prefix" else tmp_path)
    assert "0 new, 2 of the checkpoint unused" in lines[0]
    assert sorted(lines[1:]) == ["  unused: logits/bias", "  unused: logits/kernel"]
    trained = {id(variable) for variable in source.trainable_variables}
    moved = 0
    for ours, theirs in ((model.trunk, source.trunk), (model.box_predictor.tail, source.tail)):
        for path, variable in restore.variables_by_path(theirs).items():
            offset = 1.0 if decay and id(variable) in trained else 0.0
            moved += offset
            np.testing.assert_array_equal(values(ours)[path], variable.numpy() + offset)
    assert (moved > 0) == (decay > 0)


def test_another_width_is_refused_and_says_which(tmp_path):
    save(make_i3d(depth_multiplier=0.125), str(tmp_path / "ckpt-7"))
    model = detector(depth_multiplier=0.25)
    before = values(model)
    with pytest.raises(UserError, match="layers are 0.5 times as wide; .*depth_multiplier") as raised:
        initialize(model, tmp_path)
    assert "\n" not in str(raised.value)
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, before[path])


def test_another_number_of_classes_is_told_from_another_width(tmp_path):
    source = make_i3d(num_classes=3)
    save(source, str(tmp_path / "ckpt-7"))
    other = make_i3d(num_classes=5)
    parts = {name: getattr(other, name) for name in ("trunk", "tail", "logits")}
    with pytest.raises(UserError, match="set the model's num_classes to 3, the checkpoint's$"):
        restore.restore_parts(parts, str(tmp_path / "ckpt-7"))


def test_a_trunk_must_be_covered_whole(tmp_path):
    save(make_i3d(final_endpoint="Mixed_4e"), str(tmp_path / "ckpt-7"))
    with pytest.raises(UserError, match="24 variables of the trunk are missing, first trunk/Mixed_4f"):
        initialize(detector(), tmp_path)


def test_a_tail_that_the_checkpoint_lacks_is_new(tmp_path):
    source, model = make_i3d(), detector()
    tf.train.Checkpoint(trunk=source.trunk).write(str(tmp_path / "trunk"))
    lines = initialize(model, tmp_path / "trunk")
    assert f"{len(source.trunk.variables)} variables loaded" in lines[0]
    assert f"{len(source.tail.variables)} new" in lines[0]


def test_neither_a_classifier_nor_kinetics(tmp_path):
    tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "other"))
    with pytest.raises(UserError, match="of the trunk are missing"):
        initialize(detector(), tmp_path / "other")


def test_a_classifier_starts_from_a_classifier(tmp_path):
    source, model = make_i3d(), make_i3d(num_classes=7)
    save(source, str(tmp_path / "ckpt-7"))
    initialize(model, tmp_path)
    for part in ("trunk", "tail"):
        for path, value in values(getattr(source, part)).items():
            np.testing.assert_array_equal(values(getattr(model, part))[path], value)
