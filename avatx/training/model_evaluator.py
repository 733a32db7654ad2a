"""What evaluators share: the weights to evaluate, the data, the step on every replica."""

import abc
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orbit
import tensorflow as tf

from avatx.training.options import Experiment
from avatx.training.task import ModelTask
from avatx.training.workers import Workers


class ModelEvaluator(orbit.AbstractEvaluator, abc.ABC):
    """Holds what an evaluation needs; a task's own evaluator says what is counted."""

    def __init__(
        self,
        experiment: Experiment,
        task: ModelTask,
        model,
        strategy: tf.distribute.Strategy,
        global_step: tf.Variable,
        weights=None,
        between: Callable[[], None] = lambda: None,
    ):
        """Takes what every evaluation of the training needs.

        Args:
          experiment: names the dataset, the label map and the directory.
          task: the inference step of one replica.
          model: what is evaluated, built.
          strategy: where the replicas are.
          global_step: scalar int64, the step of the model's weights.
          weights: () -> context manager inside which the model has the weights to evaluate.
          between: called after each batch; may raise.
        """
        self._experiment = experiment
        self._task = task
        self._model = model
        self._strategy = strategy
        self._workers = Workers(strategy)
        self._between = between
        self._global_step = global_step
        self._weights = weights or contextlib.nullcontext
        self._alone = weights is None  # no training goes on around it
        self._step = tf.function(self._inference_step, autograph=False)
        # As many clips for each replica; the dataset fills the last batch up.
        replicas = strategy.num_replicas_in_sync
        batch_size = -(-experiment.eval.batch_size // replicas) * replicas
        self.dataset = strategy.distribute_datasets_from_function(
            lambda context: experiment.make_eval_dataset(batch_size, context)
        )

    @abc.abstractmethod
    def evaluate(self, num_steps: tf.Tensor) -> dict[str, float]:
        """Evaluates the whole dataset; `num_steps` is Orbit's and ignored.

        Returns:
          Numbers for TensorBoard.
        """

    def _exchange(self, arrays: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Of one batch: this machine's arrays -> those of each; see `Workers.gather_arrays`."""
        gathered = self._workers.gather_arrays(arrays)
        self._between()
        return gathered

    def _inference_step(self, batch) -> Any:
        """What the task's step gives, of each replica."""
        return self._strategy.run(
            lambda one: self._task.inference_step(one, self._model), args=(batch,)
        )
