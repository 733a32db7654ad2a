"""What a training starts from when its model directory holds no checkpoint."""

import tf_keras

from avatx.checkpoints import published
from avatx.checkpoints.paths import resolve_checkpoint
from avatx.checkpoints.restore import restore_detector
from avatx.errors import UserError
from avatx.layers.batch_norm import FROZEN
from avatx.training.options import TrainOptions

# Of a trunk of several networks: which field names the checkpoint of each.
_FIELD_OF_STREAM = {"rgb": "fine_tune_checkpoint", "flow": "fine_tune_flow_checkpoint"}


def initialize(model: tf_keras.Model, options: TrainOptions) -> list[str]:
    """Loads `fine_tune_checkpoint`, and `fine_tune_flow_checkpoint`, into a built model.

    Returns:
      Lines that say what was loaded, what is new and what of the checkpoint was not used.

    Raises:
      UserError: the checkpoint is not there, is of another kind, or lacks part of the trunk or,
        for a head with a tail, of the tail.
    """
    source, kind = options.fine_tune_checkpoint, options.fine_tune_checkpoint_type
    if kind == "classification" and _streams_of(model):
        return [*_initialize_streams(model, options), *from_nothing(model, options)]
    if not source:
        return from_nothing(model, options)
    if kind == "classification":
        return _initialize_trunk(model.trunk, _tail_of(model), source)
    if kind == "detection":
        return restore_detector(model, source).lines(source)
    raise UserError(
        f"train_config.fine_tune_checkpoint_type: {kind!r} is unknown; expected classification or "
        "detection"
    )


def from_nothing(model: tf_keras.Model, options: TrainOptions) -> list[str]:
    """Lines that say what no checkpoint fills, and what to know of it."""
    streams = _streams_of(model)
    if streams and options.fine_tune_checkpoint_type == "classification":
        return [
            f"{field} is empty: the {stream} trunk is trained from scratch{_never_learnt(trunk)}"
            for stream, trunk in streams.items()
            if not getattr(options, field := _FIELD_OF_STREAM[stream])
        ]
    if options.fine_tune_checkpoint:
        return []
    return [f"fine_tune_checkpoint is empty: training from scratch{_never_learnt(model)}"]


def check_paths(options: TrainOptions) -> None:
    """Raises a UserError where a checkpoint that `initialize` would read is not there."""
    for field in dict.fromkeys(_FIELD_OF_STREAM.values()):
        if path := getattr(options, field):
            resolve_checkpoint(path, f"train_config.{field}")


def _streams_of(model: tf_keras.Model) -> dict[str, tf_keras.Model]:
    """The networks of a trunk of several, by name; none of any other."""
    return getattr(getattr(model, "trunk", None), "streams", {})


def _tail_of(model: tf_keras.Model):
    """A predictor that runs the blocks behind the trunk per region gets theirs, too."""
    return getattr(getattr(model, "box_predictor", model), "tail", None)


def _initialize_streams(model: tf_keras.Model, options: TrainOptions) -> list[str]:
    """Each network of the trunk from a checkpoint of its own, where there is one."""
    lines, tail = [], _tail_of(model)
    for stream, trunk in model.trunk.streams.items():
        field = _FIELD_OF_STREAM[stream]
        source = getattr(options, field)
        if source:
            lines += _initialize_trunk(trunk, getattr(tail, stream, None), source, field)
    return lines


def _never_learnt(model: tf_keras.Model) -> str:
    """What to know of a model that starts from nothing: the end of a sentence, mostly none."""
    parts = (model, *model.submodules)
    modes = [getattr(part, name, None) for part in parts for name in ("mode", "batch_norm")]
    if FROZEN not in modes:
        return ""
    return (
        ", with batch_norm FROZEN: its statistics stay 0 and 1, and nothing is normalised; give "
        "weights, or set the trunk's batch_norm to TRAINED"
    )


def _initialize_trunk(trunk, tail, source: str, field: str = "fine_tune_checkpoint") -> list[str]:
    field = f"train_config.{field}"
    path = resolve_checkpoint(source, field)
    report = published.fill(trunk, tail, path, field)
    if report.new:  # of the tail, for a trunk is covered whole
        raise UserError(
            f"{field} = {path!r} lacks {len(report.new)} of the {len(tail.variables)} variables "
            "of the tail, the blocks that this model runs behind its trunk, first "
            f"{report.new[0]}: give the checkpoint of a whole video_classifier with this trunk, or "
            'set fine_tune_checkpoint_type: "detection", which takes of a training\'s checkpoint '
            "whatever fits"
        )
    return report.lines(source)
