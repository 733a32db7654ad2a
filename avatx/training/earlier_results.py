"""The results of an earlier training whose checkpoints are gone: none of a new one's in its folder.

They would be taken for it: the last evaluation as made, the best checkpoint as the one to beat and
to export, TensorBoard's curves as its own. They are moved, not removed: the best checkpoint may be
all that is left, and TensorBoard shows the earlier curves as runs beside the new ones.
"""

import contextlib
import os
import re

import tensorflow as tf

from avatx.checkpoints.paths import BEST_DIRECTORY, BEST_INFORMATION
from avatx.checkpoints.saver import STATE_FILE
from avatx.evaluation.evaluation_run import DETECTIONS_FILE, METRICS_FILE
from avatx.training.best_checkpoint import CHECKPOINT_NAME
from avatx.training.evaluation_note import EVALUATION_FILE
from avatx.training.last_start import CONFIG_FILE

FOLDER = "earlier"  # and a number
_EVENTS_DIRECTORIES = ("train", "eval")
_EVENTS = re.compile(r"events\.out\.tfevents\..+")
_OF_BEST = re.compile(
    rf"{CHECKPOINT_NAME}-\d+\.(index|data-\d+-of-\d+)|{STATE_FILE}|{re.escape(BEST_INFORMATION)}"
)


def set_aside(model_dir: str) -> str:
    """Moves what an earlier training left, and copies its configuration, to a folder of its own.

    Files of other names stay. For whom begins a training in `model_dir`, before it writes events.

    Returns:
      The folder, in `model_dir`; "" where there is nothing of a training.
    """
    inside = [
        os.path.join(directory, name)
        for directory, pattern in (
            (BEST_DIRECTORY, _OF_BEST),
            *((directory, _EVENTS) for directory in _EVENTS_DIRECTORIES),
        )
        for name in sorted(_names_in(os.path.join(model_dir, directory)))
        if pattern.fullmatch(name)
    ]
    there = set(_names_in(model_dir))
    if not inside and EVALUATION_FILE not in there:
        return ""
    number = 1
    while f"{FOLDER}-{number}" in there:
        number += 1
    folder = os.path.join(model_dir, f"{FOLDER}-{number}")
    for directory in {"", *(os.path.dirname(name) for name in inside)}:
        tf.io.gfile.makedirs(os.path.join(folder, directory))
    if CONFIG_FILE in there:
        tf.io.gfile.copy(os.path.join(model_dir, CONFIG_FILE), os.path.join(folder, CONFIG_FILE))
    # What says that there is something goes last: whoever is killed before does the rest then.
    moved = [name for name in (METRICS_FILE, DETECTIONS_FILE) if name in there] + inside
    for name in [*moved, *({EVALUATION_FILE} & there)]:
        tf.io.gfile.rename(os.path.join(model_dir, name), os.path.join(folder, name))
    if "://" not in model_dir:
        with contextlib.suppress(OSError):  # only if it is empty
            os.rmdir(os.path.join(model_dir, BEST_DIRECTORY))
    return folder


def _names_in(folder: str) -> list[str]:
    try:
        return [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
    except (tf.errors.NotFoundError, tf.errors.FailedPreconditionError):  # or a file of the user's
        return []
