"""Evaluates the current weights of a video classifier over whole videos."""

import os
import time

import numpy as np
import tensorflow as tf

from avatx.evaluation.classification import VideoScores
from avatx.evaluation.evaluation_run import METRICS_FILE
from avatx.evaluation.metrics import CLASSIFICATION
from avatx.evaluation.report import write_json
from avatx.training.model_evaluator import ModelEvaluator


class ClassificationEvaluator(ModelEvaluator):
    """Runs the classifier over the evaluation dataset, writes metrics.json, prints the numbers."""

    def evaluate(self, num_steps: tf.Tensor) -> dict[str, float]:
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
            for batch in self.dataset:
                scores = self._strategy.experimental_local_results(self._step(batch))
                columns = [
                    self._strategy.experimental_local_results(column)
                    for column in (batch.labels, batch.video_index, batch.view, batch.valid)
                ]
                for replica in zip(scores, *columns, strict=True):
                    collected.add(*map(np.asarray, replica))
        metrics = collected.metrics(experiment.label_map.names)
        write_json(os.path.join(experiment.model_dir, METRICS_FILE), {"step": step, **metrics})
        headline = {name: metrics[name] or 0.0 for name in CLASSIFICATION}
        seconds = time.perf_counter() - begin
        print(
            f"evaluation at step {step}: top-1 {headline['top_1']:.4f}, top-5 "
            f"{headline['top_5']:.4f}, mean class accuracy {headline['mean_class_accuracy']:.4f}, "
            f"over {metrics['num_videos']} videos in {metrics['num_views']} views, {seconds:.0f} s",
            flush=True,
        )
        return headline
