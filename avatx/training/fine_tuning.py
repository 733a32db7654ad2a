"""What a training starts from when its model directory holds no checkpoint."""

from typing import List

import tf_keras

from avatx.errors import UserError
from avatx.training import restore
from avatx.training.options import TrainOptions


def initialize(model: tf_keras.Model, options: TrainOptions) -> List[str]:
    """Loads `fine_tune_checkpoint` into a built model.

    Returns:
      Lines that say what was loaded, what is new and what of the checkpoint was not used.

    Raises:
      UserError: the checkpoint is not there, is of another kind, or lacks part of the trunk.
    """
    source = options.fine_tune_checkpoint
    if not source:
        return ["fine_tune_checkpoint is empty: training from scratch"]
    if options.fine_tune_checkpoint_type == "classification":
        return _initialize_trunk(model, source)
    if options.fine_tune_checkpoint_type == "detection":
        return restore.restore_detector(model, source).lines(source)
    raise UserError(
        "train_config.fine_tune_checkpoint_type: "
        f"{options.fine_tune_checkpoint_type!r} is unknown; expected classification or detection"
    )


def _initialize_trunk(model: tf_keras.Model, source: str) -> List[str]:
    from avatx.trunks import i3d, i3d_weights

    if not isinstance(model.trunk, i3d.I3D):
        raise UserError(
            'train_config.fine_tune_checkpoint_type: "classification" fills an I3D trunk, and this '
            f"model's is {type(model.trunk).__name__}; use type detection"
        )
    # A predictor that runs the blocks behind the trunk per region gets theirs, too.
    tail = getattr(model.box_predictor, "tail", None)
    path = restore.resolve_checkpoint(source, "train_config.fine_tune_checkpoint")
    loaded = i3d_weights.restore_trunk(model.trunk, tail, path)
    return restore.RestoreReport(*loaded).lines(source)
