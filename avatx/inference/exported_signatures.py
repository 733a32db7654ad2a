"""What an export is asked by and answers, read in its file: its weights are not loaded."""

import os
from typing import NamedTuple, Protocol

from avatx import file_systems
from avatx.errors import UserError

PERSON_BOXES = "person_boxes"  # the input of a model that has to be told where people are
ATTENTION = "serving_attention"
_CLIPS = "clips"
_FLOW_CHANNELS = 5


class Exported(Protocol):
    """What a `Detector` says of its model, too."""

    @property
    def path(self) -> str:
        """Its folder."""

    @property
    def needs_boxes(self) -> bool:
        """Whether it has to be told where people are."""

    @property
    def has_attention(self) -> bool:
        """Whether it was exported with attention."""


class ExportedSignatures(NamedTuple):
    """As the attributes of the same names of `Detector`."""

    path: str
    needs_boxes: bool
    has_attention: bool
    has_flow: bool


def read_signatures(folder: str) -> ExportedSignatures | None:
    """Of a SavedModel's folder. None where it tells nothing: whoever loads it says what is wrong.

    A mistake about a model of many layers is so told before it is loaded, which takes its time.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        with file_systems.open_binary(os.path.join(folder, "saved_model.pb")) as file:
            graphs = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs
    except (OSError, UserError, ValueError, DecodeError):
        return None
    signatures = graphs[0].signature_def if graphs else {}
    if "serving_default" not in signatures or _CLIPS not in signatures["serving_default"].inputs:
        return None
    inputs = signatures["serving_default"].inputs
    sizes = [one.size for one in inputs[_CLIPS].tensor_shape.dim]
    return ExportedSignatures(
        folder,
        needs_boxes=PERSON_BOXES in inputs,
        has_attention=ATTENTION in signatures,
        has_flow=sizes[-1:] == [_FLOW_CHANNELS],
    )


def check_attention(model: Exported, argument: str = "attention") -> None:
    """Raises UserError for a model without attention, which `argument` asks for."""
    if not model.has_attention:
        raise UserError(
            f"{model.path}: exported without attention; export again with "
            f"tools/exporter_main.py --attention, or leave `{argument}` out"
        )
