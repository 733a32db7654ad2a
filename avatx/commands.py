"""The sub-commands of `avatx`: a line each. A new tool in tools/ gets its line here."""

from typing import NamedTuple


class Command(NamedTuple):
    """A sub-command, and which of tools/ it is."""

    name: str  # of one word, or of two: a group and what is done in it
    tool: str  # the file in tools/, without .py
    summary: str  # half a line for `avatx --help`
    given: tuple[str, ...] = ()  # arguments that stand before the user's, who gives none of them
    doc: str = ""  # its help, where it is not the tool's docstring
    without: tuple[str, ...] = ()  # flags of the tool that mean nothing here


_EVALUATE = r"""Scores a trained checkpoint on the config's evaluation data.

    python tools/model_main.py --pipeline_config_path DIR/pipeline.config --model_dir DIR

Of the newest checkpoint in DIR, or of --checkpoint, a folder or a prefix; metrics.json and, of a
detector, detections.csv go to DIR.
"""

COMMANDS = (
    Command("init", "init_project", "own videos and annotations to a config that fits them"),
    Command("train", "model_main", "train, and evaluate in between"),
    Command(
        "evaluate",
        "model_main",
        "score a checkpoint",
        ("--mode", "eval"),
        _EVALUATE,
        without=("--eval_timeout",),
    ),
    Command("export", "exporter_main", "a trained model as a SavedModel"),
    Command("detect", "detect_video", "people and their actions in videos"),
    Command("score", "evaluate_csv", "score anybody's detection csv as AVA does"),
    Command("explore", "explore", "a page to look through what was detected, with attention"),
    Command("detect-people", "detect_people", "person boxes by any detector, for EXTERNAL models"),
    Command("analyze", "analyze", "where the errors of a detection csv are: a page"),
    Command("attention", "visualize_attention", "what a person attends to: the paper's figure 4"),
    Command("attention-shares", "measure_attention", "attention on whom a label is about"),
    Command("examples", "visualize_detections", "best and worst detections: figures 6 and 7"),
    Command("classify", "classify_video", "the class of a whole video"),
    Command("data import", "import_annotations", "CVAT, VIA, COCO or MOT annotations to AVA csv"),
    Command("data validate", "validate_csv", "bad rows of a csv by line, and what it holds"),
    Command("data records", "create_ava_tfrecord", "csv and videos to records for training"),
    Command("data labelled-records", "create_kinetics_tfrecord", "labelled videos to records"),
    Command("data playground", "make_playground", "a generated data set to try things on"),
    Command("config check", "check_config", "what a pipeline.config amounts to"),
    Command("config convert", "convert_config", "an Object Detection API config to ours"),
    Command("weights i3d", "import_i3d_weights", "published Kinetics weights to a checkpoint"),
    Command("weights kinetics-detector", "make_kinetics_detector", "a detector without training"),
    Command("reproduce", "reproduce", "the paper's tables on data that is at hand"),
    Command("demo", "demo", "the whole path on the playground, in minutes"),
    Command("demo-real", "demo_real", "real people and their actions, without training"),
)
BY_NAME = {command.name: command for command in COMMANDS}


def of_tool(tool: str) -> Command | None:
    """The first command that a file of tools/ is; None for one without a line here."""
    return next((command for command in COMMANDS if command.tool == tool), None)
