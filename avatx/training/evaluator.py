"""Evaluates the current weights: the `orbit` evaluator around `avatx.evaluation.evaluation_run`."""

import contextlib
import time
from typing import Dict

import orbit
import tensorflow as tf

from avatx.evaluation import evaluation_run
from avatx.training.action_detection_task import ActionDetectionTask
from avatx.training.evaluation_pictures import EvaluationPictures
from avatx.training.options import Experiment


class ActionDetectionEvaluator(orbit.AbstractEvaluator):
    """Runs the detector over the evaluation dataset, writes the files, prints the numbers."""

    def __init__(
        self,
        experiment: Experiment,
        task: ActionDetectionTask,
        model,
        strategy: tf.distribute.Strategy,
        global_step: tf.Variable,
        weights=None,
    ):
        """Args:
        experiment: names the dataset, the label map and the directory.
        task: the inference step of one replica.
        model: the detector, built.
        strategy: where the replicas are.
        global_step: scalar int64, the step of the model's weights.
        weights: () -> context manager inside which the model has the weights to evaluate.
        """
        self._experiment = experiment
        self._task = task
        self._model = model
        self._strategy = strategy
        self._global_step = global_step
        self._weights = weights or contextlib.nullcontext
        self._alone = weights is None  # no training goes on around it
        self._step = tf.function(self._inference_step)
        self._pictures = EvaluationPictures(
            model, experiment.label_map.names, experiment.eval.num_visualizations
        )
        # As many clips for each replica; the dataset fills the last batch up.
        replicas = strategy.num_replicas_in_sync
        batch_size = -(-experiment.eval.batch_size // replicas) * replicas
        self._dataset = strategy.distribute_datasets_from_function(
            lambda context: experiment.make_eval_dataset(batch_size, context)
        )

    def evaluate(self, num_steps: tf.Tensor) -> Dict[str, float]:
        """Evaluates the whole dataset; `num_steps` is Orbit's and ignored.

        Returns:
          Numbers for TensorBoard: those of the metrics_set (0 where nothing has groundtruth).
        """
        del num_steps
        experiment = self._experiment
        begin = time.perf_counter()
        step = int(self._global_step.numpy())
        with self._weights():
            evaluated = evaluation_run.run_model(
                self._step, self._dataset, self._strategy, observe=self._pictures.add
            )
        self._pictures.write(step)
        scores = evaluation_run.score(evaluated, experiment.label_map, experiment.eval)
        evaluation_run.write_results(experiment.model_dir, evaluated, scores, step)
        print(
            f"evaluation at step {step}: {len(evaluated.keyframes)} keyframes in "
            f"{time.perf_counter() - begin:.0f} s",
            flush=True,
        )
        # Between two stretches of training a line is enough.
        last = self._alone or step >= experiment.train.num_steps
        evaluation_run.print_results(scores, table=last)
        return {name: value or 0.0 for name, value in scores.headline().items()}

    def _inference_step(self, batch):
        detections = self._strategy.run(
            lambda one: self._task.inference_step(one, self._model), args=(batch,)
        )
        # Scores of every class are large and for other uses.
        return detections._replace(multiclass_scores=())
