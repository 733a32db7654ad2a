"""With which weights a training evaluates, when, and which checkpoint is the best, by hand.

The clip x = (1, 0) has the score w0 + b of class 1 and 0.27 of class 2. Of the linear model that is
0.6 at first, 0.24 after a step of SGD and 0.308 after two.
"""

import dataclasses
import json

import linear_model
import pytest
import tensorflow as tf
from default_options import default
from tiny_experiment import read_curves

from avatx.checkpoints import restore
from avatx.data.annotations import label_map
from avatx.training import options, run


class TwoClasses(linear_model.LinearModel):
    num_classes = 2

    def postprocess(self, outputs):
        return tf.stack([outputs, tf.fill(tf.shape(outputs), 0.27)], axis=-1)


def experiment(directory, label, interval, **train):
    """Evaluates one clip of class `label` + 1; top_1 says whether it was told right."""

    def make_eval_dataset(batch_size, input_context):
        batch = linear_model.make_batch([[1.0, 0.0]], [label])
        return tf.data.Dataset.from_tensors(batch)

    return dataclasses.replace(
        linear_model.experiment(directory, make_model=TwoClasses, **train),
        make_eval_dataset=make_eval_dataset,
        label_map=label_map.LabelMap({1: "a", 2: "b"}),
        eval=default(
            options.EvalOptions, batch_size=1, interval=interval, best_checkpoint_metric="top_1"
        ),
    )


@pytest.mark.parametrize(
    "label, right, best_step", [(1, {1: 1.0, 2: 0.0}, 1), (0, {1: 0.0, 2: 1.0}, 2)]
)
def test_the_best_is_the_higher(tmp_path, label, right, best_step):
    metrics = run.train_and_eval(experiment(tmp_path, label, 1, num_steps=2))
    assert read_curves(tmp_path / "eval")["top_1"] == right
    assert metrics["top_1"] == right[2]
    assert json.loads((tmp_path / "metrics.json").read_text())["step"] == 2
    best = json.loads((tmp_path / "best" / "info.json").read_text())
    assert best["best_ckpt_global_step"] == best_step and best["top_1"] == 1.0
    model = TwoClasses()
    assert restore.restore_for_inference(model, str(tmp_path / "best")) == best_step
    kernel = {1: 0.235, 2: 0.2795}[best_step]
    assert float(model.kernel[0, 0]) == pytest.approx(kernel, rel=1e-4)


def test_the_averaged_weights_are_evaluated_and_training_goes_on_with_the_others(tmp_path):
    """After a step the average is 2/11 of the start and 9/11 of the weights: 0.3055."""
    given = experiment(tmp_path, 0, 1, num_steps=2, moving_average_decay=0.9999)
    run.train_and_eval(given)
    assert read_curves(tmp_path / "eval")["top_1"][1] == 1.0
    reader = tf.train.load_checkpoint(str(tmp_path))
    kernel = reader.get_tensor("model/kernel/.ATTRIBUTES/VARIABLE_VALUE")
    assert kernel[0, 0] == pytest.approx(0.2795, rel=1e-4)
