"""Parts of a model that learn at a rate of their own.

Whatever the optimiser, its step is proportional to the learning rate (of SGD with momentum the
velocity, of AdamW the decay, too), so that a part of the step is a part of the rate.
"""

import re
from collections.abc import Sequence

import tensorflow as tf
import tf_keras

from avatx.errors import UserError


def factors_of(
    multipliers: Sequence[tuple[str, float]], variables: Sequence[tf.Variable]
) -> dict[str, float]:
    """Name of each variable that has a factor -> its factor.

    Args:
      multipliers: (regular expression, factor); the first that is found in a variable's name.
      variables: all that are trained.

    Raises:
      UserError: a pattern that no variable is left for.
    """
    factors, unused = {}, dict.fromkeys(pattern for pattern, _ in multipliers)
    for variable in variables:
        for pattern, factor in multipliers:
            if re.search(pattern, _name(variable)):
                unused.pop(pattern, None)
                factors[_name(variable)] = factor
                break
    if unused:
        names = [_name(variable) for variable in variables]
        raise UserError(
            f"train_config.optimizer.learning_rate_multiplier.pattern {next(iter(unused))!r}: "
            "found in no trained variable's name that is left for it; expected a part of one, "
            f"such as {names[0]} or {names[-1]}"
        )
    return factors


def apply(
    optimizer: tf_keras.optimizers.legacy.Optimizer,
    multipliers: Sequence[tuple[str, float]],
    variables: Sequence[tf.Variable],
) -> None:
    """Makes `optimizer`, any, move some variables by another part of its step: see `factors_of`."""
    factors = factors_of(multipliers, variables)
    if factors:
        kind = type(optimizer)
        optimizer.__class__ = type(f"Scaled{kind.__name__}", (_Scaled, kind), {})
        optimizer.factors = factors


class _Scaled(tf_keras.optimizers.legacy.Optimizer):
    """Moves variables of `factors`, by name, by that part of the step."""

    factors: dict[str, float]

    # Keras gives `apply_state` to methods that name it.
    def _resource_apply_dense(self, gradient, variable, apply_state=None):
        factor = self.factors.get(_name(variable), 1.0)
        if factor == 1.0:
            return super()._resource_apply_dense(gradient, variable, apply_state)
        before = tf.identity(variable)
        step = super()._resource_apply_dense(gradient, variable, apply_state)
        with tf.control_dependencies([step]):
            moved = before + factor * (variable.read_value() - before)
            return variable.assign(moved, read_value=False)

    def _resource_apply_sparse(self, gradient, variable, indices, apply_state=None):
        if self.factors.get(_name(variable), 1.0) != 1.0:
            raise NotImplementedError(f"{variable.name}: a sparse gradient at a rate of its own")
        return super()._resource_apply_sparse(gradient, variable, indices, apply_state)


def _name(variable: tf.Variable) -> str:
    """As the model has it: less what a distribution strategy adds."""
    return re.sub(r"(/replica_\d+)?:\d+$", "", variable.name)
