"""A scene -> frames and boxes.

What a frame shows is a function of the scene and the time alone; noise, sway and light do
not depend on who is in the picture. So two scenes that differ in one entity render alike, to
the last bit, wherever that entity does not paint.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from avatx.playground.backdrop import MARGIN, paint_backdrop
from avatx.playground.scene import DURATION, FRAME_HEIGHT, FRAME_RATE, FRAME_WIDTH, Scene, Screen
from avatx.playground.skeleton import Shape, figure

# cv2 takes coordinates in fixed point: 4 bits after the point, a sixteenth of a pixel.
_SHIFT = 4
_SCREEN_CHANGE = 0.28  # seconds that a picture of a television stays
_MASK_PADDING = 96  # pixels around the frame in which a person's whole body is counted


class VisiblePerson(NamedTuple):
    """A person in a frame.

    box: [4] float64 yxyx, normalised: the extent of the body's visible pixels (held things and
    what others cover left out). visible_share: visible pixels of the body over all its
    pixels, those outside the frame included. outside_share: the share outside the frame.
    """

    box: np.ndarray
    visible_share: float
    outside_share: float


class SceneRenderer:
    """Paints the frames of one scene; frame i is at i / FRAME_RATE seconds."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.num_frames = int(round(DURATION * FRAME_RATE))
        self._backdrop = paint_backdrop(scene)
        self._people = sorted(scene.people, key=lambda person: person.ground)
        rng = np.random.default_rng(scene.noise_seed)
        noise = rng.normal(0, scene.camera.noise, (FRAME_HEIGHT + 32, FRAME_WIDTH + 32, 3))
        self._noise = np.round(noise).astype(np.int16)
        self._noise_offsets = rng.integers(0, 32, (self.num_frames, 2))
        self._tint = np.array(scene.camera.tint)
        self._pictures = {screen: _screen_pictures(screen) for screen in scene.screens}

    def frame(self, index: int) -> np.ndarray:
        """Frame `index`: [FRAME_HEIGHT, FRAME_WIDTH, 3] uint8 RGB."""
        time = index / FRAME_RATE
        dx, dy = self.scene.camera.offset_at(time)
        shift = np.array([[1, 0, dx - MARGIN], [0, 1, dy - MARGIN]])
        image = cv2.warpAffine(
            self._backdrop,
            shift,
            (FRAME_WIDTH, FRAME_HEIGHT),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for screen in self.scene.screens:
            self._paint_screen(image, screen, time, dx, dy)
        for ball in self.scene.balls:
            x, y = (
                c + a * np.sin(2 * np.pi * f * time + p)
                for c, a, f, p in zip(
                    ball.centre, ball.amplitude, ball.frequency, ball.phase, strict=True
                )
            )
            paint(image, Shape("disc", ((x, y),), ball.radius, ball.colour), dx, dy)
        for person in self._people:
            for shape in figure(person, time):
                paint(image, shape, dx, dy)
        gains = self.scene.camera.gain_at(time) * self._tint
        image = cv2.multiply(image, (*gains, 1.0))
        y, x = self._noise_offsets[index]
        noise = self._noise[y : y + FRAME_HEIGHT, x : x + FRAME_WIDTH]
        return cv2.add(image, noise, dtype=cv2.CV_8U)

    def visible_people(self, index: int) -> dict[int, VisiblePerson]:
        """The people of whom at least one pixel shows in frame `index`, by person id."""
        time = index / FRAME_RATE
        dx, dy = self.scene.camera.offset_at(time)
        size = (FRAME_HEIGHT + 2 * _MASK_PADDING, FRAME_WIDTH + 2 * _MASK_PADDING)
        front = np.zeros(size, np.uint8)  # 1 + place in self._people of who shows
        bodies = []
        for place, person in enumerate(self._people):
            alone = np.zeros(size, np.uint8)
            for shape in figure(person, time):
                _paint_mask(alone, shape, 1 if shape.is_body else 0, dx, dy)
                _paint_mask(front, shape, place + 1 if shape.is_body else 255, dx, dy)
            bodies.append(alone)
        inside = slice(_MASK_PADDING, -_MASK_PADDING)
        found = {}
        for place, (person, alone) in enumerate(zip(self._people, bodies, strict=True)):
            visible = front[inside, inside] == place + 1
            # The body beyond its own held things, which hide nobody.
            total = max(1, np.count_nonzero(alone))
            if not visible.any():
                continue
            rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
            box = np.array(
                [
                    rows[0] / FRAME_HEIGHT,
                    columns[0] / FRAME_WIDTH,
                    (rows[-1] + 1) / FRAME_HEIGHT,
                    (columns[-1] + 1) / FRAME_WIDTH,
                ]
            )
            within = np.count_nonzero(alone[inside, inside])
            found[person.person_id] = VisiblePerson(
                box, np.count_nonzero(visible) / total, 1 - within / total
            )
        return found

    def _paint_screen(self, image, screen: Screen, time: float, dx: float, dy: float):
        left, top = screen.x - screen.width / 2 + dx, screen.y - screen.height / 2 + dy
        right, bottom = left + screen.width, top + screen.height
        pillar = ((screen.x, bottom - dy), (screen.x, bottom - dy + 0.35 * screen.height))
        paint(image, Shape("stroke", pillar, 4, (35, 35, 38)), dx, dy)
        _rectangle(image, left - 3, top - 3, right + 3, bottom + 3, (24, 24, 27))
        if not screen.is_on(time):
            _rectangle(image, left, top, right, bottom, (52, 56, 62))
            glint = (
                (left + 3 - dx, bottom - 3 - dy),
                (left + 0.3 * screen.width - dx, top + 3 - dy),
            )
            paint(image, Shape("stroke", glint, 2, (84, 90, 98)), dx, dy)
            return
        background, blocks = self._pictures[screen][int(time / _SCREEN_CHANGE)]
        _rectangle(image, left, top, right, bottom, background)
        for (u0, v0, u1, v1), colour in blocks:
            _rectangle(
                image,
                left + u0 * screen.width,
                top + v0 * screen.height,
                left + u1 * screen.width,
                top + v1 * screen.height,
                colour,
            )


def _screen_pictures(screen: Screen) -> Sequence:
    rng = np.random.default_rng(screen.seed)
    pictures = []
    for _ in range(int(DURATION / _SCREEN_CHANGE) + 2):
        blocks = []
        for _ in range(3):
            u, v = rng.uniform(0, 0.7, 2)
            blocks.append(((u, v, u + 0.3, v + 0.3), _bright(rng)))
        pictures.append((_bright(rng), blocks))
    return pictures


def _bright(rng):
    return tuple(int(c) for c in rng.uniform(60, 255, 3))


def _fixed(points, dx, dy):
    # A pixel's centre has whole coordinates in cv2 and half ones in the scene.
    return [(int(round((x + dx - 0.5) * 16)), int(round((y + dy - 0.5) * 16))) for x, y in points]


def _rectangle(image, left, top, right, bottom, colour):
    (left, top), (right, bottom) = _fixed([(left, top), (right, bottom)], 0, 0)
    cv2.rectangle(image, (left, top), (right, bottom), colour, -1, cv2.LINE_8, _SHIFT)


def paint(
    image: np.ndarray, shape: Shape, dx: float, dy: float, colour=None, line_type: int = cv2.LINE_AA
) -> None:
    """Paints one shape, moved by (dx, dy) pixels, onto `image` in place."""
    points = _fixed(shape.points, dx, dy)
    colour = shape.colour if colour is None else colour
    if shape.kind == "stroke":
        cv2.line(
            image, points[0], points[1], colour, max(1, int(round(shape.size))), line_type, _SHIFT
        )
    elif shape.kind == "disc":
        cv2.circle(image, points[0], int(round(shape.size * 16)), colour, -1, line_type, _SHIFT)
    else:
        cv2.fillConvexPoly(image, np.array(points, np.int32), colour, line_type, _SHIFT)


def _paint_mask(mask, shape, value, dx, dy):
    paint(mask, shape, dx + _MASK_PADDING, dy + _MASK_PADDING, value, cv2.LINE_8)
