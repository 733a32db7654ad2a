"""The tables and the verdicts, from metrics made up here."""

import pathlib

import pytest

from avatx.reproduction import rows, tables
from avatx.reproduction.rows import Ordering

ROOT = pathlib.Path(__file__).parents[2]


def metrics(value, person=0.9, strict=0.6):
    return {
        "mAP": value,
        "person_AP": person,
        "person_AP_75": strict,
        "per_class": {
            "12": {"name": "stand", "ap": value, "num_groundtruth": 7},
            "2": {"name": "crawl", "ap": value / 2, "num_groundtruth": 4},
            "80": {"name": "watch", "ap": None, "num_groundtruth": 0},
        },
    }


def test_every_row_has_its_configs():
    for folder in ("ava", "playground"):
        missing = [
            name
            for name in rows.ROWS
            if not (ROOT / "configs" / folder / f"{name}.config").exists()
        ]
        assert not missing, folder


def test_every_ordering_is_the_papers_own():
    """By the paper's numbers each claim is true, so that a slip of names or signs shows."""
    paper = {}
    for table in rows.TABLES:
        for line in table.lines:
            for metric, value in line.paper.items():
                assert paper.setdefault((line.row, metric), value) == value
    for ordering in rows.ORDERINGS:
        others = max(paper[other, ordering.metric] for other in ordering.others)
        assert paper[ordering.better, ordering.metric] > others, ordering.claim


@pytest.mark.parametrize(
    "first, second, verdict",
    [
        ((0.5, 0.6), (0.4, 0.5), "holds"),
        ((0.4, 0.5), (0.5, 0.6), "does not hold"),
        ((0.5, 0.5), (0.4, 0.6), "undecided"),
        ((0.5, 0.5), (0.5, 0.4), "undecided"),  # equal is not better
        ((0.5,), (0.4,), "undecided"),  # one seed says nothing of the spread
    ],
)
def test_verdict(first, second, verdict):
    results = {
        "a": {seed: metrics(value) for seed, value in enumerate(first)},
        "b": {seed: metrics(value) for seed, value in enumerate(second)},
    }
    compared = tables.compare(Ordering("a over b", "a", ("b",)), results)
    assert compared["verdict"] == verdict


def test_best_of_all_is_compared_seed_by_seed_with_the_best_other():
    results = {
        "a": {1: metrics(0.5), 2: metrics(0.5), 3: metrics(0.9)},
        "b": {1: metrics(0.3), 2: metrics(0.1)},
        "c": {1: metrics(0.1), 2: metrics(0.45)},
    }
    compared = tables.compare(Ordering("a best", "a", ("b", "c")), results)
    assert compared["differences"] == pytest.approx({1: 20.0, 2: 5.0})  # seed 3 lacks b and c
    assert compared["mean"] == pytest.approx(12.5)
    assert tables.compare(Ordering("a best", "a", ("b", "d")), results) is None


def test_tables_show_ours_beside_the_papers():
    results = {
        "i3d_gt": {1: metrics(0.50), 2: metrics(0.54)},
        "tx_highres_gt": {1: metrics(0.60)},
    }
    text = tables.markdown(results)
    assert "| `i3d_gt` | I3D | I3D | - | yes | 23.4 | 52.0 ± 2.8 (2) |" in text
    assert "| `tx_highres_gt` | I3D | Tx | HighRes | yes | 27.6 | 60.0 (1) |" in text
    assert "GT boxes: Tx HighRes over the I3D head | +10.0 | +10.0 | 1 of 1 | undecided" in text
    assert "Table 2" not in text and "LowRes" not in text  # nothing was run of them
    # By class id.
    assert "| crawl | 4 | 26.0 | 30.0 |\n| stand | 7 | 52.0 | 60.0 |" in text
    assert "watch" not in text
