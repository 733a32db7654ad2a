"""The training's losses on the evaluation data, for TensorBoard's curves beside training's.

They are those of the evaluated weights without dropout and over all proposals, where training's are
over a sample, and without the weight decay's: it is their course that tells overfitting.
"""

from collections.abc import Mapping

import numpy as np

from avatx.training.summaries import write_scalars
from avatx.training.task import TOTAL_LOSS


class EvaluationLosses:
    """The mean over the batches of one evaluation.

    A replica's loss is a mean over its clips, and its last batch may be filled up: such a one
    does not count.
    """

    def __init__(self):
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, valid: np.ndarray, losses: Mapping[str, np.ndarray]) -> None:
        """Takes one replica's batch.

        Args:
          valid: [b] bool.
          losses: scalars by name.
        """
        if not valid.all():
            return
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._count += 1

    def write(self, step: int) -> None:
        """Writes them to TensorFlow's default summary writer, and forgets them."""
        if self._count:
            means = {name: total / self._count for name, total in self._sums.items()}
            write_scalars({**means, TOTAL_LOSS: sum(means.values())}, step)
        self._sums, self._count = {}, 0
