"""Evaluates the current weights: the `orbit` evaluator around `avatx.evaluation.evaluation_run`."""

import time

import numpy as np
import tensorflow as tf

from avatx.evaluation import evaluation_run
from avatx.progress import Progress, slow
from avatx.training.action_detection_task import ActionDetectionTask
from avatx.training.evaluation_curves import write_class_curves, write_confusion
from avatx.training.evaluation_losses import EvaluationLosses
from avatx.training.evaluation_pictures import EvaluationPictures
from avatx.training.model_evaluator import ModelEvaluator
from avatx.training.options import Experiment


class ActionDetectionEvaluator(ModelEvaluator):
    """Runs the detector over the evaluation dataset, writes the files, prints the numbers."""

    _task: ActionDetectionTask

    def __init__(self, experiment: Experiment, task: ActionDetectionTask, model, *args, **kwargs):
        """As `ModelEvaluator`."""
        super().__init__(experiment, task, model, *args, **kwargs)
        self._losses = EvaluationLosses()
        self._pictures = EvaluationPictures(
            model,
            experiment.class_names,
            experiment.eval.num_visualizations,
            experiment.class_groups,
        )
        self._total: int | None = None

    def evaluate(self, num_steps: tf.Tensor) -> dict[str, float]:
        """Evaluates the whole dataset; `num_steps` is Orbit's and ignored.

        Returns:
          Numbers for TensorBoard: those of the metrics_set (0 where nothing has groundtruth).
        """
        del num_steps
        begin = time.perf_counter()
        if self._total is None:
            self._total = self._experiment.count_eval_keyframes()
        step = int(self._global_step.numpy())
        with self._weights():
            evaluated = evaluation_run.run_model(
                self._detect,
                self.dataset,
                self._strategy,
                observe=self._pictures.add if self._workers.is_chief else None,
                exchange=self._exchange,
                progress=Progress("evaluating", "keyframes", self._total)
                if self._workers.is_chief
                else None,
            )
        self._total = len(evaluated.keyframes)
        with slow("drawing"):
            self._pictures.write(step)
        if self._workers.is_chief:
            self._losses.write(step)
        return self._workers.from_chief(lambda: self._score(evaluated, step, begin))

    def _inference_step(self, batch):
        return self._strategy.run(
            lambda one: self._task.inference_and_losses(one, self._model), args=(batch,)
        )

    def _detect(self, batch):
        """All replicas' detections; their losses are kept."""
        detections, losses = self._step(batch)
        local = self._strategy.experimental_local_results
        valid = [np.asarray(one) for one in local(batch.valid)]
        for replica, one in enumerate(valid):
            self._losses.add(one, {name: local(value)[replica] for name, value in losses.items()})
        return detections

    def _score(self, evaluated: evaluation_run.Evaluated, step: int, begin: float):
        """Writes and prints the results; gives the headline."""
        experiment = self._experiment
        with slow("scoring"):
            scores = evaluation_run.score(evaluated, experiment.label_map, experiment.eval)
            evaluation_run.write_results(experiment.model_dir, evaluated, scores, step)
            write_class_curves(scores.metrics, step)
            if "mAP" in scores.metrics and experiment.eval.num_visualizations:
                options = experiment.eval
                labels, iou = experiment.label_map, options.iou_threshold
                write_confusion(evaluated, labels, options.protocol, iou, step)
        print(
            f"evaluation at step {step}: {len(evaluated.keyframes)} keyframes in "
            f"{time.perf_counter() - begin:.0f} s",
            flush=True,
        )
        # Between two stretches of training a line is enough.
        last = self._alone or step >= experiment.train.num_steps
        evaluation_run.print_results(scores, table=last)
        return {name: value or 0.0 for name, value in scores.headline().items()}
