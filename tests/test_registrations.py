"""What is registered of a meta-architecture is there, and a third one is one file."""

import subprocess
import sys

import pytest
from default_options import default

from avatx import registrations
from avatx.evaluation import evaluation_run
from avatx.evaluation.classification import VideoScores
from avatx.protos import eval_pb2, model_pb2
from avatx.training.model_evaluator import ModelEvaluator
from avatx.training.options import TrainOptions
from avatx.training.task import ModelTask

NAMES = registrations.names()


def test_each_field_of_the_schema_is_registered_under_its_name():
    oneof = model_pb2.DetectionModel.DESCRIPTOR.oneofs_by_name["model"]
    assert sorted(field.name for field in oneof.fields) == NAMES
    assert [registrations.find(name).name for name in NAMES] == NAMES
    with pytest.raises(ValueError, match="unknown model: slow_fast; registered are action_fas"):
        registrations.find("slow_fast")


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_there(name):
    registered = registrations.find(name)
    task = registered.make_task(default(TrainOptions, batch_size=3))
    assert isinstance(task, ModelTask) and task.options.batch_size == 3 and task.clip_specs
    with pytest.raises(TypeError, match="missing"):  # found, and its arguments asked for
        registered.make_evaluator()
    module, _, kind = registered.evaluator.rpartition(".")
    assert issubclass(getattr(sys.modules[module], kind), ModelEvaluator)
    for function in ("make_train_dataset", "make_eval_dataset", "describe"):
        assert callable(getattr(registered.data, function))
    units = {"action_faster_rcnn": "keyframes", "video_classifier": "videos"}
    assert registered.epoch_unit == units[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_metric_of_the_best_checkpoint_is_one_that_is_computed(name):
    registered = registrations.find(name)
    assert registered.best_checkpoint_metric in registered.metrics
    sets = registered.metrics_sets
    assert not sets or registered.metrics == tuple(m for names in sets.values() for m in names)


def test_metrics_are_those_that_the_evaluations_give():
    detector = registrations.find("action_faster_rcnn")
    assert detector.metrics == ("mAP", "person_AP", "person_AP_75")
    assert detector.metrics_sets is evaluation_run.METRICS_SETS
    assert detector.best_checkpoint_metric == eval_pb2.EvalConfig().best_checkpoint_metric
    classifier = registrations.find("video_classifier")
    assert classifier.metrics == ("top_1", "top_5", "mean_class_accuracy")
    assert set(classifier.metrics) <= set(VideoScores().metrics({}))


THIRD = """
from avatx.registrations.meta_architecture import MetaArchitecture

REGISTRATION = MetaArchitecture(
    name="third",
    builder="third_parts",
    data_builder="third_parts.DATA",
    task="third_parts.Task",
    evaluator="third_parts.Evaluator",
    metrics=("loss",),
    best_checkpoint_metric="loss",
)
"""
PARTS = """
def build(message): return ("model", message)
def describe_shapes(message, model): return {"output": [7]}
class DATA: unit = "clips"
class Task:
    def __init__(self, options): self.options = options
class Evaluator:
    def __init__(self, *args): self.args = args
"""
USE = """
import sys
from avatx import registrations
registrations.__path__.append(sys.argv[1])
sys.path.append(sys.argv[1])
third = registrations.find("third")
assert "third" in registrations.names() and "tensorflow" not in sys.modules
assert third.build_model("m") == ("model", "m")
assert third.describe_shapes(None, None) == {"output": [7]}
assert third.make_task(3).options == 3 and third.make_evaluator(1, 2).args == (1, 2)
assert third.epoch_unit == third.data.unit == "clips"
"""


def test_a_third_one_is_a_file_and_its_own_code(tmp_path):
    (tmp_path / "third.py").write_text(THIRD)
    (tmp_path / "third_parts.py").write_text(PARTS)
    command = [sys.executable, "-c", USE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
