"""A checkpoint's variables by their path in the model: which it holds, and their values.

A training checkpoint holds `model`, `optimizer` (slots, iterations and, where there is one, the
moving average of the weights) and `global_step`.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras

from avatx.checkpoints import finite
from avatx.checkpoints.literal_paths import load_checkpoint
from avatx.errors import UserError, first_line

MODEL = "model/"  # where a training checkpoint holds the model
# What TensorFlow raises, depending on where a file was cut off or overwritten.
DAMAGE = (tf.errors.OpError, IndexError, RuntimeError)
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_AVERAGE = "/.OPTIMIZER_SLOT/optimizer/average" + _VALUE
_STEP = "global_step" + _VALUE


class DamagedCheckpoint(UserError):
    """A checkpoint that cannot be read, or not whole."""


class CheckpointReader:
    """Reads one checkpoint.

    Args:
      path: its prefix.

    Raises:
      DamagedCheckpoint: it cannot be read.
    """

    def __init__(self, path: str):
        self.path = path
        try:
            self._reader = load_checkpoint(path)
        except (*DAMAGE, ValueError) as error:
            raise DamagedCheckpoint(
                f"checkpoint {path} cannot be read: {first_line(error)}"
            ) from error

    def held(self, root: str = MODEL) -> dict[str, list[int]]:
        """Path below `root` -> shape, of every variable there; not the optimiser's slots."""
        return {
            key[len(root) : -len(_VALUE)]: shape
            for key, shape in self._reader.get_variable_to_shape_map().items()
            if key.startswith(root) and key.endswith(_VALUE) and ".OPTIMIZER_SLOT" not in key
        }

    @property
    def step(self) -> int:
        """At which it was written; 0 if it does not say."""
        return int(self._read(_STEP)) if self._reader.has_tensor(_STEP) else 0

    @property
    def holds_averages(self) -> bool:
        """Whether it holds averaged weights beside those that were trained."""
        return any(name.endswith(_AVERAGE) for name in self._reader.get_variable_to_shape_map())

    def assign(self, variables: Mapping[str, tf.Variable], root: str = MODEL) -> None:
        """Fills variables, each by its path below `root`: with its average where there is one.

        All are read before the first is assigned.

        Raises:
          DamagedCheckpoint: the values cannot be read.
          UserError: a value is NaN or infinite.
        """
        values = {}
        for name in variables:
            average = f"{root}{name}{_AVERAGE}"
            held = self._reader.has_tensor(average)
            values[name] = self._read(average if held else f"{root}{name}{_VALUE}")
        finite.check(f"checkpoint {self.path}", values, "give one from before it went wrong")
        for name, value in values.items():
            variables[name].assign(value)

    def values(self) -> dict[str, np.ndarray]:
        """Path -> value of all it holds: model, slots, optimiser, step.

        Raises:
          DamagedCheckpoint: one cannot be read, or what else is in its files.
        """
        everything = {key: self._read(key) for key in self._reader.get_variable_to_shape_map()}
        keys = sorted(key for key in everything if key.endswith(_VALUE))
        return {key.removesuffix(_VALUE): everything[key] for key in keys}

    def _read(self, key: str) -> np.ndarray:
        try:
            return self._reader.get_tensor(key)
        except DAMAGE as error:
            raise DamagedCheckpoint(
                f"checkpoint {self.path} is damaged: {first_line(error)}"
            ) from error


def variables_by_path(model: tf_keras.Model) -> dict[str, tf.Variable]:
    """Every variable under the path of attributes by which a checkpoint knows it."""
    found, seen, queue = {}, {id(model)}, [("", model)]
    while queue:  # breadth first, as tf.train.Checkpoint names its keys
        path, node = queue.pop(0)
        if isinstance(node, tf.Variable):
            found[path] = node
            continue
        for name, child in tf.train.TrackableView.children(node).items():
            if id(child) not in seen:
                seen.add(id(child))
                escaped = name.replace(".", "..").replace("/", ".S")
                queue.append((f"{path}/{escaped}" if path else escaped, child))
    return found
