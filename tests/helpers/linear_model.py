"""A training small enough to be done on paper: y = x w + b, and the mean of (y - label)^2.

To the training loop it is a video classifier: a clip of one cell holds x, two numbers.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras
from default_options import default

from avatx.core import structures
from avatx.registrations import find
from avatx.training import options

NAN_GRADIENT, NAN_LOSS = 1313.0, 1414.0  # an x that begins so breaks its step


@tf.custom_gradient
def _broken_backwards(values, broken):
    """`values`, whose gradient is not a number where `broken`."""
    return tf.identity(values), lambda upstream: (
        tf.where(broken, np.float32("nan"), upstream),
        None,
    )


class LinearModel(tf_keras.Model):
    """w = (0.5, -0.25) and b = 0.1 at first. Has a gain and an offset that are not used."""

    num_classes = 1

    def __init__(self):
        super().__init__()
        initial = tf_keras.initializers.Constant
        self.kernel = self.add_weight(
            name="kernel", shape=[2, 1], initializer=initial([[0.5], [-0.25]])
        )
        self.bias = self.add_weight(name="bias", shape=[1], initializer=initial(0.1))
        self.gamma = self.add_weight(name="gamma", shape=[2], initializer=initial(3.0))
        self.beta = self.add_weight(name="beta", shape=[2], initializer=initial(2.0))

    def preprocess(self, clips):
        return tf.reshape(clips, [-1, 2])

    def predict(self, clips, training=False):
        outputs = (clips @ self.kernel)[:, 0] + self.bias
        outputs = _broken_backwards(outputs, clips[:, 0] == NAN_GRADIENT)
        return tf.where(clips[:, 0] == NAN_LOSS, np.float32("nan"), outputs)

    def loss(self, outputs, labels):
        return {"Loss/squared": tf.reduce_mean((outputs - tf.cast(labels, tf.float32)) ** 2)}

    def postprocess(self, outputs):
        return outputs[:, tf.newaxis]


# Errors 0.1 and 0.85; loss (0.01 + 0.7225) / 2; gradient (0.1 x (1, 2) + 0.85 x (3, -1)) and 0.95.
XS, LABELS = [[1.0, 2.0], [3.0, -1.0]], [0, 1]
LOSS, KERNEL_GRADIENT, BIAS_GRADIENT = 0.36625, [2.65, -0.65], 0.95
NORM = 8.3475**0.5


def make_batch(xs=XS, labels=LABELS, first=0):
    """A batch; its videos count from `first`."""
    count = len(xs)
    return structures.LabelledClips(
        clips=tf.reshape(tf.constant(xs, tf.float32), [count, 1, 1, 1, 2]),
        labels=tf.constant(labels, tf.int32),
        video_index=tf.range(first, first + count, dtype=tf.int64),
        view=tf.zeros([count], tf.int32),
        valid=tf.fill([count], True),
    )


def experiment(model_dir="", batches=None, make_model=LinearModel, **train):
    """Trains on `batches` (xs, labels), again and again; `train` are fields of TrainOptions.

    Plain SGD at a constant rate of 0.1; nothing clipped, decayed or averaged.
    """
    rate = default(
        options.LearningRateOptions,
        kind="constant",
        learning_rate_base=0.1,
        total_steps=1,
        warmup_learning_rate=0.0,
        warmup_steps=0,
        manual_steps=(),
    )
    plain = default(
        options.TrainOptions,
        batch_size=2,
        num_steps=1,
        optimizer=default(
            options.OptimizerOptions,
            kind="momentum",
            momentum=0.0,
            nesterov=False,
            beta_1=0.9,
            beta_2=0.999,
            epsilon=1e-7,
            learning_rate=rate,
        ),
        gradient_clipping_by_norm=0.0,
        gradient_accumulation_steps=1,
        moving_average_decay=0.0,
        weight_decay=0.0,
        precision="float32",
        seed=0,
        deterministic=False,
        checkpoint_interval=1000,
        checkpoints_to_keep=100,
        summary_interval=1000,
        steps_per_loop=1000,
        max_loss=1e4,
    )

    def make_train_dataset(batch_size, input_context, start_step):
        made = [
            make_batch(xs, labels, first=index * batch_size)
            for index, (xs, labels) in enumerate(batches or [(XS, LABELS)])
        ]
        stacked = tf.nest.map_structure(lambda *parts: tf.stack(parts), *made)
        return tf.data.Dataset.from_tensor_slices(stacked).repeat().skip(start_step)

    return options.Experiment(
        meta_architecture=find("video_classifier"),
        make_model=make_model,
        make_train_dataset=make_train_dataset,
        make_eval_dataset=None,
        train=dataclasses.replace(plain, **train),
        eval=default(options.EvalOptions),
        label_map=None,
        class_names={},
        model_dir=str(model_dir),
        distribution_strategy="cpu",
    )


def optimizer_options(train, **changed):
    """The optimiser of TrainOptions with fields changed, those of its schedule among them."""
    rate_fields = {field.name for field in dataclasses.fields(options.LearningRateOptions)} - {
        "kind"
    }
    rate = {name: changed.pop(name) for name in list(changed) if name in rate_fields}
    if "schedule" in changed:
        rate["kind"] = changed.pop("schedule")
    learning_rate = dataclasses.replace(train.optimizer.learning_rate, **rate)
    return dataclasses.replace(train.optimizer, learning_rate=learning_rate, **changed)
