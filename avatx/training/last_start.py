"""What a model directory was started with the last time, and what is different now.

`pipeline.config` there says the settings, `inputs.json` the files that they name. Both are
written at each start of a training.
"""

import functools
import json
import os
from collections.abc import Mapping, Sequence

from avatx import file_systems
from avatx.atomic_file import atomic_text_file
from avatx.training.options import Experiment

CONFIG_FILE = "pipeline.config"
INPUTS_FILE = "inputs.json"
_MOST_TOLD = 5


class LastStart:
    """The settings and inputs of the last start of a training in `experiment.model_dir`."""

    def __init__(self, experiment: Experiment):
        self._experiment = experiment
        folder = experiment.model_dir
        self._config_path = os.path.join(folder, CONFIG_FILE)
        self._inputs_path = os.path.join(folder, INPUTS_FILE)
        # Read now, for starting the training writes them anew.
        self._config = _read(self._config_path)
        self._inputs = _read_inputs(self._inputs_path)

    def changed_settings(self) -> Sequence[tuple[str, str, str]]:
        """(field, its value then, its value now) of every setting that changed."""
        return self._experiment.changed_settings(self._config) if self._config else ()

    def lines(self) -> list[str]:
        """What changed since then, a line each for settings and inputs; none where nothing did."""
        settings = [f"{name} {then} -> {now}" for name, then, now in self.changed_settings()]
        inputs = [
            f"{field}: {what}"
            for field, files in self.input_files.items()
            if field in self._inputs and (what := _difference(self._inputs[field], files))
        ]
        lines = []
        for title, changed in (("settings", settings), ("data", inputs)):
            if changed:
                more = len(changed) - _MOST_TOLD
                told = changed[:_MOST_TOLD] + ([f"and {more} more"] if more > 0 else [])
                lines.append(f"{title} changed since the last start here: {'; '.join(told)}")
        return lines

    def write(self) -> None:
        """Notes what this start is with."""
        write_config(self._experiment)
        if self.input_files:
            with atomic_text_file(self._inputs_path) as file:
                json.dump(self.input_files, file, indent=1)

    @functools.cached_property
    def input_files(self) -> dict[str, dict[str, str]]:
        """`Experiment.input_files()`, looked at once."""
        return self._experiment.input_files()


def write_config(experiment: Experiment) -> None:
    """Writes the effective pipeline.config."""
    if experiment.config_text:
        with atomic_text_file(os.path.join(experiment.model_dir, CONFIG_FILE)) as file:
            file.write(experiment.config_text)


def _difference(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    changed = sum(name in now and now[name] != mark for name, mark in then.items())
    counts = (
        (changed, "changed"),
        (len(now.keys() - then.keys()), "new"),
        (len(then.keys() - now.keys()), "gone"),
    )
    told = [f"{count} {word}" for count, word in counts if count]
    return f"of {len(now)} files {', '.join(told)}" if told else ""


def _read(path: str) -> str:
    try:
        with file_systems.open_text(path) as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def _read_inputs(path: str) -> dict[str, dict[str, str]]:
    """Field -> file's name -> fingerprint; {} where none are known."""
    try:
        inputs = json.loads(_read(path))
    except ValueError:
        return {}
    whole = isinstance(inputs, dict) and all(isinstance(files, dict) for files in inputs.values())
    return inputs if whole else {}
