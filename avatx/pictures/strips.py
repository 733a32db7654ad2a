"""Sheets of strips: an example a row, its frames side by side under lines of text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from avatx.pictures.boxes import load_font
from avatx.pictures.contact_sheet import Tile, contact_sheet, fit_text

_BACKGROUND, _INK = (255, 255, 255), (20, 20, 20)
Colour = tuple[int, int, int]


class Strip(NamedTuple):
    """One example."""

    lines: Sequence[str]  # above the frames; the first in `colour`
    tiles: Sequence[Tile]
    colour: Colour = _INK


def strip_sheet(strips: Sequence[Strip], title: str, tile_width: int = 240) -> np.ndarray:
    """[H, W, 3] uint8: a title, then the strips from top to bottom."""
    rows = [contact_sheet(strip.tiles, len(strip.tiles), tile_width) for strip in strips]
    font, large = load_font(14), load_font(18)
    line, gap = 19, 10
    width = max(row.shape[1] for row in rows)
    height = (
        2 * gap
        + 24
        + sum(
            row.shape[0] + line * len(strip.lines) + gap
            for row, strip in zip(rows, strips, strict=True)
        )
    )
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((4, gap), fit_text(draw, title, large, width - 8), font=large, fill=_INK)
    y = 2 * gap + 24
    for row, strip in zip(rows, strips, strict=True):
        for number, text in enumerate(strip.lines):
            fill = strip.colour if number == 0 else _INK
            draw.text((4, y), fit_text(draw, text, font, width - 8), font=font, fill=fill)
            y += line
        sheet.paste(Image.fromarray(row), (0, y))
        y += row.shape[0] + gap
    return np.asarray(sheet)


def draw_box(
    frame: np.ndarray,
    box: np.ndarray,
    colour: Colour,
    label: str | None = None,
    line: int = 2,
    below: bool = False,
) -> np.ndarray:
    """A frame with one box, and its label above or below it, moved into the frame.

    Args:
      frame: [H, W, 3] uint8; not changed.
      box: [4] yxyx, normalised.
      colour: of the box and its label.
      label: written at the box; None for none.
      line: pixels.
      below: the label is under the box, not over it.
    """
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    width, height = image.size
    size = np.array([height - 1, width - 1] * 2)
    ymin, xmin, ymax, xmax = np.clip(np.asarray(box, np.float64), 0, 1) * size
    corners = [xmin, ymin, max(xmin, xmax), max(ymin, ymax)]
    draw.rectangle(corners, outline=colour, width=line)
    if label:
        font = load_font(12)
        text = fit_text(draw, label, font, width - 4)
        text_width, text_height = draw.textlength(text, font=font) + 4, 16
        x = max(0, min(xmin, width - text_width))
        y = ymax + 1 if below else ymin - text_height
        y = max(0, min(y, height - text_height))
        draw.rectangle([x, y, x + text_width, y + text_height], fill=colour)
        draw.text((x + 2, y + text_height / 2), text, font=font, fill=(255, 255, 255), anchor="lm")
    return np.asarray(image)
