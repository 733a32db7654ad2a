"""The checkpoint of the best evaluation, kept beside those of the training."""

import json
import os

import tensorflow as tf

from avatx.atomic_file import atomic_text_file
from avatx.checkpoints import saver
from avatx.checkpoints.paths import BEST_INFORMATION, BEST_STEP
from avatx.training.workers import Workers

CHECKPOINT_NAME = "best_ckpt"


class BestCheckpoint:
    """`directory` holds the checkpoint of the highest metric, and in info.json its numbers."""

    def __init__(
        self, directory: str, metric: str, checkpoint: tf.train.Checkpoint, workers: Workers
    ):
        """Looks for the best one so far; writes nothing.

        Args:
          directory: made when there is something to keep.
          metric: the number of which the highest is the best.
          checkpoint: what is kept.
          workers: who trains; the chief writes.
        """
        self.directory = directory
        self._metric = metric
        self._saver = saver.saver_of(workers.is_chief)(
            checkpoint, directory, CHECKPOINT_NAME, keep=1
        )
        self._writes = workers.is_chief
        self._path = os.path.join(directory, BEST_INFORMATION)
        self._best = workers.from_chief(self._read)

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
        with atomic_text_file(self._path) as file:
            json.dump({**numbers, BEST_STEP: float(step)}, file, indent=4)
            file.write("\n")
        return True

    def _read(self) -> float | None:
        try:
            with tf.io.gfile.GFile(self._path, "r") as file:
                return float(json.loads(file.read())[self._metric])
        # Not there; cut off while it was written; of another metric.
        except (tf.errors.OpError, ValueError, KeyError, TypeError):
            return None
