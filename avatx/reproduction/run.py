"""One row with one seed: its files, what it was made with, and whether it is done.

    OUTPUT/rows/ROW/seed1/            the model directory
    OUTPUT/rows/ROW/seed1.begun       what it is made with, from its beginning
    OUTPUT/rows/ROW/seed1.log         what it printed
    OUTPUT/rows/ROW/seed1.json        its record: what it was made with, where, how long it took;
                                      written when it is done

Results of two configs, of other overrides or from other weights do not belong into one table: a
run that was made with something else than it would be now is an error. Its code is not looked at;
the record names the commit, and the report shows it.
"""

import hashlib
import json
import pathlib
import re
from typing import Any, NamedTuple

from avatx.atomic_file import atomic_text_file
from avatx.errors import UserError


class Run(NamedTuple):
    """One row with one seed."""

    row: str
    seed: int
    config_path: pathlib.Path
    overrides: tuple[str, ...]
    directory: pathlib.Path  # the model directory
    checkpoint_dir: pathlib.Path | None = None  # of the run that this one evaluates
    weights: pathlib.Path | None = None  # what training starts from: a directory or a prefix

    @property
    def name(self) -> str:
        return f"{self.row} seed {self.seed}"

    @property
    def record(self) -> pathlib.Path:
        return self.directory.with_name(self.directory.name + ".json")

    @property
    def log(self) -> pathlib.Path:
        return self.directory.with_name(self.directory.name + ".log")

    @property
    def begun(self) -> pathlib.Path:
        return self.directory.with_name(self.directory.name + ".begun")

    @property
    def metrics(self) -> pathlib.Path:
        return self.directory / "metrics.json"

    def made_with(self) -> dict[str, str]:
        """What decides the result -> its checksum. Comments of a config decide nothing."""
        text = re.sub(r"#[^\n]*", "", self.config_path.read_text(encoding="utf-8"))
        parts = {
            self.config_path.name: _checksum(" ".join(text.split()).encode()),
            "overrides": _checksum(json.dumps(self.overrides).encode()),
        }
        if self.weights is not None:
            parts["weights"] = _checksum_of_weights(self.weights)
        return parts


def finished(run: Run) -> dict[str, Any] | None:
    """The record of a run that is done, None of another, or if its metrics.json is gone.

    Raises:
      UserError: it was made, or only begun, with something else; or a file of it is damaged.
    """
    record = _read_json(run.record) if run.record.exists() else None
    if record is not None:
        used = record.get("made_with")
    elif run.begun.exists() and run.directory.exists():
        used = _read_json(run.begun)
    else:
        return None
    now = run.made_with()
    if used != now:
        used = used or {}
        other = [name for name in now if used.get(name) != now[name]] or sorted(used)
        raise UserError(
            f"{run.directory}: was made with other {' and '.join(other)}; remove it and the files "
            "beside it, or choose another `output`"
        )
    return record if record and run.metrics.exists() else None


def write_begun(run: Run) -> None:
    """Notes what the run is made with. Its folder is there."""
    with atomic_text_file(run.begun) as file:
        json.dump(run.made_with(), file, indent=1)


def write_record(run: Run, seconds: float, note: dict[str, Any]) -> None:
    """Marks the run as done, after `seconds` of its process."""
    content = {
        "row": run.row,
        "seed": run.seed,
        "made_with": run.made_with(),
        "overrides": run.overrides,
        "seconds": round(seconds),
        **note,
    }
    with atomic_text_file(run.record) as file:
        json.dump(content, file, indent=1)


def read_metrics(run: Run) -> dict[str, Any]:
    """The content of a finished run's metrics.json. Raises UserError if it is damaged."""
    return _read_json(run.metrics)


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({error}); remove it, and the run is made again or goes on"
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: holds no JSON object; remove it, and the run is made again or goes on"
        )
    return content


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _checksum_of_weights(path: pathlib.Path) -> str:
    """Of a checkpoint's index files, which hold a checksum of every tensor."""
    if path.is_dir():
        indices = sorted(path.glob("*.index"))
    else:
        indices = [path.with_name(path.name + ".index")]
    try:
        return _checksum(b"".join(index.read_bytes() for index in indices))
    except OSError as error:
        raise UserError(
            f"{error.filename}: cannot be read ({error.strerror}); these are the "
            "weights that the rows start from, which running the suite makes"
        ) from error
