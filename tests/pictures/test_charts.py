"""Charts as SVG: what they hold, with values missing, with nothing to draw."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from avatx.pictures import charts
from avatx.pictures.colours import COUNT

CHARTS = {
    "bars": lambda values, counts: charts.bars_under_line(
        "bars", ["one & two", "<three>"], values, counts, "mAP", "people"
    ),
    "classes": lambda values, counts: charts.class_bars(
        "classes",
        ["one & two", "<three>"],
        values,
        ["#123456", "#654321"],
        {"x": "#123456", "y": "#abcdef"},
        counts,
        "AP",
        "labels",
    ),
    "stacked": lambda values, counts: charts.stacked_bars(
        "stacked", ["one & two", "<three>"], {"a": counts, "b": counts[::-1]}, "share"
    ),
    "matrix": lambda values, counts: charts.matrix(
        "matrix",
        ["one & two", "<three>"],
        ["one & two", "<three>"],
        [[value or 0.0 for value in values]] * 2,
        "does",
        "taken for",
    ),
}


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize(
    "values, counts",
    [
        ([0.25, 0.5], [10, 2000]),
        ([None, 1.0], [0, 3]),
        ([None, None], [0, 0]),
        ([0.0, 0.0], [5, 5]),
    ],
)
def test_a_chart_is_svg_with_its_words_as_text(name, values, counts):
    svg = CHARTS[name](values, counts)
    root = ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
    words = [text for text in root.itertext() if text.strip()]
    assert "one & two" in words and "<three>" in words
    assert "http" not in svg and root.get("role") == "img"
    assert "inf" not in svg and "nan" not in svg.replace("dominant", "")
    if name in ("bars", "classes") and None in values:
        assert "n/a" in words


def test_people_are_counted_in_whole_numbers():
    svg = charts.bars_under_line("bars", ["one"], [1.0], [1], "mAP", "people")
    root = ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
    ticks = [text for text in root.itertext() if text.strip()]
    assert ticks.count("0.2") == 1  # of the mAP alone
    assert "people" in ticks


def parsed(svg):
    return ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))


def points_of_the_line(root):
    """[N, 2], x and y of the green line's ends and bends."""
    style = f"fill: none; stroke: {COUNT}"
    (line,) = [path.get("d") for path in root.iter("path") if style in style_of(path)]
    return np.array(re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", line), float)


def style_of(element):
    return element.get("style") or ""


def boxes_of_numbers(root):
    """Text to x1, y1, x2, y2 of values written with two or three decimals; roughly, generously."""
    found = {}
    for text in root.iter("text"):
        if re.fullmatch(r"[01]\.\d\d\d?|n/a", (text.text or "").strip()):
            size = float(re.search(r"([\d.]+)px", style_of(text))[1])
            x, y = map(float, (text.get("x"), text.get("y")))
            width = 0.65 * size * len(text.text.strip())
            left = x - width / 2 if "middle" in style_of(text) else x
            found.setdefault((left, y - size, left + width, y + 0.2 * size), text.text)
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["bars", "classes"])
def test_the_line_runs_through_no_number(name, seed):
    random = np.random.default_rng(seed)
    count = 5 if name == "bars" else 12
    labels, values = [f"label {i}" for i in range(count)], list(random.uniform(0, 1, count))
    values[2] = None
    sizes = [int(size) for size in 10 ** random.uniform(0, 4, count)]
    if name == "bars":
        svg = charts.bars_under_line("bars", labels, values, sizes, "mAP", "people")
    else:
        svg = charts.class_bars("c", labels, values, ["#123456"] * count, {}, sizes, "AP", "labels")
    root = parsed(svg)
    numbers, line = boxes_of_numbers(root), points_of_the_line(root)
    assert len(line) == count and list(numbers.values()).count("n/a") == 1
    assert len(numbers) >= count
    along = np.linspace(line[:-1], line[1:], 200).reshape(-1, 2)
    for (left, top, right, bottom), text in numbers.items():
        inside = (along > [left - 1, top - 1]) & (along < [right + 1, bottom + 1])
        assert not inside.all(axis=1).any(), text


def test_ids_of_two_charts_differ():
    def ids(svg):
        root = ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
        return {element.get("id") for element in root.iter()} - {None}

    first = charts.matrix("first", ["a"], ["a"], [[1.0]], "x", "y")
    second = charts.matrix("second", ["a"], ["a"], [[1.0]], "x", "y")
    assert ids(first) and not ids(first) & ids(second)


def test_long_names_are_cut():
    assert charts.shortened("ride (e.g., a bike, a car, a horse)") == "ride (e.g., a bike, a car…"
    assert charts.shortened("stand") == "stand"
