"""Numbers for TensorBoard: all of a step in one event.

`tf.summary.scalar` keeps 1 to 3 kB for the life of the process each time that it is called: tens of
megabytes in an hour of training (docs/reliability.md). An event of twelve numbers keeps 2 kB.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import orbit
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.scalar.summary_v2 import scalar_pb


def write_scalars(values: Mapping[str, Any], step: int) -> None:
    """Writes numbers by their tags to the default writer, as `tf.summary.scalar` would."""
    if not values:
        return
    event = Summary()
    for tag, value in values.items():
        event.MergeFrom(scalar_pb(tag, float(np.asarray(value))))
    # As an array: of each Python number that becomes a tensor TensorFlow keeps one, too.
    tf.summary.experimental.write_raw_pb(
        event.SerializeToString(), step=tf.convert_to_tensor(np.array(step, np.int64))
    )


class ScalarSummaries(orbit.utils.SummaryManager):
    """Orbit's writer of summaries, for numbers alone. `summary_dir` None: writes nothing."""

    def __init__(self, summary_dir: str | None, global_step: tf.Variable):
        super().__init__(summary_dir, summary_fn=None, global_step=global_step)

    def _write_summaries(self, summary_dict: Mapping[str, Any], relative_path: str = "") -> None:
        numbers = {}
        for name, value in summary_dict.items():
            if isinstance(value, dict):
                self._write_summaries(value, os.path.join(relative_path, name))
            else:
                numbers[name] = value
        with self.summary_writer(relative_path).as_default():
            write_scalars(numbers, int(self._global_step.numpy()))
