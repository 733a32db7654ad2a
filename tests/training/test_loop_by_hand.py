"""When the loop reports, saves and stops, and of what it reports the mean."""

import dataclasses

import linear_model
import made_tensors
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tiny_experiment import read_curves

from avatx import errors
from avatx.checkpoints import paths, restore
from avatx.training import controller, run

ONE, OTHER = (linear_model.XS, linear_model.LABELS), ([[1.0, 2.0], [1.0, 2.0]], [1, 1])
LOSSES = {0: linear_model.LOSS, 1: 0.81}  # of steps 1, 3, ... and 2, 4, ... at a rate of 0


def still(directory, **train):
    """Training at a learning rate of 0: each step's loss is known."""
    experiment = linear_model.experiment(directory, [ONE, OTHER], **train)
    optimizer = linear_model.optimizer_options(experiment.train, learning_rate_base=0.0)
    return dataclasses.replace(
        experiment, train=dataclasses.replace(experiment.train, optimizer=optimizer)
    )


def checkpoints(directory):
    return sorted(int(path.rsplit("-", 1)[1]) for path in paths.checkpoint_paths(str(directory)))


@pytest.mark.parametrize(
    "steps_per_loop, summary, save, reported, saved",
    [
        (1000, 3, 4, [3, 6, 7], [4, 7]),
        (2, 3, 4, [3, 6, 7], [4, 7]),
        (1000, 5, 2, [5, 7], [2, 4, 6, 7]),
        (3, 100, 100, [7], [7]),
    ],
)
def test_intervals(tmp_path, capsys, steps_per_loop, summary, save, reported, saved):
    run.train(
        still(
            tmp_path,
            num_steps=7,
            steps_per_loop=steps_per_loop,
            summary_interval=summary,
            checkpoint_interval=save,
        )
    )
    curves = read_curves(tmp_path / "train")
    assert sorted(curves["total_loss"]) == reported
    assert checkpoints(tmp_path) == saved
    said = capsys.readouterr().out
    assert [step for step in range(9) if f" step {step}/7 " in said] == [1, *reported]
    assert f" step 1/7 loss {LOSSES[0]:.4f}  the first here, compiled in " in said
    # A point is the mean over the steps since the last one.
    for first, last in zip([0, *reported], reported, strict=False):
        expected = np.mean([LOSSES[step % 2] for step in range(first, last)])
        assert curves["total_loss"][last] == pytest.approx(expected, rel=1e-5)
        assert curves["Loss/squared"][last] == pytest.approx(expected, rel=1e-5)


def test_a_report_makes_few_tensors(tmp_path):
    """Each that is made of a Python or numpy value keeps memory for good; there were 12."""

    def made_by(num_steps):
        with made_tensors.counted() as made:
            run.train(still(tmp_path / str(num_steps), num_steps=num_steps, summary_interval=1))
        return len(made)

    made_by(2)  # what is made once a process
    assert made_by(12) - made_by(4) <= 8 * 5


def test_only_so_many_checkpoints_are_kept(tmp_path):
    run.train(still(tmp_path, num_steps=5, checkpoint_interval=1, checkpoints_to_keep=2))
    assert checkpoints(tmp_path) == [4, 5]


def test_a_resumed_run_reports_and_saves_where_an_undisturbed_one_does(tmp_path):
    intervals = {"summary_interval": 3, "checkpoint_interval": 4}
    run.train(still(tmp_path, num_steps=5, **intervals))
    run.train(still(tmp_path, num_steps=9, **intervals))
    assert sorted(read_curves(tmp_path / "train")["total_loss"]) == [3, 5, 6, 9]
    assert checkpoints(tmp_path) == [4, 5, 8, 9]


def test_the_data_go_on_where_they_stopped(tmp_path):
    run.train(still(tmp_path, num_steps=1, summary_interval=1))
    run.train(still(tmp_path, num_steps=3, summary_interval=1))
    losses = read_curves(tmp_path / "train")["total_loss"]
    assert losses == pytest.approx({step + 1: LOSSES[step % 2] for step in range(3)})


def test_the_rate_that_is_reported_is_the_one_of_the_next_step(tmp_path):
    experiment = linear_model.experiment(tmp_path, num_steps=4, summary_interval=1)
    optimizer = linear_model.optimizer_options(
        experiment.train,
        schedule="cosine_decay",
        total_steps=4,
        learning_rate_base=0.02,
        warmup_steps=2,
        warmup_learning_rate=0.01,
    )
    train = dataclasses.replace(experiment.train, optimizer=optimizer)
    run.train(dataclasses.replace(experiment, train=train))
    rates = read_curves(tmp_path / "train")["learning_rate"]
    assert rates == pytest.approx({1: 0.015, 2: 0.02, 3: 0.01, 4: 0.0}, abs=1e-7)


def save_fine_tuning_source(directory):
    model = linear_model.LinearModel()
    model.kernel.assign([[7.0], [-5.0]])
    return tf.train.Checkpoint(model=model).write(str(directory / "source"))


def test_the_average_starts_at_the_weights_that_were_loaded(tmp_path):
    """At a rate of 0 weights and average stay there."""
    source = save_fine_tuning_source(tmp_path)
    run.train(
        still(
            tmp_path / "model",
            moving_average_decay=0.9,
            fine_tune_checkpoint=source,
            fine_tune_checkpoint_type="detection",
        )
    )
    reader = tf.train.load_checkpoint(str(tmp_path / "model"))
    kernel = "model/kernel/{}.ATTRIBUTES/VARIABLE_VALUE"
    for slot in ("", ".OPTIMIZER_SLOT/optimizer/average/"):
        np.testing.assert_array_equal(reader.get_tensor(kernel.format(slot)), [[7.0], [-5.0]])
    evaluated = linear_model.LinearModel()
    assert restore.restore_for_inference(evaluated, str(tmp_path / "model")) == 1
    np.testing.assert_array_equal(evaluated.kernel.numpy(), [[7.0], [-5.0]])


def test_resuming_does_not_start_from_the_fine_tuning_again(tmp_path):
    source = save_fine_tuning_source(tmp_path)
    given = {"fine_tune_checkpoint": source, "fine_tune_checkpoint_type": "detection"}
    run.train(linear_model.experiment(tmp_path / "model", num_steps=1, **given))
    run.train(linear_model.experiment(tmp_path / "model", num_steps=2, **given))
    twice = linear_model.experiment(tmp_path / "once", num_steps=2, **given)
    run.train(twice)
    kernels = [
        tf.train.load_checkpoint(str(tmp_path / name)).get_tensor(
            "model/kernel/.ATTRIBUTES/VARIABLE_VALUE"
        )
        for name in ("model", "once")
    ]
    np.testing.assert_allclose(*kernels, rtol=1e-6)
    assert np.abs(kernels[0] - [[7.0], [-5.0]]).max() > 0.1


class RandomModel(linear_model.LinearModel):
    """Starts anywhere, and draws in training."""

    def __init__(self):
        super().__init__()
        self.kernel.assign(tf_keras.initializers.RandomNormal()([2, 1]))

    def predict(self, clips, training=False):
        outputs = super().predict(clips)
        return outputs + tf.random.normal(tf.shape(outputs)) if training else outputs


def test_the_seed_decides_start_and_draws(tmp_path):
    losses = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run.train(
            linear_model.experiment(tmp_path / name, make_model=RandomModel, seed=seed, num_steps=2)
        )
        reader = tf.train.load_checkpoint(str(tmp_path / name))
        losses.append(reader.get_tensor("model/kernel/.ATTRIBUTES/VARIABLE_VALUE"))
    np.testing.assert_array_equal(losses[0], losses[1])
    assert np.abs(losses[0] - losses[2]).min() > 1e-3


@pytest.mark.parametrize("interval, expected", [(2, [2, 4, 5]), (3, [3, 5]), (0, [5])])
def test_evaluations_come_at_multiples_of_the_interval_and_at_the_end(interval, expected):
    steps = []
    loop = object.__new__(controller.TrainingController)
    loop.global_step = tf.Variable(0, dtype=tf.int64)
    loop.train = lambda to, checkpoint_at_completion: (
        loop.global_step.assign(to),
        steps.append((to, checkpoint_at_completion)),
    )
    evaluated = []
    loop.evaluate = lambda eval_steps: evaluated.append(int(loop.global_step.numpy()))
    loop.train_and_evaluate(5, eval_interval=interval)
    assert evaluated == expected
    assert steps == [(step, step == 5) for step in expected]
    loop.train_and_evaluate(5, eval_interval=interval)  # at the end already: once more
    assert evaluated == [*expected, 5]


@pytest.mark.parametrize("step, interval, expected", [(0, 4, 4), (3, 4, 4), (4, 4, 8), (5, 4, 8)])
def test_next_multiple(step, interval, expected):
    assert controller._next_multiple(step, interval) == expected


def test_progress_in_a_line():
    means = {
        "total_loss": 1.25,
        "learning_rate": 0.05,
        "gradient_norm": 3.5,
        "clips_per_second": 12.34,
        "input_wait_share": 0.07,
    }
    line = controller.progress_line(40, 100, means, 90.0)
    assert line[8:] == (
        " step  40/100 loss 1.2500  learning rate 0.05  gradient 3.5  12.3 clips/s  "
        "input wait 7%  left 1:30:00"
    )


def test_a_first_step_has_no_speed_yet(tmp_path, capsys):
    run.train(still(tmp_path, num_steps=2, summary_interval=1))
    first, second = (line for line in capsys.readouterr().out.splitlines() if "/2 loss" in line)
    assert " step 1/2 loss " in first and "clips/s" not in first and "left" not in first
    assert " step 2/2 loss " in second and "clips/s" in second and "left" in second


def test_a_batch_that_does_not_divide(tmp_path):
    with pytest.raises(errors.UserError, match="batch_size = 2 .* = 1 x 3 = 3"):
        run.train(linear_model.experiment(tmp_path, gradient_accumulation_steps=3))
