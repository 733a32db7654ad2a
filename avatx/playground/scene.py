"""What one video shows, as plain data without a random number or a pixel in it.

Lengths are pixels of the frame, x to the right and y downwards, before camera shake; times
are seconds from the start of the video. A scene with one field replaced
(`dataclasses.replace`) renders alike everywhere that field does not paint.
"""

import dataclasses

import numpy as np

FRAME_WIDTH = 192
FRAME_HEIGHT = 160
FRAME_RATE = 25
DURATION = 10.0  # seconds
# A keyframe a second, those at the borders left out.
KEYFRAME_TIMES = tuple(float(second) for second in range(1, int(DURATION)))

Colour = tuple[int, int, int]

LEFT, RIGHT, FRONT = -1, 1, 0


@dataclasses.dataclass(frozen=True)
class Act:
    """What a person does from `start` until the next act starts.

    pose: "stand", "walk", "sit" or "bend". activity, what the upper body does: "idle",
    "speak", "wave", "read" or "phone". held: None, "box" (both hands) or "bag" (one hand).
    facing: LEFT, RIGHT or FRONT; while walking the direction of movement counts instead.
    """

    start: float
    pose: str
    activity: str = "idle"
    held: str | None = None
    facing: int = RIGHT


@dataclasses.dataclass(frozen=True)
class Look:
    """Body and clothes. `build` scales the thickness of limbs, `tempo` the speed of motion."""

    height: float
    build: float
    tempo: float
    phase: float
    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    object_colour: Colour
    long_sleeves: bool
    long_hair: bool
    hat: bool


@dataclasses.dataclass(frozen=True)
class Person:
    """`ground` is the y of the soles; `path` the x of the hips as (time, x) knots."""

    person_id: int
    look: Look
    ground: float
    path: tuple[tuple[float, float], ...]
    acts: tuple[Act, ...]

    def x_at(self, time: float) -> float:
        times, xs = zip(*self.path, strict=True)
        return float(np.interp(time, times, xs))

    def act_index(self, time: float) -> int:
        return max(0, sum(act.start <= time for act in self.acts) - 1)

    def act_at(self, time: float) -> Act:
        return self.acts[self.act_index(time)]

    def facing_at(self, time: float) -> int:
        act = self.act_at(time)
        if act.pose != "walk":
            return act.facing
        step = self.x_at(time + 0.02) - self.x_at(time - 0.02)
        return RIGHT if step > 0 else LEFT if step < 0 else act.facing


@dataclasses.dataclass(frozen=True)
class Screen:
    """A television. `power` holds (time from which, on or off); x, y is its centre."""

    x: float
    y: float
    width: float
    height: float
    seed: int
    power: tuple[tuple[float, bool], ...]

    def is_on(self, time: float) -> bool:
        return [on for start, on in self.power if start <= time][-1]


@dataclasses.dataclass(frozen=True)
class Furniture:
    """kind: "plant", "lamp", "shelf", "picture" or "chair"; `ground` is the y of its foot."""

    kind: str
    x: float
    ground: float
    size: float
    colour: Colour
    seed: int
    facing: int = RIGHT


@dataclasses.dataclass(frozen=True)
class Ball:
    """A distractor that flies to and fro: centre + amplitude * sin(2 pi frequency t + phase)."""

    centre: tuple[float, float]
    amplitude: tuple[float, float]
    frequency: tuple[float, float]
    phase: tuple[float, float]
    radius: float
    colour: Colour


@dataclasses.dataclass(frozen=True)
class Camera:
    """Sway in pixels and light: gain(t), which may be switched at `switch_time`."""

    sway: tuple[tuple[float, float, float], ...]  # amplitude, frequency, phase; x and y in turn
    light_swing: tuple[float, float, float]  # amplitude, frequency, phase
    switch_time: float
    switch_gain: float
    tint: tuple[float, float, float]
    noise: float  # standard deviation, grey levels

    def offset_at(self, time: float) -> tuple[float, float]:
        waves = [a * np.sin(2 * np.pi * f * time + p) for a, f, p in self.sway]
        return float(sum(waves[0::2])), float(sum(waves[1::2]))

    def gain_at(self, time: float) -> float:
        amplitude, frequency, phase = self.light_swing
        gain = 1.0 + amplitude * np.sin(2 * np.pi * frequency * time + phase)
        return float(gain * (self.switch_gain if time >= self.switch_time else 1.0))


@dataclasses.dataclass(frozen=True)
class Scene:
    """Everything one video shows. `backdrop_seed` and `noise_seed` fix wall and sensor noise."""

    people: tuple[Person, ...]
    screens: tuple[Screen, ...]
    furniture: tuple[Furniture, ...]
    balls: tuple[Ball, ...]
    camera: Camera
    backdrop_seed: int
    noise_seed: int
    horizon: float  # y where wall and floor meet
