"""What is registered of a meta-architecture.

Whoever reads a config needs the metrics' names and not TensorFlow. So parts are named here and
imported when asked for; they lie in rooms above this one, which is why they are no imports.
"""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class MetaArchitecture:
    """One decision: a kind of model, and how it is built, fed, trained, scored and described.

    Attributes:
      name: its field of `DetectionModel` in model.proto.
      builder: module with
        build(message) -> the model, its variables not made, from its message in model.proto;
        describe_shapes(message, model) -> name -> shape, of what comes behind the trunk's features.
      data_builder: module and name of the `avatx.builders.data_builder.DataBuilder`: which
        records are read.
      task: module and class of the `ModelTask`: the step of training, the step of evaluation.
      evaluator: module and class of the `ModelEvaluator`: what an evaluation counts and writes.
      metrics_sets: name in eval_config.metrics_set -> the numbers that it gives. None: an
        evaluation gives all `metrics`.
      metrics: all the numbers of an evaluation, any of which may choose the best checkpoint.
      best_checkpoint_metric: which one does where the config names none.
    """

    name: str
    builder: str
    data_builder: str
    task: str
    evaluator: str
    metrics: tuple[str, ...]
    best_checkpoint_metric: str
    metrics_sets: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def build_model(self, message):
        """The model that `message` describes, its variables not made."""
        return importlib.import_module(self.builder).build(message)

    def describe_shapes(self, message, model) -> dict[str, Any]:
        """Name -> static shape, of one clip's way behind the trunk."""
        return importlib.import_module(self.builder).describe_shapes(message, model)

    @property
    def data(self):
        """The `DataBuilder` of its data sets."""
        return _named(self.data_builder)

    @property
    def epoch_unit(self) -> str:
        """What an epoch is counted in, in the plural."""
        return self.data.unit

    def make_task(self, options):
        """The `ModelTask` of a training with these `TrainOptions`."""
        return _named(self.task)(options)

    def make_evaluator(self, *args, **kwargs):
        """The `ModelEvaluator`; arguments are those of its constructor."""
        return _named(self.evaluator)(*args, **kwargs)


def _named(path: str):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
