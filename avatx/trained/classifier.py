"""A trained video classifier, ready to run: from a checkpoint and what it was trained with."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from avatx import config as pipeline_config
from avatx.builders import kinetics_i3d
from avatx.errors import UserError
from avatx.meta_architectures.video_classifier import VideoClassifier
from avatx.meta_architectures.video_model import VideoModel
from avatx.trained.trained_model import TrainedModel


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained model that gives a whole clip its class."""

    trained: TrainedModel

    @property
    def model(self) -> VideoClassifier:
        """With its weights."""
        return self.trained.model

    @property
    def frame_rate(self) -> float:
        """Frames a second of its clips."""
        return self.trained.clip.frame_rate

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
      pipeline_config_path: what it was trained with; None: I3D as trained on Kinetics-400. Its
        label maps need not be there: a class of theirs is then without a name.
      overrides: as --override.

    Raises:
      UserError: the config is no video_classifier's, or the checkpoint is missing or does not fit.
    """

    def check(model: VideoModel) -> None:
        if not isinstance(model, VideoClassifier):
            raise UserError(
                f"{pipeline_config_path or 'the overrides'}: describes a {type(model).__name__}; "
                "expected a video_classifier"
            )

    if pipeline_config_path is None:
        config = kinetics_i3d.build_config(overrides)
    else:
        config = pipeline_config.load(pipeline_config_path, overrides)
    return Classifier(
        TrainedModel.from_config(config, checkpoint, check=check, names_required=False)
    )
