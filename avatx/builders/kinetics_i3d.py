"""The network whose weights are published: I3D as trained on Kinetics-400."""

from collections.abc import Sequence

from avatx import config as pipeline_config
from avatx.config import checks
from avatx.protos import pipeline_pb2


def build_config(overrides: Sequence[str] = ()) -> pipeline_pb2.PipelineConfig:
    """Its pipeline.config: clips of 224 x 224 at 25 frames a second; no data, no class names.

    Args:
      overrides: as of `config.load`.

    Raises:
      UserError: an override is wrong.
    """
    config = pipeline_pb2.PipelineConfig()
    classifier = config.model.video_classifier
    classifier.num_classes = 400
    classifier.clip.SetInParent()
    classifier.image_resizer.fixed_shape_resizer.height = 224
    classifier.image_resizer.fixed_shape_resizer.width = 224
    classifier.trunk.i3d.SetInParent()
    sources = {
        pipeline_config.apply_override(config, override): f"override {override}"
        for override in overrides
    }
    checks.check(config, "override", sources)
    return config
