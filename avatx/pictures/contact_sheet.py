"""One picture of many frames, each with a caption."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from avatx.pictures.boxes import fit_text, load_font

__all__ = ["Tile", "contact_sheet", "fit_text", "readable_size", "wrapped"]

_LEAST_TEXT = 12  # pixels on the page
_BACKGROUND, _INK = (255, 255, 255), (20, 20, 20)


class Tile(NamedTuple):
    """A frame and the line under it."""

    image: np.ndarray  # [H, W, 3] uint8
    caption: str = ""


def contact_sheet(
    tiles: Sequence[Tile],
    columns: int,
    tile_width: int = 480,
    title: str = "",
    page_width: int | None = None,
) -> np.ndarray:
    """Lays tiles out row by row on white, each scaled to `tile_width`, aspect ratio kept.

    Args:
      tiles: at least one. Frames may differ in size.
      columns: tiles a row; pairs (detections, groundtruth) want an even number.
      tile_width: pixels.
      title: above everything, in as many lines as it needs.
      page_width: pixels that the sheet is shown at on a page: its text can be read there.

    Returns:
      [H, W, 3] uint8.
    """
    if not tiles:
        raise ValueError("contact_sheet: no tiles")
    columns = min(columns, len(tiles))
    gap = max(4, tile_width // 60)
    sheet_width = columns * (tile_width + gap) + gap
    size = max(11, round(tile_width / 26))
    if page_width is not None:
        size = max(size, readable_size(sheet_width, page_width))
    font = load_font(size)
    caption_height = round(font.size * 1.6) if any(tile.caption for tile in tiles) else 0
    images = [_scaled(tile.image, tile_width) for tile in tiles]
    rows = [
        range(start, min(start + columns, len(tiles))) for start in range(0, len(tiles), columns)
    ]
    heights = [max(images[i].height for i in row) + caption_height for row in rows]
    lines = wrapped(title, font, sheet_width - 2 * gap)
    line_height = font.size * 1.4
    title_height = round(line_height * len(lines) + font.size * 0.6) if lines else 0
    height = sum(heights) + gap * (len(rows) + 1) + title_height
    sheet = Image.new("RGB", (sheet_width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(lines):
        middle = gap + font.size * 0.3 + (number + 0.5) * line_height
        draw.text((gap, middle), text, font=font, fill=_INK, anchor="lm")
    y = gap + title_height
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            x = gap + column * (tile_width + gap)
            sheet.paste(images[i], (x, y))
            caption = fit_text(draw, tiles[i].caption, font, tile_width)
            middle = y + images[i].height + caption_height / 2
            draw.text((x, middle), caption, font=font, fill=_INK, anchor="lm")
        y += height + gap
    return np.asarray(sheet)


def readable_size(sheet_width: int, page_width: int) -> int:
    """Pixels of text that can be read where a sheet is shown at `page_width` pixels."""
    return math.ceil(_LEAST_TEXT * sheet_width / page_width)


def wrapped(text: str, font, width: float) -> list[str]:
    """Lines of whole words that are no wider than `width` pixels; a longer word is shortened."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and draw.textlength(longer, font=font) <= width:
            lines[-1] = longer
        else:
            lines.append(fit_text(draw, word, font, width))
    return lines


def _scaled(image: np.ndarray, width: int) -> Image.Image:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
