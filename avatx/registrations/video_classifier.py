"""The network that pre-trains a detector's trunk."""

from avatx.evaluation.metrics import CLASSIFICATION
from avatx.registrations.meta_architecture import MetaArchitecture

REGISTRATION = MetaArchitecture(
    name="video_classifier",
    builder="avatx.builders.video_classifier_builder",
    data_builder="avatx.builders.data_builder.LABELLED_CLIPS",
    task="avatx.training.classification_task.ClassificationTask",
    evaluator="avatx.training.classification_evaluator.ClassificationEvaluator",
    metrics=CLASSIFICATION,
    best_checkpoint_metric="top_1",
)
