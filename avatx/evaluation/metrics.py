"""The numbers that an evaluation gives, by the names that configs and metrics.json have for them.

Light, so that a config can be checked without an evaluation's libraries.
"""

IOU_THRESHOLDS = {"person_AP": 0.5, "person_AP_75": 0.75}  # of `evaluation.localization`
# Of detectors: name in eval_config.metrics_set -> the headline numbers that it gives.
METRICS_SETS = {
    "ava_frame_map": ("mAP",),
    "action_agnostic_localization": tuple(IOU_THRESHOLDS),
}
# Of classifiers.
TOP = (1, 5)
CLASSIFICATION = (*(f"top_{k}" for k in TOP), "mean_class_accuracy")
