"""Sheets of strips: an example a row, its frames side by side under lines of text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from avatx.pictures.boxes import (
    draw_label,
    draw_leader,
    label_widths,
    load_font,
    pixels,
    row_height,
)
from avatx.pictures.colours import INK
from avatx.pictures.contact_sheet import Tile, contact_sheet, readable_size, wrapped
from avatx.pictures.labels import place_labels

_LABEL_TEXT = 13  # pixels
_PAGE_WIDTH = 900  # pixels that a sheet is shown at


class Strip(NamedTuple):
    """One example."""

    lines: Sequence[str]  # above the frames; the first in `colour`
    tiles: Sequence[Tile]
    colour: str = INK


class Marked(NamedTuple):
    """A box on a frame."""

    box: np.ndarray  # [4] yxyx, normalised
    colour: str
    texts: Sequence[str] = ()  # said of it in the label
    line: int = 1  # pixels


def strip_sheet(strips: Sequence[Strip], title: str, tile_width: int = 240) -> np.ndarray:
    """[H, W, 3] uint8: a title, then the strips from top to bottom."""
    rows = [
        contact_sheet(strip.tiles, len(strip.tiles), tile_width, page_width=_PAGE_WIDTH)
        for strip in strips
    ]
    width, gap = max(row.shape[1] for row in rows), 10
    font = load_font(max(14, readable_size(width, _PAGE_WIDTH)))
    large = load_font(round(1.25 * font.size))
    heads = [
        [(line, i) for i, text in enumerate(one.lines) for line in wrapped(text, font, width - 8)]
        for one in strips
    ]
    titles = wrapped(title, large, width - 8)
    line, large_line = round(1.35 * font.size), round(1.35 * large.size)
    height = 2 * gap + large_line * len(titles)
    height += sum(
        row.shape[0] + line * len(head) + gap for row, head in zip(rows, heads, strict=True)
    )
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    y = gap
    for text in titles:
        draw.text((4, y), text, font=large, fill=INK)
        y += large_line
    y += gap
    for strip, row, head in zip(strips, rows, heads, strict=True):
        for text, number in head:
            draw.text((4, y), text, font=font, fill=strip.colour if number == 0 else INK)
            y += line
        sheet.paste(Image.fromarray(row), (0, y))
        y += row.shape[0] + gap
    return np.asarray(sheet)


def mark(
    frame: np.ndarray, marked: Sequence[Marked], people: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """A frame with boxes of one person, and beside them, over their lines, one label for all.

    The label lies as `place_labels` has it: on no head where there is room.

    Args:
      frame: [H, W, 3] uint8; not changed.
      marked: boxes on or near each other, at least one; drawn in this order.
      people: [4] yxyx, normalised, of others in the frame; they are not drawn.
    """
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    width, height = image.size
    font = load_font(_LABEL_TEXT)
    boxes = np.array([pixels(one.box, width, height) for one in marked])
    for one, box in zip(marked, boxes, strict=True):
        draw.rectangle([*box], outline=one.colour, width=one.line)
    lines = [
        (line, one.colour)
        for one in marked
        for text in one.texts
        for line in wrapped(text, font, width - 6)
    ]
    texts, colours = [line for line, _ in lines], [colour for _, colour in lines]
    around = (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))
    others = [pixels(box, width, height) for box in people]
    label, *_ = place_labels(
        [around, *others],
        [label_widths(texts, font), *([] for _ in others)],
        row_height(font),
        (height, width),
    )
    if label is not None:
        if label.leader is not None:
            draw_leader(draw, label.leader, marked[0].colour, 1)
        draw_label(draw, label, texts, colours, font, "white")
    return np.asarray(image)
