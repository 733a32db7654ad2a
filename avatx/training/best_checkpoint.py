"""The checkpoint of the best evaluation, kept beside those of the training."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from avatx.atomic_file import atomic_text_file
from avatx.checkpoints import saver
from avatx.checkpoints.paths import BEST_INFORMATION, BEST_STEP
from avatx.training.options import Experiment
from avatx.training.workers import Workers

CHECKPOINT_NAME = "best_ckpt"
SETTINGS = "evaluated_with"  # in the information


def evaluation_settings(
    experiment: Experiment, input_files: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """What the numbers of two evaluations have to have in common to be compared, as JSON has it.

    Args:
      experiment: says how and what is scored.
      input_files: as `Experiment.input_files()`, of which those of the evaluation count.
    """
    names = json.dumps(sorted(experiment.label_map.names.items()) if experiment.label_map else [])
    return {
        "iou_threshold": experiment.eval.iou_threshold,
        "protocol": experiment.eval.protocol,
        "label_map": hashlib.sha256(names.encode()).hexdigest()[:16],
        **{
            field: dict(files)
            for field, files in sorted(input_files.items())
            if field.startswith("eval_") and not field.endswith("label_map_path")
        },
    }


class BestCheckpoint:
    """`directory` holds the checkpoint of the highest metric, and in info.json its numbers."""

    def __init__(
        self,
        directory: str,
        metric: str,
        checkpoint: tf.train.Checkpoint,
        workers: Workers,
        settings: Callable[[], dict[str, Any]] = dict,
    ):
        """Looks for the best one so far; writes nothing.

        Args:
          directory: made when there is something to keep.
          metric: the number of which the highest is the best.
          checkpoint: what is kept.
          workers: who trains; the chief writes.
          settings: () -> of the evaluations, see `evaluation_settings`: one that was taken with
            others is none to beat, which a line says.
        """
        self.directory = directory
        self._metric = metric
        self._saver = saver.saver_of(workers.is_chief)(
            checkpoint, directory, CHECKPOINT_NAME, keep=1
        )
        self._writes = workers.is_chief
        self._settings = settings
        self._path = os.path.join(directory, BEST_INFORMATION)
        self._best = workers.from_chief(self._read)

    def forget(self) -> None:
        """Begins anew: what is there is not of this training."""
        self._best = None

    def offer(self, metrics: dict[str, float], step: int) -> bool:
        """Keeps the training's state of now if its metrics are the best; whether they are.

        Raises:
          UserError: it cannot be written.
        """
        value = float(metrics[self._metric])
        if self._best is not None and not value > self._best:
            return False
        # The checkpoint first, then the note of how good it is: killed in between, the evaluation
        # is made again and compared with the older note, and nothing better is lost.
        self._saver.save(step)
        self._best = value
        if not self._writes:
            return True
        numbers = {name: float(number) for name, number in metrics.items()}
        content = {**numbers, BEST_STEP: float(step), SETTINGS: self._settings()}
        with atomic_text_file(self._path) as file:
            json.dump(content, file, indent=4)
            file.write("\n")
        print(f"best {self._metric} so far: {value:.4f} at step {step}, kept in {self.directory}")
        return True

    def _read(self) -> float | None:
        try:
            with tf.io.gfile.GFile(self._path, "r") as file:
                known = json.loads(file.read())
            value = float(known[self._metric])
        # Not there; cut off while it was written; of another metric.
        except (tf.errors.OpError, ValueError, KeyError, TypeError):
            return None
        then, now = known.get(SETTINGS), self._settings()
        if isinstance(then, dict) and then != now:  # older versions noted none
            changed = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
            print(
                f"note: the best {self._metric} so far, {value:.4f} in {self.directory}, is of an "
                f"evaluation with another {', '.join(changed)}: the next one takes its place, "
                "whatever its number"
            )
            return None
        return value
