"""VideoClassifier -> avatx.meta_architectures.video_classifier."""

from typing import Any

from avatx.builders import trunk_builder
from avatx.meta_architectures.video_classifier import VideoClassifier
from avatx.protos import video_classifier_pb2


def build(config: video_classifier_pb2.VideoClassifier) -> VideoClassifier:
    """The classifier; its variables are not made."""
    size = config.image_resizer.fixed_shape_resizer
    return VideoClassifier(
        image_size=(size.height, size.width),
        trunk=trunk_builder.build(config.trunk),
        num_classes=config.num_classes,
        dropout=config.dropout,
    )


def describe_shapes(
    config: video_classifier_pb2.VideoClassifier, model: VideoClassifier
) -> dict[str, Any]:
    """Name -> shape, of one clip's way behind the features."""
    del config
    return {"pooled": [model.tail.output_depth], "logits": [model.num_classes]}
