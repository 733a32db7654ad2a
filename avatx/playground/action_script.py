"""Draws a scene in which one person does one thing, and the window of it that a clip shows.

The same people, clothes, motion, backdrops and cameras as in the detection playground. A clip
is two seconds of a scene, cut out to a square, in which the person stands as tall as there after
resizing. Which class it is does not change how anything else is drawn; where a held thing
rules the class, the pose is free.
"""

import dataclasses
import math

import numpy as np

from avatx.playground import script
from avatx.playground.scene import (
    DURATION,
    FRAME_HEIGHT,
    FRAME_RATE,
    FRAME_WIDTH,
    FRONT,
    LEFT,
    RIGHT,
    Act,
    Furniture,
    Person,
    Scene,
)

# The nine doings of the detection playground that the person alone shows.
ACTIONS = ("answer_phone", "bend", "hand_wave", "hold", "read", "sit", "stand", "talk", "walk")
CLIP_SIDE = 128  # pixels
CLIP_RATE = FRAME_RATE / 2  # frames a second: every second frame of the scene
CLIP_SECONDS = 2.0
NUM_FRAMES = int(CLIP_SECONDS * CLIP_RATE)

_HEIGHT = 45.0, 110.0  # pixels, standing
_POSES = {
    "answer_phone": {"stand": 0.40, "sit": 0.35, "walk": 0.25},
    "bend": {"bend": 1.0},
    "hand_wave": {"stand": 0.6, "sit": 0.4},
    "hold": {"stand": 0.35, "walk": 0.25, "bend": 0.2, "sit": 0.2},
    "read": {"stand": 0.6, "sit": 0.4},
    "sit": {"sit": 1.0},
    "stand": {"stand": 1.0},
    "talk": {"stand": 0.6, "sit": 0.4},
    "walk": {"walk": 1.0},
}
_ACTIVITIES = {"answer_phone": "phone", "hand_wave": "wave", "read": "read", "talk": "speak"}


@dataclasses.dataclass(frozen=True)
class ActionClip:
    """A clip: CLIP_SIDE pixels square from (left, top) of the scene, from `first_frame` on."""

    action: str
    scene: Scene
    left: int
    top: int
    first_frame: int

    @property
    def frame_indices(self) -> range:
        """The scene's frames that the clip shows."""
        step = int(FRAME_RATE / CLIP_RATE)
        return range(self.first_frame, self.first_frame + NUM_FRAMES * step, step)

    def window(self, frame: np.ndarray) -> np.ndarray:
        """What the clip shows of a frame, or of a mask, of the scene."""
        return frame[self.top : self.top + CLIP_SIDE, self.left : self.left + CLIP_SIDE]


def sample_clip(action: str, seed) -> ActionClip:
    """A clip of `action` from `seed`: anything `numpy.random.default_rng` takes."""
    rng = np.random.default_rng(seed)
    left = int(rng.integers(0, FRAME_WIDTH - CLIP_SIDE + 1))
    top = int(rng.integers(0, FRAME_HEIGHT - CLIP_SIDE + 1))
    first_frame = int(rng.integers(0, int((DURATION - CLIP_SECONDS) * FRAME_RATE)))
    height = rng.uniform(*_HEIGHT)
    # Feet so low that an arm raised over the head shows, and a body so far in that all of it does.
    ground = top + rng.uniform(max(0.74 * CLIP_SIDE, 1.08 * height + 2), 0.985 * CLIP_SIDE)
    border = 0.4 * height
    x = left + rng.uniform(border, CLIP_SIDE - border)
    act = _act(rng, action)
    furniture, screens = [], []
    if act.pose == "sit" or rng.random() < 0.35:
        facing = act.facing if act.pose == "sit" else (LEFT, RIGHT)[rng.integers(2)]
        seat_x = x if act.pose == "sit" else x + rng.uniform(-0.4, 0.4) * height
        furniture.append(
            Furniture(
                "chair",
                seat_x,
                ground,
                0.25 * height,
                script.sample_colour(rng, 40, 200),
                0,
                facing,
            )
        )
    horizon = min(rng.uniform(0.58, 0.74) * FRAME_HEIGHT, ground - 4)
    for _ in range(rng.choice([0, 1, 2], p=[0.35, 0.4, 0.25])):
        other_x, width = rng.uniform(left, left + CLIP_SIDE), rng.uniform(48, 96)
        if rng.random() < 0.35:
            screens.append(script.sample_screen(rng, other_x, width))
        else:
            furniture.append(script.sample_furniture(rng, other_x, width, horizon))
    middle = (first_frame / FRAME_RATE) + CLIP_SECONDS / 2
    path = ((0.0, x),)
    if act.pose == "walk":
        path, act = _walk(rng, act, x, height, left, middle)
    person = Person(0, script.sample_look(rng, height), ground, path, (act,))
    return ActionClip(
        action,
        Scene(
            people=(person,),
            screens=tuple(screens),
            furniture=tuple(furniture),
            balls=tuple(script.sample_ball(rng) for _ in range(rng.integers(0, 3))),
            camera=script.sample_camera(rng),
            backdrop_seed=int(rng.integers(2**31)),
            noise_seed=int(rng.integers(2**31)),
            horizon=horizon,
        ),
        left,
        top,
        first_frame,
    )


def _act(rng, action) -> Act:
    pose = script.choose(rng, _POSES[action])
    facing = (LEFT, RIGHT)[rng.integers(2)]
    if pose == "stand" and rng.random() < 0.05:
        facing = FRONT
    held = None
    if action == "hold":
        held = "box" if pose == "bend" or rng.random() < 0.5 else "bag"
    return Act(0.0, pose, _ACTIVITIES.get(action, "idle"), held, facing)


def _walk(rng, act, x, height, left, middle):
    """To and fro about x, or past x in one direction; either way within the window."""
    if rng.random() < 0.5:
        room = min(x - left, left + CLIP_SIDE - x) - 0.15 * height
        reach = rng.uniform(0.15, max(0.2, room / height)) * height
        return script.pacing(rng, x, reach, rng.uniform(0.25, 0.5) * height, [act]), act
    centre = left + CLIP_SIDE / 2
    speed = min(rng.uniform(0.35, 0.75) * height, (CLIP_SIDE - 0.4 * height) / CLIP_SECONDS)
    speed = math.copysign(speed, act.facing)
    return ((middle - 5.0, centre - 5.0 * speed), (middle + 5.0, centre + 5.0 * speed)), act
