"""One picture of many frames, each with a caption."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from avatx.pictures.boxes import fit_text, load_font

__all__ = ["Tile", "contact_sheet", "fit_text"]

_BACKGROUND, _INK = (255, 255, 255), (20, 20, 20)


class Tile(NamedTuple):
    """A frame and the line under it."""

    image: np.ndarray  # [H, W, 3] uint8
    caption: str = ""


def contact_sheet(
    tiles: Sequence[Tile], columns: int, tile_width: int = 480, title: str = ""
) -> np.ndarray:
    """Lays tiles out row by row on white, each scaled to `tile_width`, aspect ratio kept.

    Args:
      tiles: at least one. Frames may differ in size.
      columns: tiles a row; pairs (detections, groundtruth) want an even number.
      tile_width: pixels.
      title: a line above everything.

    Returns:
      [H, W, 3] uint8.
    """
    if not tiles:
        raise ValueError("contact_sheet: no tiles")
    columns = min(columns, len(tiles))
    gap = max(4, tile_width // 60)
    font = load_font(max(11, round(tile_width / 26)))
    caption_height = round(font.size * 1.6) if any(tile.caption for tile in tiles) else 0
    images = [_scaled(tile.image, tile_width) for tile in tiles]
    rows = [
        range(start, min(start + columns, len(tiles))) for start in range(0, len(tiles), columns)
    ]
    heights = [max(images[i].height for i in row) + caption_height for row in rows]
    title_height = round(font.size * 2) if title else 0
    sheet = Image.new(
        "RGB",
        (columns * (tile_width + gap) + gap, sum(heights) + gap * (len(rows) + 1) + title_height),
        _BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    if title:
        text = fit_text(draw, title, font, sheet.width - 2 * gap)
        draw.text((gap, gap + title_height / 2), text, font=font, fill=_INK, anchor="lm")
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


def _scaled(image: np.ndarray, width: int) -> Image.Image:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
