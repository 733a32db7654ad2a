"""Draws people with their actions on frames."""

import re
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from avatx.core.people import Action, Person
from avatx.pictures import colours

# AVA's label map lists its 80 classes in this order: pose 1-14, with objects 15-63, with
# people 64-80.
_POSE, _OBJECT, _PEOPLE, _OTHER = map(
    ImageColor.getrgb,
    (colours.POSE, colours.WITH_OBJECTS, colours.WITH_PEOPLE, colours.OTHER_ACTION),
)
_LONGEST_NAME = 24  # AVA's "watch (e.g., TV)" stays: there is a "watch (a person)"
_TEXT_COLOUR = (0, 0, 0)

Rectangle = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels


def draw_people(frame: np.ndarray, people: Sequence[Person], max_actions: int = 5) -> np.ndarray:
    """Draws boxes and, beside each, its actions.

    The labels stand above the box, else below it, else inside it, always whole within the
    frame where it is large enough for them. Colour says the kind of action: pose blue, with an
    object orange, with people pink (by AVA's class ids).

    Args:
      frame: [H, W, 3] uint8; not changed.
      people: what to draw; the first is drawn last, on top.
      max_actions: labels a person at most.

    Returns:
      [H, W, 3] uint8.
    """
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    height, width = frame.shape[:2]
    line = max(1, round(min(height, width) / 240))
    font = load_font(text_size(height, width))
    for person in reversed(people):
        _draw_box(draw, person, width, height, line)
    labels: list[Rectangle] = []
    boxes = [_pixels(person.box, width, height) for person in people]
    for i, person in enumerate(people):
        others = boxes[:i] + boxes[i + 1 :]
        _draw_labels(draw, person, width, height, font, max_actions, labels, others)
    return np.asarray(image)


def text_size(height: int, width: int) -> int:
    """Pixels of text that can be read on a frame of this size."""
    return max(10, round(min(height, width) / 34))


def load_font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own TrueType font."""
    return ImageFont.load_default(size)


def action_colour(class_id: int) -> tuple[int, int, int]:
    """RGB of the kind of action."""
    if 1 <= class_id <= 14:
        return _POSE
    if class_id <= 63:
        return _OBJECT
    return _PEOPLE if class_id <= 80 else _OTHER


def short_name(name: str) -> str:
    """What a label says: long names without their examples, "talk to (e.g., self, ...)"."""
    if len(name) <= _LONGEST_NAME:
        return name
    return re.sub(r" \(e\.g\..*?\)", "", name)


def upscale(frame: np.ndarray, shorter_side: int) -> np.ndarray:
    """Enlarges a frame whose shorter side is below `shorter_side`; text stays readable then."""
    height, width = frame.shape[:2]
    scale = shorter_side / min(height, width)
    if scale <= 1:
        return frame
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))


def _pixels(box: np.ndarray, width: int, height: int) -> Rectangle:
    """x1, y1, x2, y2 in pixels, inside the frame."""
    ymin, xmin, ymax, xmax = np.clip(np.asarray(box, np.float64), 0, 1)
    return (
        xmin * (width - 1),
        ymin * (height - 1),
        max(xmin, xmax) * (width - 1),
        max(ymin, ymax) * (height - 1),
    )


def _draw_box(draw, person: Person, width: int, height: int, line: int) -> None:
    colour = action_colour(person.actions[0].class_id) if person.actions else _OTHER
    box = _pixels(person.box, width, height)
    draw.rectangle(box, outline=(0, 0, 0), width=line + 2)
    draw.rectangle(
        [box[0] + 1, box[1] + 1, max(box[0] + 1, box[2] - 1), max(box[1] + 1, box[3] - 1)],
        outline=colour,
        width=line,
    )


def _draw_labels(draw, person, width, height, font, max_actions, labels, others) -> None:
    """Draws a person's labels and adds the rectangle that they take to `labels`."""
    actions = person.actions[:max_actions]
    texts = [_label(action) for action in actions]
    if not texts:
        return
    padding = max(1, round(font.size / 8))
    row = font.size + 2 * padding
    widths = [draw.textlength(text, font=font) + 2 * padding for text in texts]
    box = _pixels(person.box, width, height)
    x, y = _label_position(box, max(widths), row * len(texts), width, height, labels, others)
    labels.append((x, y, x + max(widths), y + row * len(texts)))
    for i, (text, action) in enumerate(zip(texts, actions, strict=True)):
        top = y + i * row
        draw.rectangle([x, top, x + widths[i], top + row - 1], fill=action_colour(action.class_id))
        draw.text((x + padding, top + row / 2), text, font=font, fill=_TEXT_COLOUR, anchor="lm")


def _label(action: Action) -> str:
    return action.name if action.score is None else f"{action.name} {action.score:.2f}"


def _label_position(box, label_width, label_height, width, height, labels, others):
    """Above the box, below, right, left or inside, moved into the frame.

    The first place that hides no other label, as little as may be of other people (`others`,
    their boxes) and, last, of the person's own box.
    """
    x1, y1, x2, y2 = box

    def hidden(place, rectangles):
        x, y = place
        return sum(
            max(0, min(x + label_width, right) - max(x, left))
            * max(0, min(y + label_height, bottom) - max(y, top))
            for left, top, right, bottom in rectangles
        )

    def cost(place):
        return hidden(place, labels), hidden(place, others), hidden(place, [box])

    places = [
        (x1, y1 - label_height),
        (x1, y2 + 1),
        (x2 + 1, y1),
        (x1 - label_width, y1),
        (x1, y1),
    ]
    inside = [
        (max(0, min(x, width - label_width)), max(0, min(y, height - label_height)))
        for x, y in places
    ]
    return min(inside, key=cost)
