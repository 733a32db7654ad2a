"""A trained video classifier, ready to run: from a checkpoint and what it was trained with."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from avatx import config as pipeline_config
from avatx.builders import model_builder
from avatx.checkpoints import paths, restore
from avatx.config import checks as config_checks
from avatx.errors import UserError
from avatx.meta_architectures.video_classifier import VideoClassifier
from avatx.protos import pipeline_pb2


class Classifier(NamedTuple):
    """A model with its weights, and the frame rate of its clips."""

    model: VideoClassifier
    frame_rate: float

    def logits(self, clips: np.ndarray) -> np.ndarray:
        """[B, T, H, W, 3] uint8, of any T -> [B, C] float32."""
        return self.model.predict(self.model.preprocess(tf.convert_to_tensor(clips))).numpy()

    def scores(self, clips: np.ndarray) -> np.ndarray:
        """[B, T, H, W, 3] uint8, of any T -> [B, C] float32, each row's sum 1."""
        return self.model.postprocess(self.logits(clips)).numpy()


def restore_classifier(
    checkpoint: str, pipeline_config_path: str | None = None, overrides: Sequence[str] = ()
) -> Classifier:
    """Builds a classifier and fills it.

    Args:
      checkpoint: prefix or directory; a training's (averaged weights where it has them), or one
        that tools/import_i3d_weights.py wrote.
      pipeline_config_path: what it was trained with; None: I3D as trained on Kinetics-400.
      overrides: as --override.

    Raises:
      UserError: the config is no video_classifier's, or the checkpoint is missing or does not fit.
    """
    if pipeline_config_path is None:
        config = _kinetics_i3d()
        sources = {
            pipeline_config.apply_override(config, override): f"--override {override}"
            for override in overrides
        }
        config_checks.check(config, "--override", sources)
    else:
        config = pipeline_config.load(pipeline_config_path, overrides)
    kind = config.model.WhichOneof("model")
    if kind != "video_classifier":
        raise UserError(
            f"{pipeline_config_path or '--override'}: describes a model of kind {kind}; expected "
            "a video_classifier"
        )
    model = model_builder.build(config.model)
    path = paths.resolve_checkpoint(checkpoint, "--checkpoint")
    parts = {"trunk": model.trunk, "tail": model.tail, "logits": model.logits}
    if restore.restore_parts(parts, path, required=tuple(parts)) is None:
        raise UserError(
            f"{path}: holds no trunk/..., tail/... and logits/...; expected a checkpoint of a "
            "video_classifier, or one that tools/import_i3d_weights.py wrote"
        )
    return Classifier(model, config.model.video_classifier.clip.frame_rate)


def _kinetics_i3d() -> pipeline_pb2.PipelineConfig:
    """The network of Kinetics-400 I3D; clips of 224 x 224 at 25 frames a second."""
    config = pipeline_pb2.PipelineConfig()
    classifier = config.model.video_classifier
    classifier.num_classes = 400
    classifier.clip.SetInParent()
    classifier.image_resizer.fixed_shape_resizer.height = 224
    classifier.image_resizer.fixed_shape_resizer.width = 224
    classifier.trunk.i3d.SetInParent()
    return config
