"""Which evaluation of a training was the last that came to its end, with all that belongs to it."""

import json
import os

import tensorflow as tf

from avatx.atomic_file import atomic_text_file

EVALUATION_FILE = "last_evaluation.json"


class EvaluationNote:
    """A file in the model directory; `metrics.json` may also be of another program's evaluation."""

    def __init__(self, model_dir: str):
        """Reads it."""
        self._path = os.path.join(model_dir, EVALUATION_FILE)
        self.step = self._read()  # -1: none

    def write(self, step: int) -> None:
        """Notes that the evaluation of this step is done."""
        with atomic_text_file(self._path) as file:
            json.dump({"step": step}, file)
        self.step = step

    def _read(self) -> int:
        try:
            with tf.io.gfile.GFile(self._path, "r") as file:
                return int(json.loads(file.read())["step"])
        except (tf.errors.OpError, ValueError, KeyError, TypeError):
            return -1
