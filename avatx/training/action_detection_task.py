"""Training and running a detector on batches of annotated keyframes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from avatx.core.structures import VIDEO_ID_BYTES, Batch, Detections
from avatx.training.guards import keyframe_names
from avatx.training.task import ModelTask


class ActionDetectionTask(ModelTask):
    """Trains and runs a `DetectionModel` on `Batch`es."""

    clip_specs = (
        tf.TensorSpec([VIDEO_ID_BYTES], tf.uint8),
        tf.TensorSpec([], tf.float64),
    )

    def compute_losses(self, batch: Batch, model: tf_keras.Model) -> dict[str, tf.Tensor]:
        predictions = model.predict(
            model.preprocess(batch.clips),
            batch.groundtruth,
            training=True,
            **given_boxes(batch),
        )
        return model.loss(predictions, batch.groundtruth)

    def inference_step(self, inputs: Batch, model: tf_keras.Model) -> Detections:
        """Final detections of a batch; `multiclass_scores`, large and for other uses, is ()."""
        return self.inference_and_losses(inputs, model)[0]

    def inference_and_losses(
        self, inputs: Batch, model: tf_keras.Model
    ) -> tuple[Detections, dict[str, tf.Tensor]]:
        """As `inference_step`, with the losses, scalars float32, each the mean over the clips."""
        # Only a model whose proposals are the groundtruth looks at the groundtruth here.
        predictions = model.predict(
            model.preprocess(inputs.clips), inputs.groundtruth, **given_boxes(inputs)
        )
        detections = model.postprocess(predictions)._replace(multiclass_scores=())
        losses = model.loss(predictions, inputs.groundtruth)
        return detections, {name: tf.cast(losses[name], tf.float32) for name in sorted(losses)}

    def clip_identity(self, batch: Batch) -> tuple[tf.Tensor, ...]:
        return tuple(batch.keyframes)

    def clip_names(self, identity: Sequence[np.ndarray]) -> list[str]:
        return keyframe_names(*identity)


def given_boxes(batch: Batch) -> dict[str, Any]:
    """Keywords of `predict`: somebody else's boxes, where the input pipeline gives them."""
    return {"person_boxes": batch.person_boxes} if batch.person_boxes else {}
