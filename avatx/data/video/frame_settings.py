"""How frames are taken from a video: what training, evaluation and inference have to do alike.

One object for the tools that write records, for the records themselves (`to_dict` is part of a
record's provenance), for the config of a model and for what is exported of it.

What is read back may be known in part only, for older records and exports say less: that is a
`Known`, a dict in which None is "unknown".
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from avatx.data.video.optical_flow import METHODS
from avatx.errors import UserError

Known = dict[str, int | float | str | None]  # by field of FrameSettings; None: not known

_METHODS = " or ".join(METHODS)
_SLOWEST = 0.001  # frames a second; slower, and times leave the range of 64 bits
_OLD_NAMES = {"frames_rate": "folder_frame_rate"}  # in older plans and manifests


@dataclasses.dataclass(frozen=True)
class FrameSettings:
    """How frames are taken from a video.

    Attributes:
      shorter_side: pixels the shorter side is shrunk to, ratio kept, never enlarged; 0 leaves it.
      folder_frame_rate: frames a second of folders of frames; files and streams have their own
        clock.
      max_frame_rate: thin faster videos to this many frames a second; 0 keeps all frames.
      optical_flow: "dis" or "farneback" for the frames' flow, too; "" for none.
      video_start_seconds: the time, on the clock of the csv, of each video's first frame (900 for
        AVA's videos cut to their annotated 15 minutes).

    Raises:
      UserError: a value that no video can be read with.
    """

    shorter_side: int = 400
    folder_frame_rate: float = 30.0
    max_frame_rate: float = 0.0
    optical_flow: str = ""
    video_start_seconds: float = 0.0

    def __post_init__(self):
        for name, value in self.to_dict().items():
            check_value(name, value)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, by field."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FrameSettings":
        """`to_dict` backwards; what is absent or None has its default.

        Raises:
          UserError: a key that is no field, or a value that is none of its field's.
        """
        values = {_OLD_NAMES.get(name, name): value for name, value in values.items()}
        unknown = sorted(values.keys() - set(FIELDS))
        if unknown:
            raise UserError(f"frame settings: {unknown[0]!r} is unknown; expected {_NAMES}")
        return cls(**{name: value for name, value in values.items() if value is not None})

    def to_provenance(self, flow: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """`to_dict` for a record; `flow` says how its optical flow was made, None for none."""
        facts = self.to_dict()
        del facts["optical_flow"]
        return facts if flow is None else {**facts, "optical_flow": dict(flow)}

    def describe(self) -> str:
        """All of it, in words."""
        return ", ".join(in_words(name, value) for name, value in self.to_dict().items())

    def difference(self, other: "FrameSettings") -> str:
        """Where `other` differs, in words; "" if nowhere."""
        return difference(self.to_dict(), other.to_dict())


FIELDS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(FrameSettings))
_NAMES = ", ".join(FIELDS)


def check_value(name: str, value: Any) -> None:
    """Raises UserError for a value that the field cannot have."""
    expected = _expected(name, value)
    if expected:
        shown = f"{value:g}" if isinstance(value, float) else value
        raise UserError(f"{name} {shown}: expected {expected}")


def _expected(name: str, value: Any) -> str:
    """What is expected of the field; "" where the value is that. NaN fails every comparison."""
    if name == "optical_flow":
        return "" if value in ("", *METHODS) else f"{_METHODS}, or nothing for none"
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "shorter_side":
        good = number and isinstance(value, int) and value >= 0
        return "" if good else "pixels, 0 (leaves frames as they are) or more"
    if name == "folder_frame_rate":
        good = number and _SLOWEST <= value < 1e6
        return "" if good else f"frames a second, more than 0: {_SLOWEST:g} to {1e6:g}"
    if name == "max_frame_rate":
        good = number and (value == 0 or _SLOWEST <= value < 1e6)
        return "" if good else f"0 (all frames) or {_SLOWEST:g} or more frames a second"
    return "" if number and abs(value) < 1e9 else "seconds"


def for_model(
    trained: Mapping[str, Any], has_flow: bool, given: Mapping[str, Any] | None = None
) -> FrameSettings:
    """How to take frames for a model from a video of somebody's own.

    Args:
      trained: a `Known`, how frames were taken for its training. When its videos began on their
        csv's clock says nothing of other videos, so that part is left out.
      has_flow: whether it has a flow stream; if not, no flow is computed.
      given: the fields that somebody asks for; they win.

    Returns:
      What was given, else what is known, else the default (dis where flow is needed).

    Raises:
      UserError: a value that no video can be read with, or no flow where it is needed.
    """
    values = {"optical_flow": "dis"} if has_flow else {}
    for name, value in trained.items():
        if value is not None and name != "video_start_seconds":
            values[name] = value
    values.update(given or {})
    if not has_flow and (given or {}).get("optical_flow"):
        raise UserError(
            f"optical_flow {values['optical_flow']}: the model has no flow stream; leave it out"
        )
    if not has_flow:
        values["optical_flow"] = ""
    elif not values["optical_flow"]:
        raise UserError(
            f"optical_flow is empty, and the model has a flow stream: expected {_METHODS}"
        )
    return FrameSettings.from_dict(values)


def known_of_record(provenance: Mapping[str, Any]) -> Known:
    """What the provenance of a record says of how its frames were taken."""
    known: Known = {name: provenance.get(name) for name in FIELDS}
    flow = provenance.get("optical_flow")  # how it was made; absent where there is none
    if isinstance(flow, Mapping):
        known["optical_flow"] = flow.get("method")
    elif "shorter_side" in provenance:
        known["optical_flow"] = ""
    return {name: None if _expected(name, value) else value for name, value in known.items()}


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that both know, and differently."""
    pairs = ((name, one.get(name), other.get(name)) for name in FIELDS)
    return tuple(name for name, a, b in pairs if a is not None and b is not None and a != b)


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Where both know and differ, in words; "" if nowhere.

    As "frames of 400 pixels and frames of 256 pixels".
    """
    return "; ".join(
        f"{in_words(name, one[name])} and {in_words(name, other[name])}"
        for name in differing(one, other)
    )


def in_words(name: str, value: Any) -> str:
    """A noun for what the field's value makes of a video."""
    if value is None:
        return f"an unknown {name}"
    if name == "shorter_side":
        return f"frames of {value} pixels" if value else "frames of the video's own size"
    if name == "folder_frame_rate":
        return f"folders at {value:g} frames a second"
    if name == "max_frame_rate":
        return f"at most {value:g} frames a second" if value else "all frames of a video"
    if name == "optical_flow":
        return f"optical flow by {value}" if value else "no optical flow"
    return f"videos that begin at {value:g} s"
