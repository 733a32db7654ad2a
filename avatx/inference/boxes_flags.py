"""The flags that say where people are, of a tool that runs a model which has to be told."""

import argparse

from avatx import file_systems
from avatx.errors import UserError, relative_to
from avatx.inference.boxes_of_video import BoxesSettings


def add_boxes_flags(parser: argparse.ArgumentParser, default: str = "") -> None:
    """Adds --boxes and --boxes_score_threshold.

    Args:
      parser: of the tool.
      default: what is taken without --boxes, for the help.
    """
    parser.add_argument(
        "--boxes",
        metavar="FILE",
        help="where people are, of a model with proposal_source EXTERNAL: csv of AVA's detections, "
        f"COCO json or MOT txt, as tools/detect_people.py writes{default}",
    )
    parser.add_argument(
        "--boxes_score_threshold",
        type=float,
        help="of --boxes, leave out lower scores (default 0)",
    )


def given_boxes(arguments: argparse.Namespace) -> BoxesSettings | None:
    """What the flags say; None without --boxes.

    Raises:
      UserError: a threshold out of range, or of nothing; or the file is not there.
    """
    threshold = arguments.boxes_score_threshold
    if threshold is None:
        threshold = 0.0
    elif not arguments.boxes:
        raise UserError("--boxes_score_threshold is of --boxes, which is not there; give both")
    if not 0 <= threshold <= 1:
        raise UserError(f"--boxes_score_threshold {threshold}: expected 0 to 1")
    if arguments.boxes and not file_systems.is_file(arguments.boxes):
        raise UserError(f"--boxes {arguments.boxes}{relative_to(arguments.boxes)}: no such file")
    return BoxesSettings(arguments.boxes, threshold) if arguments.boxes else None
