"""Charts as SVG: what they hold, with values missing, with nothing to draw."""

import xml.etree.ElementTree as ElementTree

import pytest
from PIL import ImageColor

from avatx.evaluation.false_positives import KINDS
from avatx.pictures import boxes, charts, colours
from avatx.pictures.analysis_page import GROUP_NAMES, KIND_NAMES

CHARTS = {
    "bars": lambda values, counts: charts.bars_with_line(
        "bars", ["one & two", "<three>"], values, counts, "mAP", "people"
    ),
    "classes": lambda values, counts: charts.class_bars(
        "classes",
        ["one & two", "<three>"],
        values,
        ["x", None],
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
    svg = charts.bars_with_line("bars", ["one"], [1.0], [1], "mAP", "people")
    root = ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="x"', 1))
    ticks = [text for text in root.itertext() if text.strip()]
    assert ticks.count("0.2") == 1  # of the mAP alone
    assert "people" in ticks


def test_a_colour_of_the_page_and_of_drawn_boxes_means_one_thing():
    of_groups = colours.group_colours(list(GROUP_NAMES))
    # The first of AVA's classes of each group, as boxes are drawn.
    drawn = {group: boxes.action_colour(i) for group, i in zip(of_groups, (1, 15, 64), strict=True)}
    assert {group: ImageColor.getrgb(colour) for group, colour in of_groups.items()} == drawn
    alone = colours.group_colours(["PERSON_INTERACTION"])
    assert alone == {"PERSON_INTERACTION": of_groups["PERSON_INTERACTION"]}
    others = colours.group_colours(["PERSON_MOVEMENT", "SPORT"])  # not AVA's: the series
    assert others == {"PERSON_MOVEMENT": colours.POSE, "SPORT": colours.WITH_OBJECTS}
    meanings = [*of_groups.values(), *colours.DETECTIONS, colours.NEUTRAL, colours.COUNT]
    assert len(set(meanings)) == len(meanings) == 3 + len(KINDS) + 2
    assert list(KINDS) == list(KIND_NAMES)


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
