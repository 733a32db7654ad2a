"""The whole state of a training from a checkpoint: weights, optimiser, averages, step.

Every variable is known by its path, so that what does not fit is found, and told by the setting
behind it, before the first is assigned. What may come and go between two starts: the moving average
of the weights and the loss scale of float16.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from avatx.checkpoints import finite
from avatx.checkpoints.reader import MODEL, CheckpointReader, variables_by_path
from avatx.checkpoints.report import misfit
from avatx.errors import UserError

# (field of the config, its value where the checkpoint was trained, its value now)
Changes = Sequence[tuple[str, str, str]]
_SLOT = "/.OPTIMIZER_SLOT/"
_AVERAGE = f"{_SLOT}optimizer/average"
_COUNTER = "save_counter"  # of tf.train.Checkpoint, made when it first saves
_AVERAGING = re.compile(r"(?<=optimizer/)ema_base_optimizer/")  # the optimiser below the average
_LOSS_SCALE = "optimizer/loss_scale/"
_GIVES_CLASSES = re.compile("/(logits|classify)/")
_HYPERPARAMETER = re.compile("optimizer/(momentum|beta_1|beta_2|decay)")


class TrainingState:
    """The variables of a `tf.train.Checkpoint` of `model`, `optimizer` and `global_step`."""

    def __init__(self, checkpoint: tf.train.Checkpoint):
        """Finds the variables; the optimiser's are made already."""
        self._checkpoint = checkpoint
        self._variables = _with_slots(checkpoint)
        self._averaged = any(path.endswith(_AVERAGE) for path in self._variables)

    def values(self) -> dict[str, np.ndarray]:
        """Path -> value now, of all variables."""
        return {path: variable.numpy() for path, variable in self._variables.items()}

    def restore(self, reader: CheckpointReader, changes: Callable[[], Changes]) -> list[str]:
        """Assigns every variable, or none.

        Args:
          reader: of the checkpoint.
          changes: () -> the settings that changed since it was written, as far as is known.

        Returns:
          Lines on what came or went since.

        Raises:
          DamagedCheckpoint: a value cannot be read.
          UserError: it is of another model or optimiser, or holds what is not finite.
        """
        values = reader.values()
        held = {_plain(path): list(np.shape(value)) for path, value in values.items()}
        ours = {_plain(path): variable for path, variable in self._variables.items()}
        self._check_fit(reader.path, ours, held, changes)
        remedy = "give another model directory, or move this checkpoint away to go on from another"
        finite.check(f"checkpoint {reader.path}", values, remedy)
        plain = {_plain(path): value for path, value in values.items()}
        for path, variable in ours.items():
            # The optimiser's momentum and betas are the config's, which may have changed.
            if path in plain and not _HYPERPARAMETER.fullmatch(path):
                variable.assign(plain[path])
        if _COUNTER in plain:
            self._checkpoint.save_counter.assign(plain[_COUNTER])
        return self._switched(ours, held)

    def _check_fit(self, path: str, ours, held, changes: Callable[[], Changes]) -> None:
        differing = _differing(ours, held)
        if differing.fits:
            return
        told = []
        known = changes()
        if differing.model:
            changed = [change for change in known if change[0].startswith("model.")]
            told.append(of_settings(changed) or _of_model(differing.model, held, ours))
        if differing.optimizer:
            changed = [change for change in known if change[0].startswith("train_config.optimizer")]
            told.append(of_settings(changed) or _of_optimizer(held, ours))
        raise UserError(
            f"{path} does not fit this pipeline.config: {'; '.join(told)}; set it back to go on "
            "with this training, or choose another model directory (fine_tune_checkpoint starts "
            "from these weights)"
        )

    def _switched(self, ours, held) -> list[str]:
        """Fills averages that the checkpoint lacks; says what came or went."""
        lines = []
        averages = [path for path in held if path.endswith(_AVERAGE)]
        if self._averaged and not averages:
            for path, variable in ours.items():
                if path.endswith(_AVERAGE):
                    variable.assign(ours[path.removesuffix(_AVERAGE)])
            lines.append("the moving average is new: the average begins at the weights of now")
        if averages and not self._averaged:
            lines.append(
                "the moving average is off now: training goes on from the trained weights, the "
                "checkpoint's averages are dropped"
            )
        scaled = [any(path.startswith(_LOSS_SCALE) for path in some) for some in (ours, held)]
        if scaled[0] != scaled[1]:
            lines.append(f"precision is {'' if scaled[0] else 'no longer '}float16 now")
        return lines


class _Differing(NamedTuple):
    """Paths that are on one side alone, or of another shape."""

    model: list[str]
    optimizer: list[str]

    @property
    def fits(self) -> bool:
        return not self.model and not self.optimizer


def _differing(ours: Mapping[str, tf.Variable], held: Mapping[str, list[int]]) -> _Differing:
    may_differ = (_COUNTER, _LOSS_SCALE)
    names = [
        path
        for path in [*ours, *(path for path in held if path not in ours)]
        if (path not in ours or held.get(path) != ours[path].shape.as_list())
        and not path.startswith(may_differ)
    ]
    model = [path for path in names if path.startswith(MODEL) and _SLOT not in path]
    inside = tuple(f"{path}{_SLOT}" for path in model)
    averages = {path for path in names if path.endswith(_AVERAGE)}
    rest = [path for path in names if path not in model and path not in averages]
    # Slots of a variable that differs itself say nothing of the optimiser.
    return _Differing(model, [path for path in rest if not path.startswith(inside)])


def of_settings(changed: Changes) -> str:
    """Settings that changed, with what they were and are; "" where there are none."""
    told = [f"{name} is {before} there and {now} here" for name, before, now in changed[:3]]
    more = [f"{len(changed) - 3} settings more"] if len(changed) > 3 else []
    return ", ".join(told + more)


def _of_optimizer(held, ours) -> str:
    """Where no setting is known to have changed: what the variables say."""
    slots = [{_slot_of(path) for path in some if _SLOT in path} for some in (held, ours)]
    there, here = (" and ".join(sorted(some - {"average"})) or "nothing" for some in slots)
    return f"train_config.optimizer keeps {there} of each weight there and {here} here"


def _of_model(names: list[str], held, ours) -> str:
    """As `_of_optimizer`."""
    both = [path for path in names if path in held and path in ours]
    if any(path.startswith(f"{MODEL}trunk/") for path in both):  # how wide it is says the trunk
        shapes = {path.removeprefix(MODEL): held[path] for path in both}
        variables = {path.removeprefix(MODEL): ours[path] for path in both}
        return misfit("the model", variables, shapes).removeprefix("the model: ")
    if both:
        what = "num_classes: " if all(_GIVES_CLASSES.search(path) for path in both) else ""
        name = both[0]
        return (
            f"{what}{len(both)} of the model's variables have another shape, first "
            f"{name.removeprefix(MODEL)}, {held[name]} there and {ours[name].shape.as_list()} here"
        )
    here, there = ([path for path in names if path in some] for some in (ours, held))
    return (
        f"of the model, {len(there)} variables are there alone and {len(here)} here alone, first "
        f"{names[0]}"
    )


def _slot_of(path: str) -> str:
    return path.rsplit("/", 1)[1]


def _plain(path: str) -> str:
    """A path as it is where no average is kept."""
    return _AVERAGING.sub("", path)


def _with_slots(checkpoint: tf.train.Checkpoint) -> dict[str, tf.Variable]:
    """Every variable of a checkpoint under its key: `variables_by_path`, and the slots."""
    found = variables_by_path(checkpoint)
    weights = {path: value for path, value in found.items() if path.startswith(MODEL)}
    below = getattr(checkpoint.optimizer, "_optimizer", None)
    averaged = "average" in checkpoint.optimizer.get_slot_names()
    optimizers = {"optimizer": checkpoint.optimizer}
    if averaged:
        optimizers["optimizer/ema_base_optimizer"] = below
    for name, optimizer in optimizers.items():
        for slot in optimizer.get_slot_names():
            for path, variable in weights.items():
                value = _slot(optimizer, variable, slot)
                if value is not None:
                    found[f"{path}{_SLOT}{name}/{slot}"] = value
    return found


def _slot(optimizer, variable, slot: str) -> tf.Variable | None:
    try:
        return optimizer.get_slot(variable, slot)
    except KeyError:  # it is not trained
        return None
