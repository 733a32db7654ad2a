"""What is refused of the arguments of `create_project` before any work."""

import os
import re
from collections.abc import Mapping, Sequence

from avatx.errors import UserError, shown
from avatx.outputs import refuse_overwriting

# The ranges of a clip's fields in protos/clip.proto; a test compares them.
NUM_FRAMES = (1, 10_000)
FRAME_RATE = (0.001, 1000)

# In a pipeline.config a variable or a home folder is replaced by what it stands for, a comma is
# taken for one between two paths.
_REPLACED = re.compile(r"\$\w+|\$\{\w+\}|^~")
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def check_numbers(
    validation_share: float, num_frames: int | None, frame_rate: float | None
) -> None:
    """Raises UserError for one that is not in its range; None has none."""
    if not 0 < validation_share < 1:
        raise UserError(f"validation_share {validation_share:g}: expected above 0 and below 1")
    limits = (("num_frames", num_frames, NUM_FRAMES), ("frame_rate", frame_rate, FRAME_RATE))
    for name, value, (low, high) in limits:
        if value is not None and not low <= value <= high:
            raise UserError(f"{name} {value:g}: expected {low:g} to {high:g}")


def check_output(
    output: str, files: Sequence[str], inputs: Mapping[str, str | None], overwrite: bool
) -> None:
    """Raises UserError for a folder that a config cannot name, or where a file would be lost.

    Args:
      output: the folder.
      files: names of what is written to it.
      inputs: argument -> path of what is read, None where it is not given.
      overwrite: whether files of these names may be replaced; those that are read never are.
    """
    _check_path("output", output, ",")
    if os.path.lexists(output) and not os.path.isdir(output):
        raise UserError(f"output {output}: is a file; expected a folder, or a name for a new one")
    above = os.path.abspath(output)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above) or not os.access(above, os.W_OK):
        raise UserError(f"output {output}: cannot be made, for {above} is no folder to write to")
    refuse_overwriting([os.path.join(output, name) for name in files], inputs)
    there = [name for name in files if os.path.lexists(os.path.join(output, name))]
    if there and not overwrite:
        raise UserError(
            f"output {output}: holds {', '.join(there)}; give a new folder or `overwrite`"
        )


def check_weights(weights: str | None, from_scratch: bool) -> None:
    """Raises UserError for a checkpoint that is not there or that a config cannot name."""
    if weights and from_scratch:
        raise UserError("give either `weights` or `from_scratch`")
    if not weights:
        return
    _check_path("weights", weights, "")
    if not os.path.exists(f"{weights}.index"):
        raise UserError(
            f"weights {weights}: there is no {weights}.index; expected the prefix of a checkpoint"
        )


def _check_path(name: str, path: str, unfit: str) -> None:
    if not path:
        raise UserError(f"{name}: is empty; expected a path")
    found = next((one for one in path if one in unfit or _UNFIT.match(one)), "")
    replaced = _REPLACED.search(path)
    if replaced:
        found = replaced.group()
    if found:
        raise UserError(
            f"{name} {shown(path)}: holds {shown(found)}, which a pipeline.config would not take "
            "as it is; give another"
        )
