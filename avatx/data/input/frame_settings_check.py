"""Whether records, and the config of a model, agree on how frames are taken.

What would train a model on something else than the config says is an error; what is only odd, such
as an evaluation on smaller frames, is a line to print. Nothing is said of what is not known.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from avatx.data.video.frame_settings import FIELDS, Known, differing, in_words
from avatx.errors import UserError

Found = Sequence[tuple[str, Known]]  # (path, what its records say), of each file of a set

_FLOW = "optical_flow"


def agreed(found: Found) -> Known:
    """What all files of a set say that say anything; None where they differ or none does."""
    said = {name: {known.get(name) for _, known in found} - {None} for name in FIELDS}
    return {name: values.pop() if len(values) == 1 else None for name, values in said.items()}


def check_train_records(found: Found, config: Mapping[str, Any], has_flow: bool) -> None:
    """Raises UserError where a model with this config must not be trained on these records.

    Args:
      found: the training records.
      config: a `Known`, what the config says.
      has_flow: whether the model has a flow stream; one without does not look at flow.
    """
    if has_flow and config.get(_FLOW) == "":
        raise UserError(
            "clip.frame_settings.optical_flow is empty, and the model's two_stream trunk takes "
            "optical flow: expected dis or farneback, as its records hold, or no such field"
        )
    _check_flow(found, config, has_flow)
    for path, known in found:
        for name in _differing(config, known, has_flow):
            raise UserError(
                f"clip.frame_settings.{name}: the config says {in_words(name, config[name])}, and "
                f"the training records {path} hold {in_words(name, known[name])}: expected the "
                "same; leave the field out of the config, or write the records again"
            )


def check_eval_records(found: Found, train: Known, has_flow: bool) -> None:
    """Raises UserError where a model trained like this must not be evaluated on these records.

    Args:
      found: the evaluation records.
      train: how the frames of its training were taken.
      has_flow: see `check_train_records`.
    """
    _check_flow(found, train, has_flow)


def notes(
    train: Found, evaluation: Found, trained: Known, has_flow: bool, clip_frame_rate: float
) -> list[str]:
    """Lines about what is odd.

    Args:
      train: the training records; none of a run that does not train.
      evaluation: the evaluation records, likewise.
      trained: how the frames of the training are taken: what the config says, else `train`.
      has_flow: see `check_train_records`.
      clip_frame_rate: frames a second of the model's clips.
    """
    lines = []
    for kind, found in (("training", train), ("evaluation", evaluation)):
        first: dict[str, tuple[str, Any]] = {}
        told = set()
        for path, known in found:
            for name in FIELDS:
                if known.get(name) is None or name in told or (name == _FLOW and not has_flow):
                    continue
                first_path, value = first.setdefault(name, (path, known[name]))
                if known[name] != value:
                    told.add(name)
                    lines.append(
                        f"the {kind} records differ: {first_path} holds {in_words(name, value)}, "
                        f"{path} {in_words(name, known[name])}"
                    )
    told = set()
    for path, known in evaluation:
        for name in _differing(trained, known, has_flow):
            if name not in told:
                told.add(name)
                lines.append(
                    f"the evaluation records {path} hold {in_words(name, known[name])}, and the "
                    f"model's training has {in_words(name, trained[name])}"
                )
    most = trained.get("max_frame_rate")
    if isinstance(most, (int, float)) and 0 < most < clip_frame_rate:
        lines.append(
            f"clip.frame_rate is {clip_frame_rate:g}, and the records hold at most {most:g} frames "
            "a second: clips repeat frames"
        )
    return lines


def _check_flow(found: Found, wanted: Mapping[str, Any], has_flow: bool) -> None:
    """Of a model with a flow stream: all records hold flow, computed in one way."""
    if not has_flow:
        return
    first, method = "", wanted.get(_FLOW) or None
    for path, known in found:
        flow = known.get(_FLOW)
        if flow == "":
            raise UserError(
                f"{path}: holds no optical flow, and the model's two_stream trunk takes it; write "
                "the records again with tools/create_ava_tfrecord.py --optical_flow dis"
            )
        if flow is not None and method is not None and flow != method:
            there = f"{first} has" if first else "the model was to be trained on"
            raise UserError(
                f"{path}: holds {in_words(_FLOW, flow)}, and {there} {in_words(_FLOW, method)}: "
                "expected one method; write the records again"
            )
        if method is None and flow is not None:
            first, method = path, flow


def _differing(one: Mapping[str, Any], other: Known, has_flow: bool) -> tuple[str, ...]:
    return tuple(name for name in differing(one, other) if has_flow or name != _FLOW)
