"""Whole runs of the classifier on made-up clips: learning, evaluating, resuming, replicas."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from tiny_classification import (
    NUM_VIDEOS,
    NUM_VIEWS,
    make_clip,
    make_model,
    tiny_classification,
)
from tiny_experiment import read_curves

from avatx import progress
from avatx.checkpoints import paths, restore
from avatx.errors import UserError
from avatx.evaluation.classification import VideoScores
from avatx.training import run


def metrics_of(directory):
    return json.loads((directory / "metrics.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directory of a training with averaged weights that has learnt the colours."""
    directory = tmp_path_factory.mktemp("trained")
    run.train_and_eval(
        tiny_classification(
            directory,
            num_steps=60,
            interval=30,
            checkpoint_interval=30,
            summary_interval=10,
            moving_average_decay=0.8,
            batch_size=6,
            make_model=lambda: make_model(batch_norm="TRAINED"),
        )
    )
    return directory


def test_the_loss_falls_and_the_directory_is_filled(trained):
    losses = read_curves(trained / "train")["total_loss"]
    assert losses[10] > 0.2 and losses[60] < 0.1 * losses[10]
    written = metrics_of(trained)
    assert written["step"] == 60 and written["num_videos"] == NUM_VIDEOS
    assert written["num_views"] == NUM_VIDEOS * NUM_VIEWS
    assert [one["num_videos"] for one in written["per_class"].values()] == [2, 2, 1]
    curves = read_curves(trained / "eval")
    for name in ("top_1", "top_5", "mean_class_accuracy"):
        assert set(curves[name]) == {30, 60}
    assert curves["top_1"][60] == pytest.approx(written["top_1"])
    best = json.loads((trained / "best" / "info.json").read_text())
    assert best["top_1"] == pytest.approx(max(curves["top_1"].values()))


def test_evaluation_is_that_of_plain_loops_in_any_batches(trained, tmp_path):
    model = make_model()
    restore.restore_for_inference(model, str(trained))
    expected = VideoScores()
    for video in range(NUM_VIDEOS):
        for view in range(NUM_VIEWS):
            clip = make_clip(video, view)
            logits = model.predict(model.preprocess(clip.clips[tf.newaxis]))
            scores = model.postprocess(logits).numpy()
            expected.add(scores, [int(clip.labels)], [video], [view], [True])
    for batch_size in (4, 15):
        experiment = tiny_classification(tmp_path / str(batch_size), eval_batch_size=batch_size)
        run.evaluate(experiment, str(trained))
        written = metrics_of(tmp_path / str(batch_size))
        wanted = expected.metrics(experiment.label_map.names)
        assert written == {"step": 60, **json.loads(json.dumps(wanted))}


def test_an_evaluation_shows_how_far_it_is(trained, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(progress, "_FIRST", 0.0)
    experiment = tiny_classification(tmp_path, eval_batch_size=4)
    run.evaluate(dataclasses.replace(experiment, count_eval_keyframes=lambda: 9), str(trained))
    said = capfd.readouterr().err.splitlines()
    compiling = said.index("the first batch, which compiles ...")
    counted = [line for line in said if line.startswith("evaluating: ")]
    assert compiling < said.index(counted[0])
    assert " of 9 videos, " in counted[0] and counted[0].endswith(" s left")


def test_resuming_gives_the_same_as_never_having_stopped(tmp_path):
    whole = tiny_classification(tmp_path / "whole", num_steps=4)
    run.train(whole)
    run.train(tiny_classification(tmp_path / "parts", num_steps=2))
    run.train(tiny_classification(tmp_path / "parts", num_steps=4))
    one, two = (
        tf.train.load_checkpoint(str(tmp_path / name / "ckpt-4")) for name in ("whole", "parts")
    )
    for key in one.get_variable_to_shape_map():
        if key.startswith("model/"):
            np.testing.assert_allclose(
                one.get_tensor(key), two.get_tensor(key), rtol=1e-4, atol=1e-5, err_msg=key
            )


def test_a_bad_loss_names_the_videos(tmp_path):
    experiment = tiny_classification(tmp_path, max_loss=1e-6)
    with pytest.raises(UserError, match="step 1: the loss exceeds.*video 3 of the records"):
        run.train(experiment)
    assert not paths.checkpoint_paths(str(tmp_path))


CODE = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.threading.set_intra_op_parallelism_threads(1)  # the same order of sums
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tiny_classification import tiny_classification
from tiny_experiment import read_curves
from avatx.training import run

found = {}
for name, strategy, parts in (("one", "cpu", 1), ("two", "mirrored:cpu:0,cpu:1", 2)):
    experiment = tiny_classification(
        f"{sys.argv[1]}/{name}", strategy, num_steps=3, checkpoint_interval=3, summary_interval=1,
        gradient_accumulation_steps=parts, weight_decay=1e-3, moving_average_decay=0.9,
    )
    metrics = run.train_and_eval(experiment)
    found[name] = [metrics, read_curves(experiment.model_dir + "/train")["total_loss"]]
print(json.dumps(found))
"""


def test_one_replica_equals_two(start_python, tmp_path):
    process = start_python(CODE, tmp_path)
    output, errors = process.communicate()
    assert process.returncode == 0, errors[-3000:]
    found = json.loads(output.splitlines()[-1])
    (one, losses), (two, other_losses) = found["one"], found["two"]
    np.testing.assert_allclose(
        list(other_losses.values()), list(losses.values()), rtol=2e-4, atol=1e-5
    )
    assert len(losses) == 3 and losses["1"] != losses["3"]
    assert one == two
    for name in ("one", "two"):
        assert metrics_of(tmp_path / name)["num_views"] == NUM_VIDEOS * NUM_VIEWS
