"""How a decoded frame is stored: its size and its JPEG bytes."""

import io

import numpy as np


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """[H, W, 3] uint8 RGB as JPEG with 4:2:0 chroma.

    By Pillow: its bytes are those of `tf.io.encode_jpeg` (both are libjpeg-turbo), at the same
    speed within the noise beside decoding, and it does not claim the memory of a GPU.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return buffer.getvalue()


def stored_size(size: tuple[int, int], shorter_side: int) -> tuple[int, int]:
    """(height, width) after shrinking the shorter side; never enlarged."""
    height, width = size
    shorter = min(size)
    if shorter_side and shorter > shorter_side:
        height, width = (max(1, round(length * shorter_side / shorter)) for length in size)
    return height, width


def shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[H, W, 3] uint8 at (height, width) `size`, each pixel the mean of those that it covers."""
    from PIL import Image

    if tuple(size) == image.shape[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))
