"""Labels on the picture: clear of heads, lines and each other. Work a frame: of what is seen."""

import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from explored_result import write_result
from page_in_browser import Page

from avatx.explorer.explorer import write_explorer
from avatx.explorer.result import read_result

DRAW = """([people, width, height, chosen, keep]) => {
  const canvas = document.createElement('canvas');
  canvas.width = width; canvas.height = height;
  const context = canvas.getContext('2d'), calls = [];
  for (const name of ['stroke', 'fillText']) {
    const own = context[name].bind(context);
    context[name] = (...values) => { calls.push(name); own(...values); };
  }
  const frame = { x: 0, y: 0, w: width, h: height };
  const labels = Drawing.draw(context, frame, people, { chosen, keep });
  return { labels, calls };
}"""


def crowd(rng, number, num_labels=2):
    """People of all places and sizes, some in front of others."""
    heights = rng.uniform(0.1, 0.4, number)
    widths = heights * rng.uniform(0.2, 0.35, number)
    tops, lefts = rng.uniform(0, 1 - heights), rng.uniform(0, 1 - widths)
    labels = [{"text": f"{i} · watch (a person) 0.5{i}", "colour": "#ffffff"} for i in range(3)]
    return [
        {
            "key": i + 1,
            "box": [float(v) for v in (top, left, top + height, left + width)],
            "labels": labels[:num_labels],
            "colour": "#ff0000",
        }
        for i, (top, left, height, width) in enumerate(
            zip(tops, lefts, heights, widths, strict=True)
        )
    ]


def drawn(page, people, width, height, chosen=None, keep=False):
    found = page.page.evaluate(DRAW, [people, width, height, chosen, keep])
    labels = [(at["x"], at["y"], at["x"] + at["w"], at["y"] + at["h"]) for at in found["labels"]]
    return found, np.array(labels).reshape(-1, 4)


def shared(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    return float(np.prod(np.maximum(sides, 0)))


def heads(people, width, height):
    boxes = np.array([person["box"] for person in people])
    tall = (boxes[:, 2] - boxes[:, 0]) / 3
    x1, x2 = boxes[:, 1] * width, boxes[:, 3] * width
    return np.stack([x1, boxes[:, 0] * height, x2, (boxes[:, 0] + tall) * height], axis=1)


def passes(line, rectangle):
    """Whether a leader comes into a label, by points along it."""
    points = np.linspace([line["x1"], line["y1"]], [line["x2"], line["y2"]], 500)
    inside = (points > rectangle[:2]) & (points < rectangle[2:])
    return bool(inside.all(axis=1).any())


@pytest.mark.parametrize("width, height", [(370, 278), (740, 416)])
def test_no_label_lies_on_a_head_or_another_or_outside(page, width, height):
    for seed in range(12):
        people = crowd(np.random.default_rng(seed), 3 + 2 * seed)
        found, labels = drawn(page, people, width, height, chosen=2)
        assert labels.min() >= 0 and (labels[:, 2:] <= [width + 0.01, height + 0.01]).all()
        for i, label in enumerate(labels):
            assert all(shared(label, head) == 0 for head in heads(people, width, height))
            assert all(shared(label, other) == 0 for other in labels[:i])
        # Lines are drawn before the first number, so that none runs over one.
        first = found["calls"].index("fillText")
        assert "stroke" not in found["calls"][first:]


@pytest.mark.parametrize("width, height, number", [(370, 278, 6), (740, 416, 10)])
def test_where_there_is_room_all_have_a_label_and_no_line_meets_another_label(
    page, width, height, number
):
    leaders = 0
    for seed in range(12):
        people = crowd(np.random.default_rng(seed), number)
        found, labels = drawn(page, people, width, height)
        assert len(labels) == number
        for i, label in enumerate(found["labels"]):
            if label["line"] is not None:
                leaders += 1
                others = np.delete(labels, i, axis=0)
                assert not any(passes(label["line"], other) for other in others), (seed, i)
    assert leaders > 5  # else there was nothing to look at


@pytest.mark.parametrize("width, height", [(370, 660), (740, 416)])
def test_of_a_name_that_is_too_long_the_score_stays(page, width, height):
    people = crowd(np.random.default_rng(0), 2, num_labels=2)
    people[0]["labels"][0]["text"] = f"1 · {'talk to, about or with somebody else ' * 5}~0.97"
    people[0]["labels"][1]["text"] = "walk 0.50"
    found, labels = drawn(page, people, width, height, chosen=1)
    assert labels.min() >= 0 and (labels[:, 2:] <= [width + 0.01, height + 0.01]).all()
    (first,) = [label for label in found["labels"] if label["key"] == 1]
    long, short = (line["text"] for line in first["texts"])
    assert long.startswith("1 · talk to") and long.endswith("… ~0.97") and short == "walk 0.50"
    assert first["w"] <= max(220, width / 2)


def test_the_chosen_person_has_more_lines_and_a_small_picture_fewer(page):
    (person,) = crowd(np.random.default_rng(0), 1, num_labels=3)
    person["box"] = [0.5, 0.4, 0.8, 0.5]
    lines = {
        (width, chosen): len(
            drawn(page, [person], width, width * 0.6, chosen)[0]["labels"][0]["texts"]
        )
        for width in (370, 740)
        for chosen in (None, 1)
    }
    assert lines == {(370, None): 1, (370, 1): 3, (740, None): 3, (740, 1): 3}


def test_while_it_plays_a_label_goes_with_its_box(page):
    width, height = 740, 416
    jumps = {True: 0, False: 0}
    for keep in jumps:
        for seed in range(6):
            people = crowd(np.random.default_rng(seed), 8)
            offsets: dict[int, tuple] = {}
            for step in range(12):  # half of them walk to the right, some 3 pixels a frame
                for person in people[::2] if step else ():
                    person["box"][1::2] = [v + 0.004 for v in person["box"][1::2]]
                found, labels = drawn(page, people, width, height, keep=keep and step > 0)
                assert not any(
                    shared(label, head) for label in labels for head in heads(people, width, height)
                )
                for label in found["labels"]:
                    box = people[label["key"] - 1]["box"]
                    offset = (label["x"] - width * box[1], label["y"] - height * box[0])
                    was = offsets.setdefault(label["key"], offset)
                    jumps[keep] += np.hypot(*np.subtract(offset, was)) > 10
                    offsets[label["key"]] = offset
    assert jumps[True] < jumps[False] / 2, jumps


PLAIN = (Path(__file__).parents[1] / "helpers" / "plain_labels.js").read_text()
BOTH = """([people, width, height, chosen]) => {
  const context = document.createElement('canvas').getContext('2d');
  const frame = { x: 0, y: 0, w: width, h: height };
  const quick = Drawing.draw(context, frame, people, { chosen, keep: false });
  const plain = plainLabels(context, frame, people, chosen);
  return [quick, plain].map((labels) => labels.map(({ key, x, y, w, h }) => [key, x, y, w, h]));
}"""


@pytest.mark.parametrize("number", [1, 8, 24])
@pytest.mark.parametrize("width, height", [(370, 278), (740, 416), (1280, 720)])
def test_labels_lie_where_a_plain_search_finds_the_best_places(page, number, width, height):
    page.run(f"{PLAIN}; null")
    for seed in range(8):
        people = crowd(np.random.default_rng(100 + seed), number)
        quick, plain = page.page.evaluate(BOTH, [people, width, height, 1 if seed % 2 else None])
        assert len(quick) == len(plain) > 0
        np.testing.assert_allclose(quick, plain, atol=1e-6)


def test_texts_are_measured_once(page):
    page.run(
        """() => { window.measured = 0; const own = CanvasRenderingContext2D.prototype.measureText;
        CanvasRenderingContext2D.prototype.measureText = function (text) {
          window.measured += 1; return own.call(this, text); }; }"""
    )
    people = crowd(np.random.default_rng(0), 20)
    drawn(page, people, 740, 416)
    assert page.run("measured") == 2  # all twenty have the same two
    drawn(page, people, 740, 416, keep=True)
    assert page.run("measured") == 2


FRAMES = """() => {
window.framesDrawn = [];
const draw = Drawing.draw, timeline = Timeline.draw;
Drawing.draw = (...values) => {
  window.framesDrawn.push([avatxExplorer.state.keyframe, []]); return draw(...values); };
Timeline.draw = (keyframes, current, chosen) => {
  window.framesDrawn.at(-1)[1].push(current); return timeline(keyframes, current, chosen); };
}"""


def test_a_keyframe_s_first_frame_has_its_labels_and_a_later_one_its_timeline(page):
    page.wait("avatxExplorer.state.looked")
    page.page.keyboard.press("Space")
    page.wait("!document.getElementById('video').paused")
    page.run(FRAMES)
    page.wait("document.getElementById('video').currentTime > 2.2")
    frames = page.run("framesDrawn")
    page.page.keyboard.press("Space")
    began = [now[1] for before, now in zip(frames, frames[1:], strict=False) if now[0] != before[0]]
    assert len(began) >= 3 and not any(began)
    assert {current for _, timelines in frames for current in timelines} >= {1, 2, 3}


# Calls to canvases from one frame to the next; each begins with its picture.
COUNT = """() => {
window.framesCalls = [];
let calls = 0;
for (const [name, value] of Object.entries(
  Object.getOwnPropertyDescriptors(CanvasRenderingContext2D.prototype))) {
  if (typeof value.value !== 'function') continue;
  CanvasRenderingContext2D.prototype[name] = function (...values) {
    calls += 1; return value.value.apply(this, values); };
}
const draw = Drawing.draw;
Drawing.draw = (...values) => {
  window.framesCalls.push(calls); calls = 0; return draw(...values); };
}"""


def test_the_work_of_a_frame_does_not_grow_with_the_number_of_keyframes(browser, tmp_path):
    usual, elements = {}, {}
    for number in (30, 300):
        found = write_result(tmp_path / f"found{number}", num_keyframes=number)
        write_explorer(read_result(str(found)), str(tmp_path / f"page{number}"))
        page = Page(browser, tmp_path / f"page{number}")
        page.run(COUNT)
        page.page.keyboard.press("Space")
        page.wait("document.getElementById('video').currentTime > 1.6")
        page.page.keyboard.press("Space")
        counts = json.loads(page.run("JSON.stringify(window.framesCalls)"))
        assert len(counts) > 10
        usual[number] = statistics.median(counts)
        elements[number] = page.run("document.querySelectorAll('*').length")
        page.close()
    assert usual[30] == usual[300] > 0 and elements[30] == elements[300]
