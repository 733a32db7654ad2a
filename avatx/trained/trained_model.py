"""A trained model: network, weights, and what a user of both has to know.

The one place where a pipeline.config, a checkpoint and label maps become a model that runs.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from avatx import config as pipeline_config
from avatx.builders import (
    frame_settings_builder,
    input_reader_builder,
    label_map_builder,
    model_builder,
)
from avatx.checkpoints.paths import resolve_checkpoint
from avatx.checkpoints.restore import restore_for_inference
from avatx.config.differences import differences
from avatx.data.annotations.label_map import LabelMap
from avatx.data.input.clip_shape import ClipShape
from avatx.data.video.frame_settings import Known
from avatx.meta_architectures.video_model import VideoModel


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """Attributes:
    model: built, with the weights of the checkpoint: averaged ones where training kept them.
    clip: what it takes.
    label_map: all classes that it knows by name, scored or not (`builders/label_map_builder.py`).
    step: of the checkpoint; 0 if it does not say.
    config: the effective pipeline.config.
    frame_settings: how the frames of its training were taken, as far as the config says.
    """

    model: VideoModel
    clip: ClipShape
    label_map: LabelMap
    step: int
    config: Any
    frame_settings: Known

    @property
    def class_names(self) -> dict[int, str]:
        """Class id to name."""
        return self.label_map.names

    @classmethod
    def load(
        cls,
        pipeline_config_path: str,
        checkpoint: str,
        overrides: Sequence[str] = (),
        *,
        check: Callable[[VideoModel], None] | None = None,
        names_required: bool = True,
    ) -> "TrainedModel":
        """Reads what the model was trained with, and fills it.

        Args:
          pipeline_config_path: what it was trained with.
          checkpoint: a prefix, or a folder whose newest checkpoint is taken: a training's, or one
            that tools/import_i3d_weights.py wrote.
          overrides: as --override.
          check: called with the model before its weights are read; raises a UserError if it is none
            that the caller can use.
          names_required: whether the label map must be there.

        Raises:
          UserError: config, label map or checkpoint are missing or do not fit.
        """
        config = pipeline_config.load(pipeline_config_path, overrides)
        return cls.from_config(config, checkpoint, check=check, names_required=names_required)

    @classmethod
    def from_config(
        cls,
        config,
        checkpoint: str,
        *,
        check: Callable[[VideoModel], None] | None = None,
        names_required: bool = True,
    ) -> "TrainedModel":
        """As `load`, of a PipelineConfig that was checked."""
        label_map = label_map_builder.build_names(config, names_required)
        path = resolve_checkpoint(checkpoint)
        model = model_builder.build(config.model)
        if check is not None:
            check(model)
        step = restore_for_inference(model, path, lambda text: differences(text, config))
        clip = input_reader_builder.build_clip_shape(input_reader_builder.model_of(config))
        return cls(model, clip, label_map, step, config, frame_settings_builder.build(config))
