"""What a click on a person needs, a script a keyframe: the page loads the one that is looked at.

A page from a file may not read other files, but may add a script that calls one of its functions.
Attention is a byte a cell as one grey PNG a person: heads below each other, the T' maps of a head
side by side, each head's largest weight 255. Keys are an RGB PNG of the same layout.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from avatx.core.cell_view import CellView
from avatx.pictures.embedding import unit_colours

_SHORTER_SIDE = 240
_JPEG_QUALITY = 80


def keyframe_script(
    index: int,
    frames: np.ndarray,
    seconds: Sequence[float] | np.ndarray,
    maps: np.ndarray,
    keys: np.ndarray | None,
    cells: CellView,
    people: Mapping[int, int],
) -> str:
    """The script of one keyframe.

    Args:
      index: of the keyframe in the result.
      frames: [T, H, W, 3 or more] uint8, the clip.
      seconds: [T] from the keyframe to each frame.
      maps: [N, layers, heads, T', H', W'] float, what each detection attended to.
      keys: [layers, heads, T', H', W', D] float, or None.
      cells: where the T' x H' x W' look.
      people: number of the person in the keyframe, to the detection whose attention it is.
    """
    layers, heads, num_cells = maps.shape[1:4]
    shown = [cells.frame(cell) for cell in range(num_cells)]
    content: dict[str, Any] = {
        "frames": [_jpeg(frames[frame, ..., :3]) for frame in shown],
        "seconds": [round(float(seconds[frame]), 3) for frame in shown],
        "people": {
            str(person): _attention(maps[detection]) for person, detection in people.items()
        },
        "keys": None,
    }
    if keys is not None:
        colours, explained = unit_colours(keys)  # [layers, heads, T', H', W', 3]
        content["keys"] = {
            "png": _png(mosaic(colours.reshape(layers * heads, *colours.shape[2:]))),
            "explained": [round(float(share), 3) for share in explained.ravel()],
        }
    return f"avatxKeyframe({index}, {json.dumps(content, separators=(',', ':'))});\n"


def mosaic(maps: np.ndarray) -> np.ndarray:
    """[units, T', H', W', ...] -> [units * H', T' * W', ...]."""
    units, cells, height, width = maps.shape[:4]
    laid = np.moveaxis(maps, 2, 1)  # [units, H', T', W', ...]
    return np.ascontiguousarray(laid.reshape(units * height, cells * width, *maps.shape[4:]))


def _attention(attention: np.ndarray) -> dict[str, Any]:
    """[layers, heads, T', H', W'] as bytes, and what 255 is of each head."""
    maps = attention.reshape(-1, *attention.shape[2:])
    largest = np.maximum(maps.max(axis=(1, 2, 3)), 1e-12)
    quantised = np.rint(255 * np.clip(maps / largest[:, None, None, None], 0, 1)).astype(np.uint8)
    return {
        "png": _png(mosaic(quantised)),
        "largest": [float(f"{value:.6g}") for value in largest],
    }


def _png(picture: np.ndarray) -> str:
    return _data_uri(Image.fromarray(picture), "png", optimize=True)


def _jpeg(frame: np.ndarray) -> str:
    image = Image.fromarray(frame)
    scale = _SHORTER_SIDE / min(image.size)
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)))
    return _data_uri(image, "jpeg", quality=_JPEG_QUALITY)


def _data_uri(image: Image.Image, kind: str, **options) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
