"""The paper's tables with our numbers beside the paper's, and which orderings hold."""

import statistics
from collections.abc import Iterable
from typing import Any

from avatx.reproduction import rows
from avatx.reproduction.experiments import Experiment
from avatx.reproduction.rows import Ordering, Table

# Row -> seed -> the content of metrics.json.
Results = dict[str, dict[int, dict[str, Any]]]

_METRIC_TITLES = {
    rows.MAP: "mAP",
    rows.PERSON_AP: "AP, IoU 0.5",
    rows.PERSON_AP_75: "AP, IoU 0.75",
}


def markdown(results: Results, tables=rows.TABLES, orderings=rows.ORDERINGS) -> str:
    """All tables of which there are results, the orderings, and AP by class.

    Numbers are percent: mean ± sample standard deviation over the seeds (n).
    """
    parts = [_table(table, results) for table in tables if _lines(table, results)]
    parts.append(_orderings(orderings, results))
    parts.append(_classes(results))
    return "\n\n".join(part for part in parts if part) + "\n"


def of_experiment(experiment: Experiment, results: Results) -> str:
    """Setting, prediction, the rows' numbers and the verdicts; "" of one without any result."""
    if not any(results.get(row) for row in experiment.rows):
        return ""
    metrics = (rows.MAP, rows.PERSON_AP, rows.PERSON_AP_75)
    body = [
        [f"`{row}`", *(_spread(results, row, metric) for metric in metrics)]
        for row in (*experiment.beside, *experiment.rows)
        if results.get(row)
    ]
    parts = [
        f"**{experiment.title}**",
        f"*Setting*: {experiment.setting}",
        f"*Prediction*: {experiment.prediction}",
        f"*Refuted by*: {experiment.refuted_by}",
        _grid(["row", *(_METRIC_TITLES[metric] for metric in metrics)], body),
        _orderings(experiment.orderings, results, title=""),
    ]
    return "\n\n".join(part for part in parts if part)


def compare(ordering: Ordering, results: Results) -> dict[str, Any] | None:
    """What our numbers say of a claim.

    Returns:
      `differences` (seed -> better minus the best of the others, in percent), their `mean` and
      `spread` (sample standard deviation; None of one seed), and the `verdict`: "holds" and
      "does not hold" where every seed says so, "undecided" otherwise and where there are fewer than
      two seeds. None where no seed has all rows of the claim.
    """
    of_rows = [results.get(name, {}) for name in (ordering.better, *ordering.others)]
    seeds = sorted(set.intersection(*(set(one) for one in of_rows)))
    differences = {}
    for seed in seeds:
        numbers = [one[seed].get(ordering.metric) for one in of_rows]
        known = [number for number in numbers if number is not None]
        if len(known) == len(numbers):
            better, *others = known
            differences[seed] = 100 * (better - max(others))
    if not differences:
        return None
    values = list(differences.values())
    verdict = "undecided"
    if len(values) > 1 and all(value > 0 for value in values):
        verdict = "holds"
    elif len(values) > 1 and all(value < 0 for value in values):
        verdict = "does not hold"
    return {
        "differences": differences,
        "mean": statistics.mean(values),
        "spread": statistics.stdev(values) if len(values) > 1 else None,
        "verdict": verdict,
    }


def _table(table: Table, results: Results) -> str:
    head = list(table.columns)
    for metric in table.metrics:
        head += [f"{_METRIC_TITLES[metric]}, paper", f"{_METRIC_TITLES[metric]}, ours"]
    body = []
    for line in _lines(table, results):
        cells = list(line.cells)
        for metric in table.metrics:
            cells += [f"{line.paper[metric]:.1f}", _spread(results, line.row, metric)]
        body.append([f"`{line.row}`", *cells])
    return f"**{table.title}**\n\n" + _grid(["config", *head], body)


def _lines(table: Table, results: Results):
    return [line for line in table.lines if results.get(line.row)]


def _spread(results: Results, row: str, metric: str) -> str:
    values = [one.get(metric) for one in results[row].values()]
    return describe(100 * value for value in values if value is not None)


def describe(values: Iterable[float]) -> str:
    """ "61.2 ± 0.8 (3)": mean, sample standard deviation, how many."""
    values = list(values)
    if not values:
        return "n/a"
    mean = statistics.mean(values)
    if len(values) == 1:
        return f"{mean:.1f} (1)"
    return f"{mean:.1f} ± {statistics.stdev(values):.1f} ({len(values)})"


def _orderings(orderings, results: Results, title="**The paper's orderings**\n\n") -> str:
    body = []
    for ordering in orderings:
        compared = compare(ordering, results)
        if compared is None:
            continue
        values = compared["differences"].values()
        body.append(
            [
                ordering.claim,
                " ".join(f"{value:+.1f}" for value in values),
                f"{compared['mean']:+.1f}",
                f"{sum(value > 0 for value in values)} of {len(values)}",
                compared["verdict"],
            ]
        )
    if not body:
        return ""
    head = ["claim", "difference, a seed each", "mean", "seeds for it", "verdict"]
    return title + _grid(head, body)


def _classes(results: Results) -> str:
    """AP by class, the mean over seeds."""
    names, of_row = {}, {}
    paper = [row for row in rows.ROWS if row in results]
    for row in paper or results:
        seeds = results[row]
        collected: dict[str, list[float]] = {}
        for metrics in seeds.values():
            for class_id, one in metrics.get("per_class", {}).items():
                if one["ap"] is not None:
                    names[class_id] = (one["name"], one["num_groundtruth"])
                    collected.setdefault(class_id, []).append(one["ap"])
        of_row[row] = {key: statistics.mean(values) for key, values in collected.items()}
    if not names:
        return ""
    body = [
        [name, str(count)]
        + [f"{100 * of_row[row][key]:.1f}" if key in of_row[row] else "n/a" for row in of_row]
        for key, (name, count) in sorted(names.items(), key=lambda item: int(item[0]))
    ]
    head = ["class", "groundtruth", *(f"`{row}`" for row in of_row)]
    return "**AP by class, mean over seeds**\n\n" + _grid(head, body)


def _grid(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
