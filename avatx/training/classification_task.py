"""Training and running a video classifier on batches of labelled clips."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from avatx.core.structures import LabelledClips
from avatx.training.task import ModelTask


class ClassificationTask(ModelTask):
    """Trains and runs a `VideoClassifier` on `LabelledClips`."""

    clip_specs = (tf.TensorSpec([], tf.int64),)

    def compute_losses(self, batch: LabelledClips, model: tf_keras.Model) -> dict[str, tf.Tensor]:
        logits = model.predict(model.preprocess(batch.clips), training=True)
        return model.loss(logits, batch.labels)

    def inference_step(self, inputs: LabelledClips, model: tf_keras.Model) -> tf.Tensor:
        """Class scores [b, C] float32 of every clip; a row sums to 1."""
        return model.postprocess(model.predict(model.preprocess(inputs.clips)))

    def clip_identity(self, batch: LabelledClips) -> tuple[tf.Tensor, ...]:
        return (batch.video_index,)

    def clip_names(self, identity: Sequence[np.ndarray]) -> list[str]:
        return [f"video {index} of the records" for index in identity[0]]
