"""Evaluates the current weights of a video classifier over whole videos."""

import contextlib
import os
import time
from typing import Dict

import numpy as np
import orbit
import tensorflow as tf

from avatx.evaluation.classification import VideoScores
from avatx.evaluation.evaluation_run import METRICS_FILE
from avatx.evaluation.report import write_json
from avatx.training.classification_task import ClassificationTask
from avatx.training.options import Experiment


class ClassificationEvaluator(orbit.AbstractEvaluator):
    """Runs the classifier over the evaluation dataset, writes metrics.json, prints the numbers."""

    def __init__(
        self,
        experiment: Experiment,
        task: ClassificationTask,
        model,
        strategy: tf.distribute.Strategy,
        global_step: tf.Variable,
        weights=None,
    ):
        """Args:
        experiment: names the dataset, the label map and the directory.
        task: the inference step of one replica.
        model: the classifier, built.
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
        self._step = tf.function(self._inference_step)
        # As many clips for each replica; the dataset fills the last batch up.
        replicas = strategy.num_replicas_in_sync
        batch_size = -(-experiment.eval.batch_size // replicas) * replicas
        self._dataset = strategy.distribute_datasets_from_function(
            lambda context: experiment.make_eval_dataset(batch_size, context)
        )

    def evaluate(self, num_steps: tf.Tensor) -> Dict[str, float]:
        """Evaluates the whole dataset; `num_steps` is Orbit's and ignored.

        Returns:
          Numbers for TensorBoard: `top_1`, `top_5` and `mean_class_accuracy`, in [0, 1].
        """
        del num_steps
        experiment = self._experiment
        begin = time.perf_counter()
        step = int(self._global_step.numpy())
        collected = VideoScores()
        with self._weights():
            for batch in self._dataset:
                scores = self._strategy.experimental_local_results(self._step(batch))
                columns = [
                    self._strategy.experimental_local_results(column)
                    for column in (batch.labels, batch.video_index, batch.view, batch.valid)
                ]
                for replica in zip(scores, *columns):
                    collected.add(*map(np.asarray, replica))
        metrics = collected.metrics(experiment.label_map.names)
        write_json(os.path.join(experiment.model_dir, METRICS_FILE), {"step": step, **metrics})
        headline = {name: metrics[name] or 0.0 for name in ("top_1", "top_5", "mean_class_accuracy")}
        seconds = time.perf_counter() - begin
        print(
            f"evaluation at step {step}: top-1 {headline['top_1']:.4f}, top-5 "
            f"{headline['top_5']:.4f}, mean class accuracy {headline['mean_class_accuracy']:.4f}, "
            f"over {metrics['num_videos']} videos in {metrics['num_views']} views, {seconds:.0f} s",
            flush=True,
        )
        return headline

    def _inference_step(self, batch):
        return self._strategy.run(
            lambda one: self._task.inference_step(one, self._model), args=(batch,)
        )
