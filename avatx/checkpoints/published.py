"""How weights of another network fill a trunk, by its kind: where a new trunk registers its own.

Every trunk, and the tail that a head runs behind it, is filled by the paths of its variables from a
checkpoint of a `video_classifier` with that trunk. A trunk with published weights registers here
what else may fill it.
"""

import functools

import tf_keras

from avatx.checkpoints import i3d_weights
from avatx.checkpoints.reader import CheckpointReader
from avatx.checkpoints.report import RestoreReport
from avatx.checkpoints.restore import restore_parts
from avatx.errors import UserError
from avatx.trunks.i3d import I3D
from avatx.trunks.trunk import Trunk


@functools.singledispatch
def fill(trunk: Trunk, tail: tf_keras.layers.Layer | None, path: str, field: str) -> RestoreReport:
    """Fills a trunk that was built, and its tail where there is one.

    Args:
      trunk: covered whole.
      tail: what the checkpoint lacks of it is told in the report.
      path: the checkpoint's prefix.
      field: of the config that names the checkpoint, for messages.

    Raises:
      UserError: the checkpoint cannot be read or does not fit.
    """
    report = restore_parts(_parts(trunk, tail), path)
    if report is None:
        raise UserError(
            f"{field} = {path!r} holds no trunk/..., and this model's is {type(trunk).__name__}; "
            "expected a checkpoint of a video_classifier with this trunk"
        )
    return report


@fill.register
def _(trunk: I3D, tail: tf_keras.layers.Layer | None, path: str, field: str) -> RestoreReport:
    """An I3D is filled by Kinetics names, too, wherever another one is cut."""
    reader = CheckpointReader(path)  # a damaged one is told before anything looks into it
    i3d_weights.check_kind(trunk, path)
    if i3d_weights.is_cut_elsewhere(trunk, tail, path):
        if reader.holds_averages:  # which Kinetics names do not find
            raise UserError(
                f"{field} = {path!r} holds averaged weights of an I3D with another "
                f"final_endpoint, and this model's is {trunk.final_endpoint}; expected the same "
                "one: set final_endpoint to the checkpoint's, or give weights by "
                "tools/import_i3d_weights.py"
            )
        return i3d_weights.restore_trunk(trunk, tail, path)
    report = restore_parts(_parts(trunk, tail), path)
    return report or i3d_weights.restore_trunk(trunk, tail, path)


def _parts(trunk: Trunk, tail: tf_keras.layers.Layer | None) -> dict[str, tf_keras.layers.Layer]:
    return {"trunk": trunk} if tail is None else {"trunk": trunk, "tail": tail}
