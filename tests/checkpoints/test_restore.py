import os

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from default_options import default
from tiny_experiment import make_model

from avatx.checkpoints import paths, reader, restore
from avatx.errors import UserError
from avatx.training import fine_tuning
from avatx.training.optimizer import averaged_weights, build_optimizer
from avatx.training.options import TrainOptions


def weights(model):
    return {path: value.numpy() for path, value in reader.variables_by_path(model).items()}


def save(model, directory, **options):
    """Writes a training checkpoint of step 7 and returns what evaluation should see."""
    optimizer = build_optimizer(default(TrainOptions, **options), model)
    if optimizer.average is not None:
        for variable in model.trainable_variables:
            optimizer.average.get_slot(variable, "average").assign_add(tf.ones_like(variable))
    checkpoint = tf.train.Checkpoint(
        model=model,
        optimizer=optimizer.checkpointed,
        global_step=tf.Variable(7, dtype=tf.int64),
    )
    checkpoint.write(os.path.join(directory, "ckpt-7"))
    with averaged_weights(optimizer, model):
        return weights(model)


@pytest.mark.parametrize("decay", [0.0, 0.9])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_inference_gets_every_weight_averaged_where_there_is_an_average(tmp_path, decay, precision):
    trained = make_model()
    raw = weights(trained)
    expected = save(trained, tmp_path, moving_average_decay=decay, precision=precision)
    moved = any((raw[path] != expected[path]).any() for path in raw)
    assert moved == (decay > 0)
    model = make_model()
    assert restore.restore_for_inference(model, str(tmp_path)) == 7
    restored = weights(model)
    assert restored.keys() == expected.keys() and len(restored) > 10
    for path, value in restored.items():
        np.testing.assert_array_equal(value, expected[path], err_msg=path)


def test_keys_are_those_of_the_checkpoint(tmp_path):
    model = make_model()
    tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-1"))
    keys = {
        key.removeprefix("model/").removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")
        for key, _ in tf.train.list_variables(str(tmp_path / "ckpt-1"))
        if key.startswith("model/")
    }
    assert keys == set(reader.variables_by_path(model))


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    save(make_model(), tmp_path)
    other = make_model(final_endpoint="Mixed_3b")
    before = weights(other)
    with pytest.raises(UserError, match="27 of the model's 60 variables"):
        restore.restore_for_inference(other, str(tmp_path))
    for path, value in weights(other).items():
        np.testing.assert_array_equal(value, before[path])


@pytest.mark.parametrize("what", ["nowhere", "empty"])
def test_no_checkpoint(tmp_path, what):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=what):
        paths.resolve_checkpoint(str(tmp_path / what), "--checkpoint")


def test_resuming_with_another_model_is_refused(tmp_path):
    save(make_model(), tmp_path)
    other = make_model(final_endpoint="Mixed_3b")
    checkpoint = tf.train.Checkpoint(
        model=other,
        optimizer=build_optimizer(default(TrainOptions), other).checkpointed,
        global_step=tf.Variable(0, dtype=tf.int64),
    )
    with pytest.raises(UserError, match="ckpt-7 does not fit this pipeline.config"):
        restore.resume(checkpoint, str(tmp_path))


@pytest.mark.parametrize("suffix", [".data-00000-of-00001", ".index"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, "overwritten"])
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path, capsys, suffix, kept):
    model = tf_keras.Sequential([tf_keras.layers.Dense(30, input_shape=(20,)) for _ in range(2)])
    optimizer = build_optimizer(default(TrainOptions), model)
    checkpoint = tf.train.Checkpoint(
        model=model,
        optimizer=optimizer.checkpointed,
        global_step=tf.Variable(0, dtype=tf.int64),
    )
    manager = tf.train.CheckpointManager(checkpoint, str(tmp_path), 3, checkpoint_name="ckpt")
    for step in (1, 2):
        checkpoint.global_step.assign(step)
        manager.save(checkpoint_number=step)
    newest = tmp_path / f"ckpt-2{suffix}"
    content = newest.read_bytes()
    if kept == "overwritten":
        newest.write_bytes(bytes(len(content)))
    else:
        newest.write_bytes(content[: int(kept * len(content))])
    assert restore.resume(checkpoint, str(tmp_path)).endswith("ckpt-1")
    assert int(checkpoint.global_step.numpy()) == 1
    assert "ckpt-2 is damaged" in capsys.readouterr().out
    if kept != 0.9:  # where the model's own values may be whole
        with pytest.raises(UserError, match="ckpt-2"):
            restore.restore_for_inference(model, str(tmp_path))


def test_fine_tuning_from_a_detector_with_other_classes(tmp_path):
    source = make_model()
    expected = save(source, tmp_path)
    model = make_model(num_classes=5)
    options = default(
        TrainOptions, fine_tune_checkpoint=str(tmp_path), fine_tune_checkpoint_type="detection"
    )
    lines = fine_tuning.initialize(model, options)
    new = [line for line in lines if line.startswith("  new: ")]
    assert new and all("class" in line for line in new), lines
    values = weights(model)
    same = {path for path in values if values[path].shape == expected[path].shape}
    assert len(values) - len(same) == len(new)
    for path in same:
        np.testing.assert_array_equal(values[path], expected[path])


def test_fine_tuning_needs_the_whole_trunk(tmp_path):
    save(make_model(), tmp_path)
    options = default(
        TrainOptions, fine_tune_checkpoint=str(tmp_path), fine_tune_checkpoint_type="detection"
    )
    with pytest.raises(UserError, match="trunk"):
        fine_tuning.initialize(make_model(final_endpoint="Mixed_3b"), options)


def test_fine_tuning_from_a_trunk(tmp_path):
    source, model = make_model(), make_model()
    tf.train.Checkpoint(trunk=source.trunk).write(str(tmp_path / "i3d"))
    options = default(TrainOptions, fine_tune_checkpoint=str(tmp_path / "i3d"))
    head = model.box_predictor.variables[0].numpy()
    lines = fine_tuning.initialize(model, options)
    assert f"{len(source.trunk.variables)} variables loaded, 0 new" in lines[0]
    for ours, theirs in zip(model.trunk.variables, source.trunk.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    np.testing.assert_array_equal(head, model.box_predictor.variables[0].numpy())


def test_imported_weights_are_no_detector_and_the_remedy_is_named(tmp_path):
    model = make_model()
    path = tf.train.Checkpoint(trunk=model.trunk).write(str(tmp_path / "i3d"))
    with pytest.raises(UserError, match='import_i3d_weights.py.*_type: "classification"$'):
        restore.restore_detector(model, path)


def test_fine_tune_type_is_checked(tmp_path):
    options = default(
        TrainOptions, fine_tune_checkpoint=str(tmp_path), fine_tune_checkpoint_type="segmentation"
    )
    with pytest.raises(UserError, match="segmentation"):
        fine_tuning.initialize(make_model(), options)
