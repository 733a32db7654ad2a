"""The tasks that a run can have: what its steps compute, and what its evaluation counts."""

from typing import NamedTuple

from avatx.training.action_detection_task import ActionDetectionTask
from avatx.training.classification_evaluator import ClassificationEvaluator
from avatx.training.classification_task import ClassificationTask
from avatx.training.evaluator import ActionDetectionEvaluator
from avatx.training.model_evaluator import ModelEvaluator
from avatx.training.task import ModelTask


class TaskKind(NamedTuple):
    """Classes whose constructors take what these two take."""

    task: type[ModelTask]
    evaluator: type[ModelEvaluator]


TASKS = {
    "action_detection": TaskKind(ActionDetectionTask, ActionDetectionEvaluator),
    "classification": TaskKind(ClassificationTask, ClassificationEvaluator),
}
