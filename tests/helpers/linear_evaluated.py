"""The linear model with dropout, trained and evaluated: a whole training in a moment."""

import dataclasses

import linear_model
import tensorflow as tf
from default_options import default

from avatx.data.annotations import label_map
from avatx.layers.dropout import Dropout
from avatx.training import options


class TwoClasses(linear_model.LinearModel):
    """With dropout, so that a resumed training must draw what an undisturbed one draws."""

    num_classes = 2

    def __init__(self):
        super().__init__()
        self.dropout = Dropout(0.5)

    def predict(self, clips, training=False):
        return super().predict(self.dropout(clips, training=training))

    def postprocess(self, outputs):
        return tf.stack([outputs, tf.fill(tf.shape(outputs), 0.27)], axis=-1)


def experiment(model_dir, **train):
    def make_eval_dataset(batch_size, input_context):
        return tf.data.Dataset.from_tensors(linear_model.make_batch([[1.0, 0.0]], [0]))

    given = {
        "num_steps": 4,
        "checkpoint_interval": 1,
        "checkpoints_to_keep": 2,
        "summary_interval": 2,
        "moving_average_decay": 0.5,
        "gradient_clipping_by_norm": 0.1,  # else it explodes
        **train,
    }
    return dataclasses.replace(
        linear_model.experiment(model_dir, make_model=TwoClasses, **given),
        make_eval_dataset=make_eval_dataset,
        label_map=label_map.LabelMap({1: "a", 2: "b"}),
        eval=default(options.EvalOptions, batch_size=1, interval=2, best_checkpoint_metric="top_1"),
        config_text="# the effective configuration\n",
    )
