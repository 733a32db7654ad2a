"""Labels: beside their boxes, off heads, off each other, within the picture."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from avatx.core.people import Action, Person
from avatx.pictures.boxes import (
    draw_label,
    draw_people,
    label_places,
    load_font,
    minor_people,
    row_height,
    short_name,
)
from avatx.pictures.labels import PlacedLabel, place_labels

SIZE = (200, 300)


def shared(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0, width) * max(0, height)


def random_scene(seed, count):
    random = np.random.default_rng(seed)
    centres = random.uniform([20, 40], [280, 160], [count, 2])
    sides = random.uniform([10, 30], [40, 80], [count, 2])
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
    widths = [list(random.uniform(30, 110, random.integers(1, 4))) for _ in range(count)]
    return np.clip(boxes, 0, [299, 199, 299, 199]), widths


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("seed", range(8))
def test_no_label_covers_a_head_or_a_label_and_all_are_in_the_picture(count, seed):
    boxes, widths = random_scene(seed, count)
    placed = place_labels(boxes, widths, 12.0, SIZE)
    assert all(placed)
    for i, label in enumerate(placed):
        x1, y1, x2, y2 = label.rectangle
        assert 0 <= x1 < x2 <= 300 and 0 <= y1 < y2 <= 200
        assert (x2 - x1, y2 - y1) == pytest.approx(
            (max(widths[i][: label.num_rows]), 12 * label.num_rows)
        )
        for left, top, right, bottom in boxes:
            assert shared(label.rectangle, (left, top, right, top + (bottom - top) / 3)) == 0
        assert all(shared(label.rectangle, other.rectangle) == 0 for other in placed[:i])


def test_places_in_order_of_liking():
    alone = place_labels([(100, 80, 140, 160)], [[60.0]], 12.0, SIZE)[0]
    assert alone == ((100, 68, 160, 80), 1, None)  # above
    at_the_top = place_labels([(100, 0, 140, 160)], [[60.0]], 12.0, SIZE)[0]
    assert at_the_top.rectangle == (100, 161, 160, 173)  # below
    tall = place_labels([(100, 0, 140, 199)], [[60.0]], 12.0, SIZE)[0]
    assert tall.rectangle == (141, 0, 201, 12)  # at the right
    at_the_right = place_labels([(260, 0, 299, 199)], [[60.0]], 12.0, SIZE)[0]
    assert at_the_right.rectangle == (200, 0, 260, 12)  # at the left


def test_a_label_away_from_its_box_has_a_line_into_it():
    # Six people in a row, side by side: the labels are four times as wide as they are.
    boxes = [(60 + 30 * i, 90, 86 + 30 * i, 150) for i in range(6)]
    placed = place_labels(boxes, [[110.0, 90.0]] * 6, 12.0, SIZE)
    assert all(label.num_rows == 2 for label in placed)
    away = [i for i, label in enumerate(placed) if label.leader]
    assert away
    for i in away:
        x1, y1, x2, y2 = placed[i].leader
        left, top, right, bottom = placed[i].rectangle
        assert left <= x1 <= right and top <= y1 <= bottom
        assert boxes[i][0] < x2 < boxes[i][2] and 110 <= y2 < 150  # below the head


def test_where_there_is_no_room_lines_are_lost_then_heads_hidden_then_labels_left_out():
    # A head over the whole picture but for 30 pixels at the bottom: two of four lines.
    heads = [(0, 0, 300, 510), (0, 0, 10, 3)]
    fewer = place_labels(heads, [[], [60.0] * 4], 15.0, SIZE)[1]
    assert fewer.num_rows == 2 and fewer.rectangle[1] >= 170
    everywhere = [(0, 0, 300, 600)]
    assert place_labels(everywhere, [[60.0]], 15.0, SIZE)[0].num_rows == 1
    # 13 rows of the picture's width, and then there is none.
    full = place_labels(everywhere * 14, [[300.0]] * 14, 15.0, SIZE)
    assert [label is not None for label in full].count(True) <= 13 and full[-1] is None
    assert place_labels([(0, 0, 10, 10)], [[301.0]], 12.0, SIZE) == [None]  # wider than it
    assert place_labels([], [], 12.0, SIZE) == []


def test_a_low_score_on_a_better_box_is_thin_and_has_no_label():
    def person(box, score):
        return Person(np.array(box), (Action(1, "stand", score),) if score else ())

    good, low = person([0.2, 0.2, 0.8, 0.5], 0.9), person([0.25, 0.2, 0.8, 0.55], 0.3)
    near, beside = person([0.25, 0.2, 0.8, 0.55], 0.6), person([0.2, 0.5, 0.8, 0.8], 0.1)
    assert minor_people([good, low, near, beside]) == [False, True, False, False]
    nothing = Person(good.box, ())
    truth = Person(good.box, (Action(1, "stand"),))
    assert minor_people([truth, truth, nothing, nothing]) == [False] * 4
    places = label_places([good, low], 200, 300)
    assert places[0] is not None and places[1] is None
    drawn = draw_people(np.zeros([200, 300, 3], np.uint8), [good, low], {})
    right = round(0.55 * 299)
    assert drawn[150, right].any() and not drawn[150, right - 1].any()  # one pixel wide


def test_numbers_stand_first_and_long_names_lose_their_examples():
    person = Person(np.array([0.4, 0.4, 0.8, 0.6]), (Action(79, "talk to", 0.9),))
    bare, numbered = (
        label_places([one], 200, 300)[0].rectangle for one in (person, person._replace(track=12))
    )
    assert numbered[2] - numbered[0] > bare[2] - bare[0] + 10
    assert short_name("talk to (e.g., self, a person, a group)") == "talk to"
    assert short_name("watch (e.g., TV)") == "watch (e.g., TV)"
    assert (
        short_name("give/serve (an object) to (a person)") == "give/serve (an object) to (a person)"
    )


@pytest.mark.parametrize("size", [10, 14, 24])
def test_letters_lie_within_their_line(size):
    font = load_font(size)
    row = row_height(font)
    picture = Image.new("L", (99, int(3 * row)), "white")
    label = PlacedLabel((0, 0, 99, row), 1, None)
    draw_label(ImageDraw.Draw(picture), label, ["H(gp"], ["white"], font)
    (ink,) = np.nonzero((np.asarray(picture) < 128).any(axis=1))
    above, below = ink[0], row - 1 - ink[-1]
    assert below >= 1 and abs(above - below) <= 1
