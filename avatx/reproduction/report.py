"""What the runs in an output have come to: where they were made, and the paper's tables.

OUTPUT/results.md      the text
OUTPUT/results.json    row -> seed -> the content of its metrics.json
"""

import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from avatx.atomic_file import atomic_text_file
from avatx.errors import UserError
from avatx.reproduction import tables
from avatx.reproduction.experiments import Experiment
from avatx.reproduction.run import Run, finished, read_metrics


def write_report(
    asked: Sequence[Run],
    all_runs: Sequence[Run],
    output: pathlib.Path,
    note: str,
    experiments: Iterable[Experiment] = (),
) -> str:
    """Writes results.md and results.json of every run of the output that is done; returns the text.

    Args:
      asked: a mistake in one of these is an error.
      all_runs: these and whatever else may be in the output; of the others one that was made
        with something else is left out, and said to be.
      output: the folder of the runs, and of both files.
      note: what the tables' words of the paper mean in this suite.
      experiments: those of the suite; one without results is left out.

    Raises:
      UserError: nothing is done, or one of `asked` was made with something else.
    """
    results: tables.Results = {}
    records, left_out = [], []
    for run in all_runs:
        try:
            record = finished(run)
        except UserError:
            if run in asked:
                raise
            left_out.append(run.name)
            continue
        if record:
            results.setdefault(run.row, {})[run.seed] = read_metrics(run)
            records.append(record)
    if not records:
        raise UserError(f"{output}: no run is done yet, so there is nothing to report")
    if left_out:
        note += f"\n\nLeft out, made with another config or other weights: {', '.join(left_out)}."
    parts = (
        describe(records),
        note.strip(),
        tables.markdown(results),
        *(tables.of_experiment(experiment, results) for experiment in experiments),
    )
    text = "\n\n".join(filter(None, parts))
    with atomic_text_file(output / "results.md") as file:
        file.write(text)
    with atomic_text_file(output / "results.json") as file:
        json.dump(results, file, indent=1)
    return text


def describe(records: list[dict[str, Any]]) -> str:
    """Where the numbers come from, in a line."""
    rows, seeds = ({record[key] for record in records} for key in ("row", "seed"))
    minutes = sum(record["seconds"] for record in records) / 60
    parts = [f"{len(records)} runs of {len(rows)} rows, seeds {', '.join(map(str, sorted(seeds)))}"]
    for key in ("commit", "machine"):
        values = sorted({str(record.get(key, "unknown")) for record in records})
        parts.append(f"{key} {' and '.join(values)}")
    return "; ".join([*parts, f"{minutes:.0f} minutes of runs"]) + "."
