"""The detector."""

from avatx.evaluation.metrics import METRICS_SETS
from avatx.registrations.meta_architecture import MetaArchitecture

REGISTRATION = MetaArchitecture(
    name="action_faster_rcnn",
    builder="avatx.builders.action_faster_rcnn_builder",
    data_builder="avatx.builders.data_builder.KEYFRAMES",
    task="avatx.training.action_detection_task.ActionDetectionTask",
    evaluator="avatx.training.evaluator.ActionDetectionEvaluator",
    metrics=tuple(name for names in METRICS_SETS.values() for name in names),
    best_checkpoint_metric="mAP",
    metrics_sets=METRICS_SETS,
)
