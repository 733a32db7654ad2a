"""A training begun anew in a used folder, and evaluations that cannot be compared."""

import dataclasses
import json

import pytest
import tensorflow as tf
from linear_evaluated import experiment

from avatx.checkpoints import paths
from avatx.errors import UserError
from avatx.training import earlier_results, run
from avatx.training.evaluation_note import EvaluationNote

RESULTS = ["best", "last_evaluation.json", "metrics.json"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def without_checkpoints(folder):
    """As a user does whom `restore.resume` advises to."""
    for path in [*folder.glob("ckpt-*"), folder / "checkpoint"]:
        path.unlink()


def high(info):
    """The information of a best checkpoint with a number that nothing beats."""
    known = json.loads(info.read_text())
    info.write_text(json.dumps({**known, "top_1": 2.0}))


def test_an_earlier_training_is_not_taken_for_the_new_one(tmp_path, capsys):
    run.train_and_eval(experiment(tmp_path))
    high(tmp_path / "best" / "info.json")
    best = names(tmp_path / "best")
    without_checkpoints(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "best" / "mine.txt").write_text("mine")
    config = (tmp_path / "pipeline.config").read_text()
    capsys.readouterr()

    run.train(experiment(tmp_path, seed=7))
    assert f"results of an earlier training, which were moved to {tmp_path}/earlier-1" in (
        capsys.readouterr().out
    )
    assert names(tmp_path / "earlier-1") == sorted([*RESULTS, "pipeline.config", "train", "eval"])
    assert names(tmp_path / "earlier-1" / "best") == best
    assert (tmp_path / "earlier-1" / "pipeline.config").read_text() == config
    assert names(tmp_path / "best") == ["mine.txt"] and (tmp_path / "notes.txt").exists()
    assert not {*RESULTS[1:]} & {*names(tmp_path)}
    assert paths.best_checkpoint(str(tmp_path)) is None  # what an export asks

    # Trained to its end, and never evaluated.
    metrics = run.train_and_eval(experiment(tmp_path, seed=7))
    assert metrics and "nothing to do" not in capsys.readouterr().out
    assert json.loads((tmp_path / "best" / "info.json").read_text())["top_1"] <= 1
    assert run.train_and_eval(experiment(tmp_path, seed=7)) is None  # now it is

    without_checkpoints(tmp_path)
    run.train_and_eval(experiment(tmp_path, seed=8))
    assert names(tmp_path / "earlier-2" / "best") and (tmp_path / "metrics.json").exists()
    assert json.loads((tmp_path / "best" / "info.json").read_text())["top_1"] <= 1


def test_what_is_no_trainings_stays(tmp_path, capsys):
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "film.mp4").write_text("mine")
    (tmp_path / "metrics.json").write_text("{}")  # of an evaluation of another checkpoint
    before = names(tmp_path)
    assert earlier_results.set_aside(str(tmp_path)) == "" and names(tmp_path) == before
    (tmp_path / "absent").mkdir()
    assert earlier_results.set_aside(str(tmp_path / "absent")) == ""
    run.train(experiment(tmp_path))
    assert "earlier" not in capsys.readouterr().out


def test_moving_that_was_cut_off_is_made_by_the_next(tmp_path, monkeypatch):
    run.train_and_eval(experiment(tmp_path))
    without_checkpoints(tmp_path)
    moved = []

    def rename(old, new, real=earlier_results.tf.io.gfile.rename):
        if len(moved) == 3:
            raise KeyboardInterrupt
        moved.append(old)
        real(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(earlier_results.tf.io.gfile, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            run.train(experiment(tmp_path))
    run.train(experiment(tmp_path))
    assert not {*RESULTS} & {*names(tmp_path)}


def steps_of(folder, tag):
    """The steps at which a number is in TensorBoard's files."""
    found = []
    for path in sorted(folder.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found += [event.step for value in event.summary.value if value.tag == tag]
    return found


def test_curves_of_an_earlier_training_are_runs_of_their_own(tmp_path):
    run.train_and_eval(experiment(tmp_path, num_steps=4))
    before = {name: names(tmp_path / name) for name in ("train", "eval")}
    (tmp_path / "train" / "notes.txt").write_text("mine")
    # Trained further, it is one curve.
    run.train_and_eval(experiment(tmp_path, num_steps=6))
    assert {*before["train"]} < {*names(tmp_path / "train")} and not (
        tmp_path / "earlier-1"
    ).exists()
    former = {name: steps_of(tmp_path / name, "total_loss") for name in before}
    assert former["train"] and former["train"] == sorted(set(former["train"]))

    without_checkpoints(tmp_path)
    run.train_and_eval(experiment(tmp_path, num_steps=2))
    assert {
        name: steps_of(tmp_path / "earlier-1" / name, "total_loss") for name in before
    } == former
    assert max(steps_of(tmp_path / "train", "total_loss")) == 2
    assert (tmp_path / "train" / "notes.txt").exists()


def test_curves_alone_are_set_aside_too(tmp_path):
    """Of a training that was killed before its first checkpoint."""
    run.train(experiment(tmp_path))
    without_checkpoints(tmp_path)
    (tmp_path / "last_evaluation.json").unlink(missing_ok=True)
    events = names(tmp_path / "train")
    assert earlier_results.set_aside(str(tmp_path)) == str(tmp_path / "earlier-1")
    assert names(tmp_path / "earlier-1" / "train") == events and not names(tmp_path / "train")
    assert earlier_results.set_aside(str(tmp_path)) == ""


def test_going_back_to_an_older_checkpoint_takes_its_evaluations_back(tmp_path):
    run.train_and_eval(experiment(tmp_path, num_steps=4))
    for path in tmp_path.glob("ckpt-4*"):
        path.unlink()
    run.train(experiment(tmp_path, num_steps=4))
    assert EvaluationNote(str(tmp_path)).step < 4
    assert run.train_and_eval(experiment(tmp_path, num_steps=4))  # of the new step 4


def changed(given, **options):
    return dataclasses.replace(given, eval=dataclasses.replace(given.eval, **options))


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda one: changed(one, iou_threshold=0.75), "iou_threshold"),
        (lambda one: changed(one, protocol="AVA_2018"), "protocol"),
        (
            lambda one: dataclasses.replace(
                one, input_files=lambda: {"eval_config.groundtruth_path": {"a.csv": "1"}}
            ),
            "eval_config.groundtruth_path",
        ),
        (
            lambda one: dataclasses.replace(
                one, input_files=lambda: {"train_input_reader.input_path": {"a": "1"}}
            ),
            "",
        ),
        (lambda one: one, ""),
    ],
)
def test_a_best_of_other_settings_is_none_to_beat(tmp_path, capsys, change, told):
    run.train_and_eval(experiment(tmp_path, num_steps=2))
    high(tmp_path / "best" / "info.json")
    assert "best top_1 so far" in capsys.readouterr().out
    run.train_and_eval(change(experiment(tmp_path, num_steps=4)))
    said = capsys.readouterr().out
    assert (f"is of an evaluation with another {told}: the next" in said) == bool(told)
    best = json.loads((tmp_path / "best" / "info.json").read_text())
    assert (best["top_1"] <= 1) == bool(told)
    if told:  # the new one is one to beat
        high(tmp_path / "best" / "info.json")
        run.train_and_eval(change(experiment(tmp_path, num_steps=6)))
        assert json.loads((tmp_path / "best" / "info.json").read_text())["top_1"] == 2


def test_a_best_that_an_older_version_kept_is_still_one_to_beat(tmp_path):
    run.train_and_eval(experiment(tmp_path, num_steps=2))
    info = tmp_path / "best" / "info.json"
    known = json.loads(info.read_text())
    assert paths.best_checkpoint(str(tmp_path)).described.startswith("step 2 (")
    del known["evaluated_with"]
    info.write_text(json.dumps({**known, "top_1": 2.0}))
    run.train_and_eval(changed(experiment(tmp_path, num_steps=4), iou_threshold=0.75))
    assert json.loads(info.read_text())["top_1"] == 2


def test_a_refused_evaluation_leaves_no_events(tmp_path):
    run.train(experiment(tmp_path / "model", num_steps=2))
    data = tmp_path / "model" / "ckpt-2.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:8])
    with pytest.raises(UserError, match="ckpt-2"):
        run.evaluate(experiment(tmp_path / "out"), str(tmp_path / "model" / "ckpt-2"))
    assert not [*(tmp_path / "out").rglob("events*")]
