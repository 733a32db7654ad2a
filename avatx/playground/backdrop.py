"""Walls, floors and furniture: what a video shows that never moves."""

import cv2
import numpy as np

from avatx.playground.scene import FRAME_HEIGHT, FRAME_WIDTH, Furniture, Scene

# Pixels painted around the frame, for the camera to sway into.
MARGIN = 16


def paint_backdrop(scene: Scene) -> np.ndarray:
    """[FRAME_HEIGHT + 2 MARGIN, FRAME_WIDTH + 2 MARGIN, 3] uint8 RGB."""
    rng = np.random.default_rng(scene.backdrop_seed)
    height, width = FRAME_HEIGHT + 2 * MARGIN, FRAME_WIDTH + 2 * MARGIN
    horizon = int(scene.horizon) + MARGIN
    image = np.empty((height, width, 3), np.float32)
    image[:horizon] = _gradient(rng, horizon, width, 70, 225)
    image[horizon:] = _gradient(rng, height - horizon, width, 50, 170)
    image[:horizon] += _wall_pattern(rng, horizon, width)
    blotches = cv2.resize(
        rng.normal(0, rng.uniform(2, 9), (7, 9, 3)).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    image = np.clip(image + blotches, 0, 255).astype(np.uint8)
    _paint_skirting(image, rng, horizon)
    for _ in range(rng.integers(0, 4)):
        _paint_wall_thing(image, rng, horizon)
    for item in scene.furniture:
        paint_furniture(image, item)
    return image


def _gradient(rng, height, width, low, high):
    colours = rng.uniform(low, high, 1) + rng.normal(0, 25, (4, 3))
    corners = colours.reshape(2, 2, 3).astype(np.float32)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)


def _wall_pattern(rng, height, width):
    strength = rng.uniform(4, 16)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    period = rng.uniform(8, 28)
    kind = rng.integers(4)
    if kind == 0:
        pattern = np.zeros_like(x)
    elif kind == 1:
        pattern = np.sign(np.sin(2 * np.pi * x / period))
    elif kind == 2:
        row = np.floor(y / (period / 2))
        pattern = -2.0 * ((y % (period / 2) < 1) | ((x + row * period / 2) % period < 1))
    else:
        pattern = np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period)
    return (strength * pattern)[..., None]


def _paint_skirting(image, rng, horizon):
    colour = tuple(int(c) for c in rng.uniform(40, 220, 3))
    cv2.rectangle(image, (0, horizon - 3), (image.shape[1], horizon), colour, -1)


def _paint_wall_thing(image, rng, horizon):
    """A window or poster, high on the wall."""
    x = int(rng.uniform(0, image.shape[1] - 30))
    y = int(rng.uniform(MARGIN - 10, horizon * 0.3))
    width, height = int(rng.uniform(14, 36)), int(rng.uniform(14, 30))
    frame, inner, mark = (tuple(int(c) for c in rng.uniform(40, 240, 3)) for _ in range(3))
    cv2.rectangle(image, (x, y), (x + width, y + height), frame, -1)
    cv2.rectangle(image, (x + 2, y + 2), (x + width - 2, y + height - 2), inner, -1)
    if rng.random() < 0.5:
        cv2.line(image, (x + width // 2, y), (x + width // 2, y + height), frame, 1)
        cv2.line(image, (x, y + height // 2), (x + width, y + height // 2), frame, 1)
    else:
        cv2.circle(
            image, (x + width // 2, y + height // 2), min(width, height) // 3, mark, -1, cv2.LINE_AA
        )


def paint_furniture(image: np.ndarray, item: Furniture) -> None:
    """Paints one piece onto a backdrop; it stays within 0.45 x its size of its x."""
    rng = np.random.default_rng(item.seed)
    _PAINTERS[item.kind](image, item, rng)


def _shade(colour, factor):
    return tuple(int(min(255, c * factor)) for c in colour)


def _line(image, start, end, colour, thickness):
    begin, finish = (tuple(int(round((c + MARGIN) * 16)) for c in p) for p in (start, end))
    cv2.line(image, begin, finish, colour, max(1, int(round(thickness))), cv2.LINE_AA, 4)


def _rectangle(image, left, top, right, bottom, colour):
    cv2.rectangle(
        image,
        (int(left) + MARGIN, int(top) + MARGIN),
        (int(right) + MARGIN, int(bottom) + MARGIN),
        colour,
        -1,
    )


def _plant(image, item, rng):
    x, ground, size = item.x, item.ground, item.size
    for angle in rng.uniform(-0.5, 0.5, 9):
        length = rng.uniform(0.5, 0.72) * size
        tip = (x + length * np.sin(angle), ground - 0.25 * size - length * np.cos(angle))
        green = (int(rng.uniform(20, 70)), int(rng.uniform(90, 160)), int(rng.uniform(30, 80)))
        _line(image, (x, ground - 0.2 * size), tip, green, 0.06 * size)
    _rectangle(image, x - 0.12 * size, ground - 0.28 * size, x + 0.12 * size, ground, item.colour)


def _lamp(image, item, rng):
    x, ground, size = item.x, item.ground, item.size
    _line(image, (x, ground), (x, ground - size), (60, 60, 60), 2)
    _line(image, (x - 0.12 * size, ground), (x + 0.12 * size, ground), (60, 60, 60), 3)
    shade = [(-0.1, -1.1), (0.1, -1.1), (0.2, -0.85), (-0.2, -0.85)]
    corners = np.array([x, ground]) + size * np.array(shade) + MARGIN
    cv2.fillConvexPoly(
        image, np.round(corners * 16).astype(np.int32), (250, 235, 170), cv2.LINE_AA, 4
    )


def _shelf(image, item, rng):
    x, ground, size = item.x, item.ground, item.size
    _rectangle(image, x - 0.27 * size, ground - size, x + 0.27 * size, ground, item.colour)
    for level in range(3):
        bottom = ground - 0.06 * size - level * 0.31 * size
        _rectangle(
            image,
            x - 0.23 * size,
            bottom - 0.25 * size,
            x + 0.23 * size,
            bottom,
            _shade(item.colour, 0.6),
        )
        left = x - 0.22 * size
        while left < x + 0.16 * size:
            width = rng.uniform(0.04, 0.08) * size
            top = bottom - rng.uniform(0.13, 0.23) * size
            _rectangle(
                image,
                left,
                top,
                left + width - 1,
                bottom,
                tuple(int(c) for c in rng.uniform(40, 230, 3)),
            )
            left += width


def _picture(image, item, rng):
    """A framed picture as large as a screen: what a screen that is on looks like, but still."""
    x, size = item.x, item.size
    top = item.ground - 1.05 * size
    _rectangle(image, x - 0.34 * size, top, x + 0.34 * size, top + 0.48 * size, (40, 32, 26))
    _rectangle(
        image,
        x - 0.31 * size,
        top + 2,
        x + 0.31 * size,
        top + 0.48 * size - 2,
        tuple(int(c) for c in rng.uniform(60, 255, 3)),
    )
    for _ in range(4):
        left = x + rng.uniform(-0.29, 0.12) * size
        upper = top + rng.uniform(0.06, 0.3) * size
        _rectangle(
            image,
            left,
            upper,
            left + 0.15 * size,
            upper + 0.12 * size,
            tuple(int(c) for c in rng.uniform(30, 255, 3)),
        )


def _chair(image, item, rng):
    """`size` is the seat's height; the back is on the side away from `facing`."""
    x, ground, size, facing = item.x, item.ground, item.size, item.facing
    back = x - facing * 0.42 * size
    front = x + facing * 0.38 * size
    for foot in (back, front):
        _line(image, (foot, ground - size), (foot, ground), _shade(item.colour, 0.7), 0.11 * size)
    _line(
        image, (back, ground - 0.95 * size), (front, ground - 0.95 * size), item.colour, 0.17 * size
    )
    _line(
        image,
        (back, ground - size),
        (back - facing * 0.06 * size, ground - 2.0 * size),
        item.colour,
        0.15 * size,
    )


_PAINTERS = {"plant": _plant, "lamp": _lamp, "shelf": _shelf, "picture": _picture, "chair": _chair}
