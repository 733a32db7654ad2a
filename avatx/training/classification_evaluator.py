"""Evaluates the current weights of a video classifier over whole videos."""

import os
import time

import numpy as np
import tensorflow as tf

from avatx.evaluation.classification import VideoScores
from avatx.evaluation.evaluation_run import METRICS_FILE
from avatx.evaluation.metrics import CLASSIFICATION
from avatx.evaluation.report import write_json
from avatx.progress import Progress, first_batch
from avatx.results import print_result
from avatx.training.model_evaluator import ModelEvaluator


class ClassificationEvaluator(ModelEvaluator):
    """Runs the classifier over the evaluation dataset, writes metrics.json, prints the numbers."""

    def evaluate(self, num_steps: tf.Tensor) -> dict[str, float]:
        """Evaluates the whole dataset; `num_steps` is Orbit's and ignored.

        Returns:
          Numbers for TensorBoard: `top_1`, `top_5` and `mean_class_accuracy`, in [0, 1].
        """
        del num_steps
        begin = time.perf_counter()
        step = int(self._global_step.numpy())
        collected = VideoScores()
        progress = Progress("evaluating", "videos", self._experiment.count_eval_keyframes())
        with self._weights(), first_batch(progress) as first_is_done:
            for batch in self.dataset:
                scores = self._step(batch)
                columns = [
                    self._strategy.experimental_local_results(column)
                    for column in (scores, batch.labels, batch.video_index, batch.view, batch.valid)
                ]
                replicas = list(zip(*columns, strict=True))
                own = [np.asarray(array) for replica in replicas for array in replica]
                for arrays in self._exchange(own):
                    for i in range(0, len(arrays), len(columns)):
                        collected.add(*arrays[i : i + len(columns)])
                first_is_done()
                if self._workers.is_chief:
                    progress.to(collected.num_videos)
        progress.end()
        return self._workers.from_chief(lambda: self._score(collected, step, begin))

    def _score(self, collected: VideoScores, step: int, begin: float) -> dict[str, float]:
        """Writes and prints the results; gives the headline."""
        experiment = self._experiment
        metrics = collected.metrics(experiment.label_map.names)
        write_json(os.path.join(experiment.model_dir, METRICS_FILE), {"step": step, **metrics})
        headline = {name: metrics[name] or 0.0 for name in CLASSIFICATION}
        seconds = time.perf_counter() - begin
        print_result(
            f"evaluation at step {step}: top-1 {headline['top_1']:.4f}, top-5 "
            f"{headline['top_5']:.4f}, mean class accuracy {headline['mean_class_accuracy']:.4f}, "
            f"over {metrics['num_videos']} videos in {metrics['num_views']} views, {seconds:.0f} s"
        )
        return headline
