"""What a checkpoint filled and what it did not, and how one that does not fit is told."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

_SHOWN = 20  # names of each kind in a report


class RestoreReport(NamedTuple):
    """Which variables a checkpoint filled, by their path in the model."""

    loaded: list[str]
    new: list[str]  # of the model, not in the checkpoint: they keep their initial values
    unused: list[str]  # of the checkpoint, not in the model

    def lines(self, source: str) -> list[str]:
        """The report as lines of text."""
        lines = [
            f"{source}: {len(self.loaded)} variables loaded, {len(self.new)} new, "
            f"{len(self.unused)} of the checkpoint unused"
        ]
        for title, names in (("new", self.new), ("unused", self.unused)):
            more = [f"... and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
            lines += [f"  {title}: {name}" for name in names[:_SHOWN] + more]
        return lines


def misfit(
    checkpoint: str, ours: Mapping[str, tf.Variable], held: Mapping[str, Sequence[int]]
) -> str:
    """What to say of a checkpoint whose variables have other shapes than a model's.

    Args:
      checkpoint: its prefix.
      ours: the model's variables by path; at least one differs.
      held: path -> shape of the checkpoint's.
    """
    wrong = [n for n in ours if n in held and held[n] != list(ours[n].shape)]
    # The widest layer tells the ratio of the widths best: narrow ones are rounded.
    name = max(wrong, key=lambda n: (ours[n].shape.num_elements(), n))
    text = (
        f"{checkpoint}: {len(wrong)} variables have another shape, {name} is {held[name]} there "
        f"and {list(ours[name].shape)} here"
    )
    if all(n.startswith("logits/") for n in wrong):
        return f"{text}: set the model's num_classes to {held[name][-1]}, the checkpoint's"
    if ours[name].shape.rank and held[name] and ours[name].shape.rank == len(held[name]):
        ratio = held[name][-1] / ours[name].shape[-1]
        if ratio != 1:
            text += (
                f": the checkpoint's layers are {ratio:.4g} times as wide; set the trunk's "
                "depth_multiplier to that of the checkpoint"
            )
    return text
