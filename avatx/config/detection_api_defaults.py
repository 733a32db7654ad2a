"""What a field of the Object Detection API means that its config leaves out, where ours differs.

https://github.com/tensorflow/models/tree/master/research/object_detection/protos: optimizer.proto,
train.proto, preprocessor.proto. What is not here has the same default in both.
"""

from collections.abc import Iterator
from typing import Any

# Message of ours -> field -> the default there.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "TrainConfig": {"batch_size": 32},
    "Optimizer": {"use_moving_average": True},
    "CosineDecayLearningRate": {
        "learning_rate_base": 0.002,
        "total_steps": 4_000_000,
        "warmup_learning_rate": 0.0002,
        "warmup_steps": 10_000,
    },
    "ManualStepLearningRate": {"initial_learning_rate": 0.002},
    "Schedule": {"learning_rate": 0.002},
    "RandomCropImage": {"min_area": 0.1, "overlap_threshold": 0.3},
    # No field there: it samples among the proposals alone.
    "ActionFasterRcnn": {"second_stage_add_groundtruth_boxes": False},
}


def write_defaults(message: Any) -> Iterator[tuple[str, str]]:
    """Sets what a converted message leaves out and means otherwise here: (field, what was done)."""
    for field, value in _DEFAULTS.get(message.DESCRIPTOR.name, {}).items():
        if not message.HasField(field):
            setattr(message, field, value)
            said = str(value).lower() if isinstance(value, bool) else f"{value:g}"
            yield field, f"is not there, which means {said} in that API: written out"
