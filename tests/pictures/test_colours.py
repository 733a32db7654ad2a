"""One colour for one class: in drawn boxes, in the explorer and on the page of an analysis."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageColor

from avatx.core.people import Action, Person
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap, read_label_map
from avatx.evaluation.analysis import analyze
from avatx.evaluation.false_positives import KINDS, describe_kinds
from avatx.explorer.page_data import page_data
from avatx.explorer.result import Result
from avatx.pictures import colours
from avatx.pictures.analysis_page import GROUP_NAMES, KIND_NAMES, analysis_page
from avatx.pictures.boxes import draw_people
from avatx.pictures.colours import OTHER_ACTION, POSE, WITH_OBJECTS, WITH_PEOPLE, class_colours

BOX = [0.3, 0.2, 0.8, 0.6]  # yxyx
AVA = {1: "bend/bow (at the waist)", 14: "walk", 15: "answer phone", 80: "watch (a person)"}
MAPS = {  # of classes whose ids lie in AVA's ranges
    "AVA": (AVA, [POSE, POSE, WITH_OBJECTS, WITH_PEOPLE]),
    "PETS09": ({1: "walk", 2: "stand", 3: "approach"}, [OTHER_ACTION] * 3),
    "Kinetics": ({1: "abseiling", 16: "archery", 70: "yoga", 400: "zumba"}, [OTHER_ACTION] * 4),
    "AVA's ids, other names": ({**AVA, 14: "swim"}, [OTHER_ACTION] * 4),
    "more than AVA's": ({**AVA, 81: "juggle"}, [OTHER_ACTION] * 5),
}


def drawn(class_id, name, of_classes):
    """The colour of a drawn person's box, hexadecimal."""
    person = Person(np.array(BOX), (Action(class_id, name),))
    picture = draw_people(np.zeros([101, 101, 3], np.uint8), [person], of_classes)
    return "#" + bytes(picture[78:81, 45].max(axis=0).tolist()).hex()


def in_the_explorer(names, groups=None):
    data = page_data(Result("", {"every": 1.0}, names, groups or {}, []))
    return [data["classes"][str(class_id)]["colour"] for class_id in names]


def bars_of_the_analysis(label_map):
    """The colours of the chart by class, class id to colour."""
    columns = zip(*[("v", 1, BOX, class_id) for class_id in label_map.names], strict=True)
    truth = AvaTable.from_columns(*columns)
    found = AvaTable.from_columns(
        *zip(*[("v", 1, BOX, i, 0.5) for i in label_map.names], strict=True)
    )
    numbers = analyze(truth, found, label_map)
    svg = re.search("<svg.*?</svg>", analysis_page(numbers, "", {}, describe_kinds(0.5)), re.S)[0]
    bars = re.findall(r'clip-path="[^"]*" style="fill: (#\w{6})"', svg)
    rows = numbers["by_class"][::-1]
    return {row["id"]: colour for row, colour in zip(rows, bars, strict=False)}


@pytest.mark.parametrize("name", MAPS)
def test_a_class_has_one_colour_everywhere(name):
    names, expected = MAPS[name]
    of_classes = class_colours(names)
    assert [of_classes[class_id] for class_id in names] == expected
    assert [drawn(class_id, name, of_classes) for class_id, name in names.items()] == expected
    assert in_the_explorer(names) == expected
    bars = bars_of_the_analysis(LabelMap(names))
    assert [bars[class_id] for class_id in names] == expected


def test_all_classes_of_ava_have_the_colour_of_their_group():
    label_map = read_label_map(Path(__file__).parents[1] / "golden/ava/label_map.pbtxt")
    assert len(label_map) == 60
    for class_id, colour in class_colours(label_map.names).items():
        expected = POSE if class_id <= 14 else WITH_OBJECTS if class_id <= 63 else WITH_PEOPLE
        assert colour == expected, class_id


@pytest.mark.parametrize("ids", [(1, 2, 3, 4), (4, 2, 3, 1)])
def test_a_label_map_says_so_itself_everywhere(ids):
    groups = {4: "WORK", 1: "SPORT", 2: "PERSON_INTERACTION"}
    own = LabelMap({i: f"action {i}" for i in ids}, {i: groups[i] for i in ids if i in groups})
    bars = bars_of_the_analysis(own)
    assert [bars[i] for i in (1, 2, 3, 4)] == ["#d55e00", WITH_PEOPLE, OTHER_ACTION, "#0080c8"]
    # Of an export the order of the file is not known.
    of_classes = class_colours(dict(sorted(own.names.items())), own.groups)
    assert of_classes == bars
    for class_id, name in own.names.items():
        assert drawn(class_id, name, of_classes) == bars[class_id]
    assert in_the_explorer(own.names, own.groups) == [bars[class_id] for class_id in ids]


def test_a_colour_has_one_meaning():
    of_ava = colours.group_colours(list(GROUP_NAMES))
    assert list(of_ava.values()) == [POSE, WITH_OBJECTS, WITH_PEOPLE]
    assert colours.group_colours(["PERSON_INTERACTION"]) == {"PERSON_INTERACTION": WITH_PEOPLE}
    for groups in (["SPORT", "PERSON_MOVEMENT", "WORK"], list("abcde"), [*GROUP_NAMES, "a", "b"]):
        of_groups = colours.group_colours(groups)
        assert list(of_groups) == groups and len({*of_groups.values()}) == len(groups)
        assert all(of_groups[group] == of_ava[group] for group in set(groups) & set(of_ava))
    assert colours.group_colours(list("abcdefg"))["g"] == OTHER_ACTION
    meanings = [*of_ava.values(), OTHER_ACTION, *colours.DETECTIONS, colours.NEUTRAL, colours.COUNT]
    meanings += [colours.RIGHT, colours.WRONG, colours.ANNOTATED]
    assert len(set(meanings)) == len(meanings) == 4 + len(KINDS) + 2 + 3
    assert list(KINDS) == list(KIND_NAMES)


def luminance(colour):
    levels = np.array(ImageColor.getrgb(colour)) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_labels_can_be_read():
    """By the contrast that WCAG 2 asks of text, 4.5 to 1."""
    for colour in {*colours.group_colours([*GROUP_NAMES, *"abcde"]).values(), OTHER_ACTION}:
        assert (luminance(colour) + 0.05) / 0.05 >= 4.5  # black text
    for colour in (colours.RIGHT, colours.WRONG, colours.ANNOTATED):
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5  # white text
