"""Whole runs on made-up clips: what lies in the model directory afterwards, and evaluation."""

import dataclasses
import json
import os

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tiny_experiment import NUM_EVAL_CLIPS, make_clip, make_model, read_curves, tiny_experiment

from avatx import progress
from avatx.checkpoints import paths
from avatx.core.structures import Detections
from avatx.data.annotations import ava_csv
from avatx.errors import UserError
from avatx.evaluation.evaluation_run import TableCollector
from avatx.training import run


def test_train_and_eval_fills_the_model_directory(tmp_path, capsys):
    experiment = tiny_experiment(
        tmp_path / "model",
        interval=2,
        num_steps=5,
        checkpoint_interval=2,
        checkpoints_to_keep=2,
        summary_interval=2,
        moving_average_decay=0.5,
        precision="bfloat16",
    )
    metrics = run.train_and_eval(experiment)
    assert tf_keras.mixed_precision.global_policy().name == "float32"
    directory = tmp_path / "model"

    names = [os.path.basename(path) for path in paths.checkpoint_paths(str(directory))]
    assert names == ["ckpt-5", "ckpt-4"]
    assert (directory / "pipeline.config").read_text() == experiment.config_text
    written = json.loads((directory / "metrics.json").read_text())
    assert written["step"] == 5 and written["num_keyframes"] == NUM_EVAL_CLIPS
    assert {"mAP", "per_class", "protocol", "person_AP", "person_AP_75"} <= set(written)
    assert metrics == {name: pytest.approx(written[name]) for name in metrics}
    assert set(metrics) == {"mAP", "person_AP", "person_AP_75"}

    best = json.loads((directory / "best" / "info.json").read_text())
    curves = read_curves(directory / "eval")
    assert set(curves["mAP"]) == {2, 4, 5}
    assert best["mAP"] == pytest.approx(max(curves["mAP"].values()), abs=1e-6)
    step = paths.checkpoint_step(paths.resolve_checkpoint(str(directory / "best")))
    assert step == best["best_ckpt_global_step"]
    assert curves["mAP"][step] == pytest.approx(best["mAP"], abs=1e-6)

    # Per class, and validation's losses under the names of training's.
    known = {f"AP/{c['name']}" for c in written["per_class"].values() if c["ap"] is not None}
    assert known and {name for name in curves if name.startswith("AP/")} == known
    train = read_curves(directory / "train")
    validated = {name for name in curves if "_loss" in name}
    assert validated == {name for name in train if "_loss" in name} and len(validated) > 2
    for at in (2, 4, 5):
        parts = [curves[name][at] for name in validated - {"total_loss"}]
        assert sum(parts) == pytest.approx(curves["total_loss"][at], rel=1e-4)
    for name in ("total_loss", "learning_rate", "gradient_norm", "clips_per_second"):
        assert set(train[name]) == {2, 4, 5}
    assert all(0 <= share <= 1 for share in train["input_wait_share"].values())
    losses = [name for name in train if "_loss" in name and name != "total_loss"]
    for at in (2, 4, 5):
        assert sum(train[name][at] for name in losses) == pytest.approx(train["total_loss"][at])

    output = capsys.readouterr().out
    for said in (
        "4 clips a step = 1 replicas x 1 micro-batches x 4 clips",
        "0 to 5 = 0.2 epochs of 100 keyframes",
        "bfloat16",
        "trunk",
        "rpn",
        "box_predictor",
        "step 2/5",
        "left 0:0",
    ):
        assert said in output

    # The same checkpoint evaluated on its own gives the same numbers: averaged weights both.
    alone = tiny_experiment(
        tmp_path / "alone", num_steps=5, moving_average_decay=0.5, precision="bfloat16"
    )
    assert run.evaluate(alone, str(directory)) == pytest.approx(metrics)
    for name in ("metrics.json", "detections.csv"):
        assert (tmp_path / "alone" / name).read_text() == (directory / name).read_text()
    detections = ava_csv.read_detections(directory / "detections.csv")
    wanted = {(f"video{i}", 900.0 + i) for i in range(NUM_EVAL_CLIPS)}
    assert set(detections.keyframes()) <= wanted

    # Continuous evaluation ends with the last step, of which there is one already.
    assert run.evaluate_continuously(alone, str(directory), timeout=30) == pytest.approx(metrics)


@pytest.mark.long
def test_float16_trains_with_a_scaled_loss(tmp_path):
    experiment = tiny_experiment(
        tmp_path,
        precision="float16",
        num_steps=3,
        summary_interval=1,
        gradient_accumulation_steps=2,
        moving_average_decay=0.5,
    )
    run.train(experiment)
    curves = read_curves(tmp_path / "train")
    assert all(loss < 20 for loss in curves["total_loss"].values())
    reader = tf.train.load_checkpoint(str(tmp_path))
    assert any("loss_scale" in key for key in reader.get_variable_to_shape_map())


@pytest.mark.parametrize(
    "options, named",
    [
        ({"batch_size": 5, "gradient_accumulation_steps": 2}, "train_config.batch_size = 5"),
        ({"precision": "int8"}, "int8"),
    ],
)
def test_mistakes_leave_nothing_behind(tmp_path, options, named):
    with pytest.raises(UserError, match=named):
        run.train(tiny_experiment(tmp_path / "model", **options))
    assert not (tmp_path / "model").exists()


def test_what_was_trained_keeps_its_config_and_its_running_saves(tmp_path):
    directory = tmp_path / "model"
    experiment = tiny_experiment(directory, num_steps=2)
    run.train(experiment)
    saving = directory / "ckpt-3_temp"  # as beside a training that is just saving
    saving.mkdir()
    other = dataclasses.replace(experiment, config_text="# another configuration\n")
    run.evaluate(other)
    assert saving.exists()
    assert (directory / "pipeline.config").read_text() == experiment.config_text

    misfit = tiny_experiment(directory, num_steps=4, make_model=lambda: make_model(num_classes=7))
    with pytest.raises(UserError, match="does not fit this pipeline.config"):
        run.train(dataclasses.replace(misfit, config_text=other.config_text))
    assert (directory / "pipeline.config").read_text() == experiment.config_text


def test_killed_in_the_last_evaluation(tmp_path, capsys):
    experiment = tiny_experiment(tmp_path, num_steps=2)
    run.train(experiment)  # all is left as by a train_and_eval that was killed then
    metrics = run.train_and_eval(experiment)
    assert json.loads((tmp_path / "metrics.json").read_text())["step"] == 2
    assert metrics.keys() == {"mAP", "person_AP", "person_AP_75"}
    assert (tmp_path / "best" / "info.json").exists()
    assert run.train_and_eval(experiment) is None
    assert "nothing to do" in capsys.readouterr().out


def test_evaluation_batch_smaller_than_the_replicas(start_python, tmp_path):
    code = """
import dataclasses, json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tiny_experiment import tiny_experiment
from avatx.errors import UserError
from avatx.training import run

experiment = tiny_experiment(sys.argv[1], "mirrored:cpu:0,cpu:1", num_steps=1)
make = experiment.make_eval_dataset

def make_eval_dataset(batch_size, context):  # as the input pipeline
    if batch_size % context.num_replicas_in_sync:
        raise UserError("cannot be shared evenly")
    return make(batch_size, context)

options = dataclasses.replace(experiment.eval, batch_size=1)
experiment = dataclasses.replace(experiment, eval=options, make_eval_dataset=make_eval_dataset)
run.train_and_eval(experiment)
"""
    process = start_python(code, tmp_path)
    _, errors = process.communicate()
    assert process.returncode == 0, errors[-3000:]
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["num_keyframes"] == NUM_EVAL_CLIPS


def test_no_checkpoint_comes(tmp_path):
    with pytest.raises(
        UserError, match="is not there yet: no checkpoint that can be read came within 0.1 s"
    ):
        run.evaluate_continuously(tiny_experiment(tmp_path / "a"), str(tmp_path / "b"), timeout=0.1)


def test_evaluation_collects_every_valid_clip_once():
    clips = [make_clip(i) for i in range(3)]
    clips[2] = clips[2]._replace(valid=tf.constant(False))
    empty = clips[1].groundtruth._replace(num_boxes=tf.constant(0))
    clips[1] = clips[1]._replace(groundtruth=empty)
    batch = tf.nest.map_structure(lambda *parts: tf.stack(parts).numpy(), *clips)
    truth = batch.groundtruth.boxes
    detections = Detections(
        boxes=truth,
        classes=np.array([[3, 1]] * 3),
        scores=np.array([[0.5, 0.25]] * 3),
        multiclass_scores=(),
        proposal_index=(),
        num_detections=np.array([2, 1, 2]),
    )
    collector = TableCollector()
    collector.add(batch, detections)
    evaluated = collector.result()
    assert evaluated.keyframes == [("video0", 900.0), ("video1", 901.0)]
    assert evaluated.groundtruth.empty_keyframes == [("video1", 901.0)]
    assert list(evaluated.groundtruth.class_id) == [1]
    assert list(evaluated.detections.video_id) == ["video0", "video0", "video1"]
    assert list(evaluated.detections.class_id) == [3, 1, 3]
    assert list(evaluated.detections.score) == [0.5, 0.25, 0.5]
    assert evaluated.detections.boxes[0] == pytest.approx(truth[0, 0])


def test_what_takes_long_is_said(tmp_path, monkeypatch, capfd):
    """Before the first step, and before and after the keyframes of an evaluation are counted."""
    monkeypatch.setattr(progress, "_FIRST", 0.0)
    run.train_and_eval(tiny_experiment(tmp_path, num_steps=1))
    said = capfd.readouterr().err.splitlines()
    step, batch = (said.index(f"the first {one}, which compiles ...") for one in ("step", "batch"))
    counted = next(i for i, line in enumerate(said) if line.startswith("evaluating: "))
    assert step < batch < counted < said.index("scoring ...")
    run.evaluate(tiny_experiment(tmp_path, num_steps=1))
    assert "building the model ..." in capfd.readouterr().err.splitlines()
