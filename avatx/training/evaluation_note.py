"""Which evaluation of a training was the last that came to its end, with all that belongs to it."""

import json
import os

import tensorflow as tf

from avatx.atomic_file import atomic_text_file
from avatx.training.workers import Workers

EVALUATION_FILE = "last_evaluation.json"


class EvaluationNote:
    """A file in the model directory; `metrics.json` may also be of another program's evaluation."""

    def __init__(self, model_dir: str, workers: Workers | None = None):
        """Reads it.

        Args:
          model_dir: where it lies.
          workers: who trains, of which the chief reads and writes; None: this process alone.
        """
        self._path = os.path.join(model_dir, EVALUATION_FILE)
        self._writes = workers is None or workers.is_chief
        self.step = workers.from_chief(self._read) if workers else self._read()  # -1: none

    def write(self, step: int) -> None:
        """Notes that the evaluation of this step is done."""
        if self._writes:
            with atomic_text_file(self._path) as file:
                json.dump({"step": step}, file)
        self.step = step

    def forget(self) -> None:
        """Begins anew: what was there is not of this training."""
        self.step = -1

    def rewind(self, step: int) -> None:
        """Notes that a training goes on from this step: of what it did after, nothing is left."""
        if self.step > step:
            self.write(step)

    def _read(self) -> int:
        try:
            with tf.io.gfile.GFile(self._path, "r") as file:
                return int(json.loads(file.read())["step"])
        except (tf.errors.OpError, ValueError, KeyError, TypeError):
            return -1
