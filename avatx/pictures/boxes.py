"""Draws people with their actions on frames."""

import functools
import importlib.util
import os
import re
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avatx.core.people import Action, Person
from avatx.pictures.colours import OTHER_ACTION
from avatx.pictures.labels import Line, PlacedLabel, Rectangle, place_labels

Colours = Mapping[int, str]  # class id to colour; `OTHER_ACTION` where one has none
_SHARE_OF_SIZE = 0.92  # DejaVu's letters are wide
_LONGEST_SIDE = 4096  # of an enlarged frame; encoders of video end at some length
_LONGEST_NAME = 24  # AVA's "watch (e.g., TV)" stays: there is a "watch (a person)"
# A box is minor of which this much lies on one of a score that is larger by 1 / _MINOR_SCORE.
_MINOR_COVERED, _MINOR_SCORE = 0.6, 0.6


def draw_people(
    frame: np.ndarray,
    people: Sequence[Person],
    colours: Colours,
    max_actions: int = 5,
    labels: Sequence[PlacedLabel | None] | None = None,
) -> np.ndarray:
    """Draws boxes and, beside each, its actions.

    Labels never lie on each other, and on no head where there is room (`labels.py`). A box of a
    low score that mostly lies on a better one is drawn thin, without a label. A box has the
    colour of its first action.

    Args:
      frame: [H, W, 3] uint8; not changed.
      people: what to draw; the first is drawn last, on top.
      colours: of `avatx.pictures.colours.class_colours`.
      max_actions: labels a person at most.
      labels: of `label_places`, for frames that show the same people.

    Returns:
      [H, W, 3] uint8.
    """
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    height, width = frame.shape[:2]
    line = max(1, round(min(height, width) / 240))
    font = load_font(text_size(height, width))
    minor = minor_people(people)
    for person, is_minor in reversed(list(zip(people, minor, strict=True))):
        box = pixels(person.box, width, height)
        _draw_box(draw, box, _person_colour(person, colours), 0 if is_minor else line)
    if labels is None:
        labels = label_places(people, height, width, max_actions)
    for person, label in zip(people, labels, strict=True):
        if label is not None and label.leader is not None:
            draw_leader(draw, label.leader, _person_colour(person, colours), line)
    for person, label in zip(people, labels, strict=True):
        if label is not None:
            fills = [colours.get(action.class_id, OTHER_ACTION) for action in person.actions]
            texts = _texts(draw, person, max_actions, font, width)
            draw_label(draw, label, texts, fills, font)
    return np.asarray(image)


def label_places(
    people: Sequence[Person], height: int, width: int, max_actions: int = 5
) -> list[PlacedLabel | None]:
    """Where `draw_people` puts each person's label on a frame of this size."""
    font = load_font(text_size(height, width))
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    widths = [
        [] if is_minor else label_widths(_texts(measure, person, max_actions, font, width), font)
        for person, is_minor in zip(people, minor_people(people), strict=True)
    ]
    boxes = [pixels(person.box, width, height) for person in people]
    return place_labels(boxes, widths, row_height(font), (height, width))


def minor_people(people: Sequence[Person]) -> list[bool]:
    """Which are likely not people of their own: of a low score, and mostly on a better box."""
    minor = []
    for i, person in enumerate(people):
        score = person.actions[0].score if person.actions else None
        minor.append(
            score is not None
            and any(
                other.actions
                and (other.actions[0].score or 0) * _MINOR_SCORE > score
                and _covered(person.box, other.box) >= _MINOR_COVERED
                for other in people[:i]
            )
        )
    return minor


def _covered(box: np.ndarray, other: np.ndarray) -> float:
    """The share of `box`, or of `other` if that is smaller, which lies in both."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    smaller = min(float(np.prod(box[2:] - box[:2])), float(np.prod(other[2:] - other[:2])))
    return float(np.prod(np.maximum(sides, 0))) / max(smaller, 1e-12)


def text_size(height: int, width: int) -> int:
    """Pixels of text that can be read on a frame of this size."""
    return max(10, round(min(height, width) / 34))


@functools.cache
def load_font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings: Latin, Greek, Cyrillic, Arabic letters and many signs.

    Pillow's own font has English alone. Neither has Chinese, Japanese or Korean.
    """
    found = importlib.util.find_spec("matplotlib")
    assert found is not None and found.origin is not None  # it is a requirement
    path = os.path.join(os.path.dirname(found.origin), "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, max(1, round(_SHARE_OF_SIZE * size)))


def short_name(name: str) -> str:
    """What a label says: long names without their examples, "talk to (e.g., self, ...)"."""
    if len(name) <= _LONGEST_NAME:
        return name
    return re.sub(r" \(e\.g\..*?\)", "", name)


def upscale(frame: np.ndarray, shorter_side: int) -> np.ndarray:
    """Enlarges a frame whose shorter side is below `shorter_side`; text stays readable then."""
    height, width = frame.shape[:2]
    scale = min(shorter_side / min(height, width), _LONGEST_SIDE / max(height, width))
    if scale <= 1:
        return frame
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))


def pixels(box: np.ndarray, width: int, height: int) -> Rectangle:
    """[4] yxyx, normalised -> x1, y1, x2, y2 in pixels, inside the frame."""
    ymin, xmin, ymax, xmax = np.clip(np.asarray(box, np.float64), 0, 1)
    return (
        xmin * (width - 1),
        ymin * (height - 1),
        max(xmin, xmax) * (width - 1),
        max(ymin, ymax) * (height - 1),
    )


def _draw_box(draw, box: Rectangle, colour: str, line: int) -> None:
    """With a dark edge; of 0 pixels a hairline without one."""
    if line == 0:
        draw.rectangle(box, outline=colour, width=1)
        return
    draw.rectangle(box, outline="black", width=line + 2)
    draw.rectangle(
        [box[0] + 1, box[1] + 1, max(box[0] + 1, box[2] - 1), max(box[1] + 1, box[3] - 1)],
        outline=colour,
        width=line,
    )


def _person_colour(person: Person, colours: Colours) -> str:
    return colours.get(person.actions[0].class_id, OTHER_ACTION) if person.actions else OTHER_ACTION


def draw_leader(draw: ImageDraw.ImageDraw, leader: Line, colour: str, line: int) -> None:
    """A line of `line` pixels from a label into its box, with a dark edge and a dot at its end."""
    x, y = leader[2:]
    radius = 1.5 * line + 1
    draw.line(leader, fill="black", width=line + 2)
    draw.ellipse([x - radius - 1, y - radius - 1, x + radius + 1, y + radius + 1], fill="black")
    draw.line(leader, fill=colour, width=line)
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def draw_label(
    draw: ImageDraw.ImageDraw,
    label: PlacedLabel,
    texts: Sequence[str],
    fills: Sequence[str],
    font,
    ink: str = "black",
) -> None:
    """The lines of a label that its place has room for, each on a colour of its own."""
    padding, row = _padding(font), row_height(font)
    x, y, right, _ = label.rectangle
    # Letters lie in the middle of their line; the font's own middle is above theirs.
    _, above, _, below = font.getbbox("H(gp", anchor="ls")
    baseline = (row - above - below) / 2
    for i, (text, fill) in enumerate(zip(texts[: label.num_rows], fills, strict=False)):
        top = y + i * row
        draw.rectangle([x, top, right - 1, top + row - 1], fill=fill)
        draw.text((x + padding, top + baseline), text, font=font, fill=ink, anchor="ls")


def label_widths(texts: Sequence[str], font) -> list[float]:
    """Pixels that each line of a label takes."""
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    return [measure.textlength(text, font=font) + 2 * _padding(font) for text in texts]


def row_height(font) -> float:
    """Pixels that a line of a label takes."""
    return font.size + 2 * _padding(font)


def _padding(font) -> int:
    return max(1, round(font.size / 8))


def _texts(draw, person: Person, max_actions: int, font, width: int) -> list[str]:
    """The lines of a label, the person's number first; none wider than the picture."""
    texts = [_label(action) for action in person.actions[:max_actions]]
    if texts and person.track is not None:
        texts[0] = f"{person.track} · {texts[0]}"
    return [fit_text(draw, text, font, width - 2 * _padding(font)) for text in texts]


def say_person(person: Person, max_actions: int = 5) -> str:
    """A person's number and actions in one line, for a title."""
    actions = ", ".join(map(_label, person.actions[:max_actions]))
    return actions if person.track is None else f"{person.track} · {actions}"


def _label(action: Action) -> str:
    name = short_name(action.name)
    return name if action.score is None else f"{name} {action.score:.2f}"


def fit_text(draw: ImageDraw.ImageDraw, text: str, font, width: float) -> str:
    """`text`, shortened with an ellipsis where it is wider than `width` pixels."""
    if draw.textlength(text, font=font) <= width:
        return text
    while text and draw.textlength(text + "…", font=font) > width:
        text = text[:-1]
    return text.rstrip() + "…"
