"""Numbers and pictures for TensorBoard, those of a step in one event each.

Each tensor that TensorFlow makes of a Python or numpy value keeps 0.37 kB for the life of the
process (2.16.2, CPython 3.11), and each plain number another 0.7 kB of a cache: `tf.summary.scalar`
makes 3 of them a call and `tf.summary.image` 21 (docs/reliability.md). An event here makes 3,
whatever it holds.
"""

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import orbit
import tensorflow as tf
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.image.metadata import create_summary_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.util.tensor_util import make_tensor_proto


def write_scalars(values: Mapping[str, Any], step: int) -> None:
    """Writes numbers by their tags to the default writer, as `tf.summary.scalar` would."""
    event = Summary()
    for tag, value in values.items():
        event.MergeFrom(scalar_pb(tag, float(np.asarray(value))))
    _write(event, step)


def write_pictures(pictures: Mapping[str, np.ndarray], step: int) -> None:
    """Writes [H, W, 3] uint8 by their tags to the default writer, as `tf.summary.image` would."""
    event = Summary()
    metadata = create_summary_metadata(None, None)
    for tag, picture in pictures.items():
        png = io.BytesIO()
        Image.fromarray(picture).save(png, "png")
        height, width = picture.shape[:2]
        content = [str(width).encode(), str(height).encode(), png.getvalue()]
        event.value.add(tag=tag, tensor=make_tensor_proto(content), metadata=metadata)
    _write(event, step)


def _write(event: Summary, step: int) -> None:
    if event.value:
        # As an array: a Python number would be kept in TensorFlow's cache.
        step = tf.convert_to_tensor(np.array(step, np.int64))
        tf.summary.experimental.write_raw_pb(event.SerializeToString(), step=step)


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
