"""Results of a benchmark as a table on stdout and as JSON."""

import json
from collections.abc import Mapping, Sequence

from avatx.atomic_file import atomic_text_file
from measuring import machine


def publish(
    benchmark: str,
    settings: Mapping,
    results: Sequence[Mapping],
    json_path: str | None = None,
    notes: Sequence[str] = (),
) -> dict:
    """Prints results and, where a path is given, writes them.

    Args:
      benchmark: name of the command.
      settings: what was asked for, JSON values.
      results: a row each; keys are the columns, those with lists or dicts are not printed.
      json_path: file to write.
      notes: sentences printed below, and written.

    Returns:
      What is written: `benchmark`, `machine`, `settings`, `results`, `notes`.
    """
    described = machine.describe()
    document = {
        "benchmark": benchmark,
        "machine": described,
        "settings": dict(settings),
        "results": [dict(result) for result in results],
        "notes": list(notes),
    }
    print(f"{benchmark}: {machine.in_words(described)}")
    print("  " + " ".join(f"{name}={value}" for name, value in settings.items()))
    print(table(results))
    for note in notes:
        print(note)
    if json_path:
        with atomic_text_file(json_path) as file:
            file.write(json.dumps(document, indent=1) + "\n")
    return document


def table(results: Sequence[Mapping]) -> str:
    """Aligned columns; a row has `-` where it lacks a key."""
    columns = list(
        dict.fromkeys(
            key
            for result in results
            for key, value in result.items()
            if not isinstance(value, (list, tuple, dict))
        )
    )
    lines = [columns]
    for result in results:
        lines.append([_shown(result.get(column)) for column in columns])
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _shown(value) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
