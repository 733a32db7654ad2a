"""A detector starts from a classifier: what is loaded, what is refused, and what is said."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from default_options import default
from tiny_classification import make_i3d

from avatx.checkpoints import reader, restore
from avatx.errors import UserError
from avatx.training import fine_tuning
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
    optimizer = build_optimizer(default(TrainOptions, **options), model)
    if optimizer.average is not None:
        for variable in model.trainable_variables:
            optimizer.average.get_slot(variable, "average").assign_add(tf.ones_like(variable))
    tf.train.Checkpoint(
        model=model, optimizer=optimizer.checkpointed, global_step=tf.Variable(7, dtype=tf.int64)
    ).write(prefix)


def initialize(model, path):
    return fine_tuning.initialize(model, default(TrainOptions, fine_tune_checkpoint=str(path)))


def values(layer):
    return {path: value.numpy() for path, value in reader.variables_by_path(layer).items()}


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
        filled = values(ours)
        for path, variable in reader.variables_by_path(theirs).items():
            offset = 1.0 if decay and id(variable) in trained else 0.0
            moved += offset
            np.testing.assert_array_equal(filled[path], variable.numpy() + offset)
    assert (moved > 0) == (decay > 0)


def test_another_width_is_refused_and_says_which(tmp_path):
    save(make_i3d(depth_multiplier=0.125), str(tmp_path / "ckpt-7"))
    model = detector(depth_multiplier=0.25)
    before = values(model)
    with pytest.raises(
        UserError, match="layers are 0.5 times as wide; .*depth_multiplier"
    ) as raised:
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
    path = tf.train.Checkpoint(trunk=make_i3d(final_endpoint="Mixed_4e").trunk).write(
        str(tmp_path / "trunk")
    )
    with pytest.raises(
        UserError, match="24 variables of the trunk are missing, first trunk/Mixed_4f"
    ):
        initialize(detector(), path)


@pytest.mark.parametrize("kind", ["imported", "training"])
@pytest.mark.parametrize(
    "theirs, ours", [("Mixed_4f", "Mixed_4e"), ("Mixed_4f", "Mixed_5b"), ("Mixed_4e", "Mixed_4f")]
)
def test_an_i3d_cut_elsewhere_is_taken_by_kinetics_names(tmp_path, theirs, ours, kind):
    source, model = make_i3d(final_endpoint=theirs), detector(final_endpoint=ours)
    path = str(tmp_path / "i3d")
    if kind == "training":
        save(source, path)
    else:
        parts = {name: getattr(source, name) for name in ("trunk", "tail", "logits")}
        tf.train.Checkpoint(**parts).write(path)
    assert ", 0 new, " in initialize(model, path)[0]
    wanted = {**values(source.trunk), **values(source.tail)}
    for part in (model.trunk, model.box_predictor.tail):
        for name, value in values(part).items():
            np.testing.assert_array_equal(value, wanted[name])


def test_averages_of_an_i3d_cut_elsewhere_are_refused(tmp_path):
    save(make_i3d(), str(tmp_path / "ckpt-7"), moving_average_decay=0.9)
    model = detector(final_endpoint="Mixed_4e")
    before = values(model)
    with pytest.raises(UserError, match="fine_tune_checkpoint = .*averaged.*Mixed_4e") as raised:
        initialize(model, tmp_path)
    assert "\n" not in str(raised.value)
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, before[path])
    # Without a tail nothing lies elsewhere: the averages are found by the names of our own.
    trunk = make_i3d(final_endpoint="Mixed_4e")
    trunk.tail = None
    assert ", 0 new, " in initialize(trunk, tmp_path)[0]


def test_a_trunk_cut_elsewhere_without_a_tail_lacks_ours(tmp_path):
    path = tf.train.Checkpoint(trunk=make_i3d().trunk).write(str(tmp_path / "trunk"))
    with pytest.raises(UserError, match="lacks 48 of the 72 variables of the tail"):
        initialize(detector(final_endpoint="Mixed_4e"), path)


@pytest.mark.parametrize("held, missing", [((), 48), (("Mixed_5b",), 24)])
def test_a_tail_must_be_covered_whole(tmp_path, held, missing):
    source = make_i3d()
    tail = tf.train.Checkpoint(**{block: getattr(source.tail, block) for block in held})
    path = tf.train.Checkpoint(trunk=source.trunk, tail=tail).write(str(tmp_path / "trunk"))
    with pytest.raises(
        UserError, match=f"lacks {missing} of the 48 variables of the tail"
    ) as raised:
        initialize(detector(), path)
    assert path in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_damaged_checkpoint_is_one_line(tmp_path, kept):
    save(make_i3d(), str(tmp_path / "ckpt-7"))
    index = tmp_path / "ckpt-7.index"
    index.write_bytes(index.read_bytes()[: int(kept * index.stat().st_size)])
    with pytest.raises(UserError, match="ckpt-7 cannot be read") as raised:
        initialize(detector(), tmp_path / "ckpt-7")
    assert "\n" not in str(raised.value)


def test_neither_a_classifier_nor_kinetics(tmp_path):
    tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "other"))
    with pytest.raises(UserError, match="of the trunk are missing"):
        initialize(detector(), tmp_path / "other")


def test_imported_weights_are_evaluated_as_they_are(tmp_path):
    source, model = make_i3d(), make_i3d()
    parts = {name: getattr(source, name) for name in ("trunk", "tail", "logits")}
    path = tf.train.Checkpoint(**parts).write(str(tmp_path / "i3d"))
    assert restore.restore_for_inference(model, path) == 0
    filled = values(model)
    for name, value in values(source).items():
        np.testing.assert_array_equal(filled[name], value)


def test_a_classifier_starts_from_a_classifier(tmp_path):
    source, model = make_i3d(), make_i3d(num_classes=7)
    save(source, str(tmp_path / "ckpt-7"))
    initialize(model, tmp_path)
    for part in ("trunk", "tail"):
        filled = values(getattr(model, part))
        for path, value in values(getattr(source, part)).items():
            np.testing.assert_array_equal(filled[path], value)
