"""What a training starts from when its model directory holds no checkpoint."""

import tf_keras

from avatx.checkpoints import restore
from avatx.errors import UserError
from avatx.training.options import TrainOptions
from avatx.trunks.two_stream import TwoStream


def initialize(model: tf_keras.Model, options: TrainOptions) -> list[str]:
    """Loads `fine_tune_checkpoint`, and `fine_tune_flow_checkpoint`, into a built model.

    Returns:
      Lines that say what was loaded, what is new and what of the checkpoint was not used.

    Raises:
      UserError: the checkpoint is not there, is of another kind, or lacks part of the trunk or,
        for a head with a tail, of the tail.
    """
    source = options.fine_tune_checkpoint
    two_streams = isinstance(getattr(model, "trunk", None), TwoStream)
    if two_streams and options.fine_tune_checkpoint_type == "classification":
        return _initialize_streams(model, options)
    if not source:
        return ["fine_tune_checkpoint is empty: training from scratch"]
    if options.fine_tune_checkpoint_type == "classification":
        return _initialize_trunk(model.trunk, _tail_of(model), source)
    if options.fine_tune_checkpoint_type == "detection":
        return restore.restore_detector(model, source).lines(source)
    raise UserError(
        "train_config.fine_tune_checkpoint_type: "
        f"{options.fine_tune_checkpoint_type!r} is unknown; expected classification or detection"
    )


def _tail_of(model: tf_keras.Model):
    """A predictor that runs the blocks behind the trunk per region gets theirs, too."""
    return getattr(getattr(model, "box_predictor", model), "tail", None)


def _initialize_streams(model: tf_keras.Model, options: TrainOptions) -> list[str]:
    """Each stream of a two_stream trunk from a checkpoint of its own, or from scratch."""
    lines, tail = [], _tail_of(model)
    for stream, field in (("rgb", "fine_tune_checkpoint"), ("flow", "fine_tune_flow_checkpoint")):
        source = getattr(options, field)
        if source:
            lines += _initialize_trunk(
                getattr(model.trunk, stream), getattr(tail, stream, None), source, field
            )
        else:
            lines.append(f"{field} is empty: the {stream} trunk is trained from scratch")
    return lines


def _initialize_trunk(trunk, tail, source: str, field: str = "fine_tune_checkpoint") -> list[str]:
    from avatx.checkpoints import i3d_weights
    from avatx.trunks import i3d

    path = restore.resolve_checkpoint(source, f"train_config.{field}")
    parts = {"trunk": trunk}
    if tail is not None:
        parts["tail"] = tail
    restore.open_checkpoint(path)  # a damaged one is told before anything looks into it
    elsewhere = False
    if isinstance(trunk, i3d.I3D):
        i3d_weights.check_kind(trunk, path)
        elsewhere = i3d_weights.is_cut_elsewhere(trunk, tail, path)
    if elsewhere and restore.holds_averages(path):  # which Kinetics names do not find
        raise UserError(
            f"train_config.{field} = {path!r} holds averaged weights of an I3D with another "
            f"final_endpoint, and this model's is {trunk.final_endpoint}; expected the same one: "
            "set final_endpoint to the checkpoint's, or give weights by tools/import_i3d_weights.py"
        )
    report = None if elsewhere else restore.restore_parts(parts, path)
    if report is None:
        report = _restore_published(parts, path, field)
    if report.new:  # of the tail, for a trunk is covered whole
        raise UserError(
            f"train_config.{field} = {path!r} lacks {len(report.new)} of the "
            f"{len(tail.variables)} variables of the tail, the blocks that this model runs behind "
            f"its trunk, first {report.new[0]}: give the checkpoint of a whole video_classifier "
            'with this trunk, or set fine_tune_checkpoint_type: "detection", which takes of a '
            "training's checkpoint whatever fits"
        )
    return report.lines(source)


def _restore_published(parts, path: str, field: str) -> restore.RestoreReport:
    """By Kinetics names: a checkpoint that is none of ours, or of an I3D that is cut elsewhere."""
    from avatx.checkpoints import i3d_weights
    from avatx.trunks import i3d

    if not isinstance(parts["trunk"], i3d.I3D):
        raise UserError(
            f"train_config.{field} = {path!r} holds no trunk/..., and this model's is "
            f"{type(parts['trunk']).__name__}; expected a checkpoint of a video_classifier with "
            "this trunk"
        )
    loaded = i3d_weights.restore_trunk(parts["trunk"], parts.get("tail"), path)
    return restore.RestoreReport(*loaded)
