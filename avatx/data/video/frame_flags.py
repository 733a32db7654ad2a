"""`FrameSettings` as flags of a command line: one spelling, one help text, one set of messages."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from avatx.cli import Parser, arguments_are_flags
from avatx.data.video.frame_settings import FIELDS, check_value, differing, in_words

_HELP = {
    "shorter_side": "shrink frames to this, ratio kept, never enlarged; 0 leaves them",
    "folder_frame_rate": "frames a second of folders of frames",
    "max_frame_rate": "thin faster videos to this many frames a second; 0 keeps all",
    "optical_flow": "the flow from each frame to the next, too, by dis or farneback, for models "
    "with a flow stream",
    "video_start_seconds": "the csv's time of a video's first frame; 900 for AVA cut to 15 minutes",
}
_TYPES = {"shorter_side": int, "optical_flow": str}
_METAVARS = {
    "shorter_side": "PIXELS",
    "folder_frame_rate": "RATE",
    "max_frame_rate": "RATE",
    "optical_flow": "METHOD",
    "video_start_seconds": "SECONDS",
}
_OLDER = {"--frames_rate": "folder_frame_rate"}


def add_frame_flags(
    parser: Parser,
    names: Sequence[str] = FIELDS,
    *,
    default: str,
    defaults: Mapping[str, str] | None = None,
    older: Mapping[str, str] | None = None,
) -> None:
    """Adds a flag for each of the fields; one that is not given is None. See `given_settings`.

    Args:
      parser: gets the flags.
      names: fields of `FrameSettings`.
      default: what stands for a flag that is not given, for the help text.
      defaults: the same for single fields.
      older: {older flag: field}, also taken.
    """
    for name in names:
        parser.add_argument(
            f"--{name}",
            type=_TYPES.get(name, float),
            metavar=_METAVARS[name],
            help=f"{_HELP[name]} (default: {(defaults or {}).get(name, default)})",
        )
    of_names = {**_OLDER, **(older or {})}
    parser.older.update({flag: f"--{name}" for flag, name in of_names.items() if name in names})


def given_settings(flags: argparse.Namespace) -> dict[str, Any]:
    """The frame settings among parsed flags, by field: those alone that were given.

    Raises:
      UserError: a value that no video can be read with.
    """
    given = {name: getattr(flags, name, None) for name in FIELDS}
    given = {name: value for name, value in given.items() if value is not None}
    with arguments_are_flags(*FIELDS):
        for name, value in given.items():
            check_value(name, value)
    return given


def overridden(given: Mapping[str, Any], trained: Mapping[str, Any]) -> list[str]:
    """A line for each flag that was given and differs from what the model was trained with.

    Args:
      given: see `given_settings`.
      trained: a `Known`. When its videos began on their csv's clock is no matter of other videos.
    """
    return [
        f"--{name} {_shown(given[name])}: the model was trained on {in_words(name, trained[name])}"
        for name in differing(given, trained)
        if name != "video_start_seconds"
    ]


def _shown(value: Any) -> str:
    """As it would be typed."""
    return repr(value) if value == "" else f"{value:g}" if isinstance(value, float) else str(value)
