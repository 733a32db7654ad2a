"""The result of `avatx.evaluation.frame_map.evaluate` as a table for people and as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from avatx.atomic_file import atomic_text_file
from avatx.evaluation.metrics import IOU_THRESHOLDS
from avatx.results import print_result


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


def summary_line(result: dict[str, Any]) -> str:
    """The mean, over how many classes it is taken, and by which rules."""
    return (
        f"mAP@{result['iou_threshold']:g} {_number(result['mAP'])}, the mean over "
        f"{result['num_classes_with_groundtruth']} of {len(result['per_class'])} classes "
        f"(those with groundtruth), protocol {result['protocol']}"
    )


def localization_line(metrics: dict[str, Any]) -> str:
    """Person AP at both IoUs, from `avatx.evaluation.localization.evaluate_localization`."""
    numbers = [f"{_number(metrics[name])} at IoU {iou:g}" for name, iou in IOU_THRESHOLDS.items()]
    return f"person AP (action-agnostic) {', '.join(numbers)}"


def print_report(result: dict[str, Any], findings: Sequence[str] = (), console=None) -> None:
    """Prints the mean as a result; each class, and what `diagnose` found, on stderr."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(stderr=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", justify="right")
    table.add_column("class")
    for name in ("AP", "groundtruth", "detections", "true"):
        table.add_column(name, justify="right")
    for class_id, one in result["per_class"].items():
        table.add_row(
            class_id,
            Text(one["name"]),
            _number(one["ap"]),
            str(one["num_groundtruth"]),
            str(one["num_detections"]),
            str(one["num_true_positives"]),
            style="dim" if one["ap"] is None else None,
        )
    console.print(table)
    print_result(summary_line(result))
    for finding in findings:
        console.print(Text(f"note: {finding}", style="yellow"), soft_wrap=True)


def write_json(path, content: Any) -> None:
    """Writes JSON that is either wholly there or not at all. Refuses NaN."""
    with atomic_text_file(path) as file:
        json.dump(content, file, indent=1, allow_nan=False, ensure_ascii=False)
        file.write("\n")
