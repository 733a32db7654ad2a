"""Draws a scene from a seed: who is where, and who does what when.

The frame is divided into slots side by side, each with one person, one screen or one piece
of furniture. People face the inside of the frame, so that the next slot on the side they
face holds their target. What a person does, wears and where it stands is drawn independently
of what kind of thing the next slot holds; only what two people who face each other do at the
same time is drawn together (`_REPLY`), by activity alone. Hence, among people who do the same
thing, those with a context label look like those without.
"""

import math
from typing import NamedTuple

import numpy as np

from avatx.playground.scene import (
    DURATION,
    FRAME_HEIGHT,
    FRAME_WIDTH,
    FRONT,
    LEFT,
    RIGHT,
    Act,
    Ball,
    Camera,
    Furniture,
    Look,
    Person,
    Scene,
    Screen,
)


class Cast(NamedTuple):
    """How full the scenes are: weights of the number of slots and of what a slot holds.

    People are `smallest` to `largest` of the frame's height tall, and no taller than `tallest`
    times their slot's width: where that is much, nearer people hide parts of those behind.
    """

    slot_counts: dict[int, float]
    slot_kinds: dict[str, float]
    smallest: float
    largest: float
    tallest: float
    far: float  # where the smallest stand at the highest, of the frame's height
    # Share of videos in which the slots hold nobody and only a passer-by is seen for a while.
    deserted: float


FEW = Cast(
    slot_counts={2: 0.48, 3: 0.32, 4: 0.20},
    slot_kinds={"person": 0.63, "screen": 0.26, "furniture": 0.11},
    smallest=0.36,
    largest=0.8,
    tallest=1.75,
    far=0.82,
    deserted=0.06,
)
# Mostly six to ten people, the largest three times the smallest, who stand higher in the picture.
CROWD = Cast(
    slot_counts={8: 0.3, 9: 0.4, 10: 0.3},
    slot_kinds={"person": 0.90, "screen": 0.06, "furniture": 0.04},
    smallest=0.2,
    largest=0.6,
    tallest=6.0,
    far=0.64,
    deserted=0.0,
)
# FEW's slots, more of them side by side: half as many people again, in the same surroundings.
GROUP = FEW._replace(slot_counts={4: 0.6, 5: 0.4}, tallest=2.5, deserted=0.03)
CASTS = {"few": FEW, "group": GROUP, "crowd": CROWD}

_FURNITURE = ("plant", "lamp", "shelf", "picture")
_PASSER_BY = 0.22
_FRONTAL = 0.05

_ACTIVITY = {"idle": 0.49, "speak": 0.20, "wave": 0.14, "read": 0.10, "phone": 0.07}
# What somebody does who faces a person that does the key.
_REPLY = {
    "idle": {"idle": 0.20, "speak": 0.56, "wave": 0.14, "read": 0.05, "phone": 0.05},
    "speak": {"idle": 0.84, "speak": 0.04, "wave": 0.04, "read": 0.04, "phone": 0.04},
    "wave": {"idle": 0.52, "speak": 0.18, "wave": 0.16, "read": 0.08, "phone": 0.06},
    "read": _ACTIVITY,
    "phone": _ACTIVITY,
}
_SKINS = ((241, 205, 178), (224, 172, 138), (198, 134, 96), (141, 92, 62), (92, 60, 42))
_HAIRS = ((30, 24, 22), (70, 45, 28), (120, 80, 40), (200, 165, 95), (150, 150, 150), (140, 50, 25))


def sample_scene(seed, cast: Cast = FEW) -> Scene:
    """The scene of `seed`: anything `numpy.random.default_rng` takes, such as a SeedSequence."""
    rng = np.random.default_rng(seed)
    deserted = rng.random() < cast.deserted
    num_slots = choose(rng, cast.slot_counts)
    while True:
        kinds = [choose(rng, cast.slot_kinds) for _ in range(num_slots)]
        if not deserted and "person" in kinds:
            break
        if deserted and "person" not in kinds:
            break
    slot_width = FRAME_WIDTH / num_slots
    horizon = rng.uniform(0.58, 0.74) * FRAME_HEIGHT
    centres = [(slot + 0.5 + rng.uniform(-0.05, 0.05)) * slot_width for slot in range(num_slots)]
    screens, furniture = [], []
    for kind, x in zip(kinds, centres, strict=True):
        if kind == "screen":
            screens.append(sample_screen(rng, x, slot_width))
        elif kind == "furniture":
            furniture.append(sample_furniture(rng, x, slot_width, horizon))
    people = _people(rng, cast, kinds, centres, slot_width, furniture)
    if deserted or rng.random() < _PASSER_BY:
        people.append(_passer_by(rng, cast, len(people)))
    return Scene(
        people=tuple(people),
        screens=tuple(screens),
        furniture=tuple(furniture),
        balls=tuple(sample_ball(rng) for _ in range(rng.integers(0, 3))),
        camera=sample_camera(rng),
        backdrop_seed=int(rng.integers(2**31)),
        noise_seed=int(rng.integers(2**31)),
        horizon=horizon,
    )


def choose(rng, shares):
    """A key of `shares`, which are weights."""
    names = list(shares)
    weights = np.array([shares[name] for name in names])
    return names[rng.choice(len(names), p=weights / weights.sum())]


def sample_colour(rng, low=25, high=245):
    """A colour of any hue."""
    return tuple(int(channel) for channel in rng.uniform(low, high, 3))


def sample_look(rng, height) -> Look:
    """Body and clothes of somebody `height` pixels tall."""
    return Look(
        height=height,
        build=rng.uniform(0.9, 1.25),
        tempo=rng.uniform(0.8, 1.25),
        phase=rng.uniform(0, 2 * math.pi),
        skin=_SKINS[rng.integers(len(_SKINS))],
        hair=_HAIRS[rng.integers(len(_HAIRS))],
        shirt=sample_colour(rng),
        trousers=sample_colour(rng, 15, 170),
        shoes=sample_colour(rng, 10, 120),
        object_colour=sample_colour(rng, 60, 250),
        long_sleeves=bool(rng.random() < 0.5),
        long_hair=bool(rng.random() < 0.35),
        hat=bool(rng.random() < 0.15),
    )


def _height_and_ground(rng, cast, slot_width):
    largest = min(cast.largest * FRAME_HEIGHT, cast.tallest * slot_width)
    height = rng.uniform(cast.smallest * FRAME_HEIGHT, largest)
    # Nearer people are larger and stand lower in the picture.
    nearness = (height / FRAME_HEIGHT - cast.smallest) / round(cast.largest - cast.smallest, 6)
    ground = (cast.far + round(0.92 - cast.far, 6) * nearness + rng.uniform(0, 0.05)) * FRAME_HEIGHT
    return height, ground


def _people(rng, cast, kinds, centres, slot_width, furniture) -> list[Person]:
    slots = [slot for slot, kind in enumerate(kinds) if kind == "person"]
    has_chair = {slot: rng.random() < 0.5 for slot in slots}
    chair_facing = {slot: _inward(rng, slot, len(kinds)) for slot in slots}
    starts = _act_starts(rng)
    acts: dict[int, list[Act]] = {slot: [] for slot in slots}
    for start in starts:
        for slot, act in _act(rng, slots, len(kinds), has_chair, chair_facing, start).items():
            acts[slot].append(act)
    people: list[Person] = []
    for slot in slots:
        height, ground = _height_and_ground(rng, cast, slot_width)
        look = sample_look(rng, height)
        path = pacing(rng, centres[slot], 0.24 * slot_width, 0.28 * height, acts[slot])
        if has_chair[slot]:
            furniture.append(
                Furniture(
                    "chair",
                    centres[slot],
                    ground,
                    0.25 * height,
                    sample_colour(rng, 40, 200),
                    0,
                    chair_facing[slot],
                )
            )
        people.append(Person(len(people), look, ground, path, tuple(acts[slot])))
    return people


def _act_starts(rng) -> list[float]:
    """Acts change half-way between keyframes, so that a keyframe's labels are clear."""
    count = rng.choice([2, 3, 4], p=[0.3, 0.45, 0.25])
    halves = rng.choice(np.arange(1, int(DURATION) - 1), count - 1, replace=False)
    return [0.0, *(float(half + 0.5) for half in sorted(halves))]


def _inward(rng, slot, num_slots) -> int:
    sides = ([LEFT] if slot > 0 else []) + ([RIGHT] if slot < num_slots - 1 else [])
    return sides[rng.integers(len(sides))]


def _act(rng, slots, num_slots, has_chair, chair_facing, start):
    """One act for each slot of people. All draws of acts are independent of earlier acts."""
    poses, facings = {}, {}
    activities: dict[int, str] = {}
    for slot in slots:
        if has_chair[slot]:
            poses[slot] = choose(rng, {"sit": 0.70, "stand": 0.20, "bend": 0.10})
        else:
            poses[slot] = choose(rng, {"stand": 0.66, "walk": 0.19, "bend": 0.15})
        facings[slot] = _inward(rng, slot, num_slots)
        if poses[slot] == "sit":
            facings[slot] = chair_facing[slot]
        elif poses[slot] == "stand" and rng.random() < _FRONTAL:
            facings[slot] = FRONT
    for slot in slots if rng.random() < 0.5 else slots[::-1]:
        if poses[slot] in ("stand", "sit"):
            partner = slot + facings[slot]
            mutual = partner in activities and facings[slot] == -facings[partner] != 0
            shares = _REPLY[activities[partner]] if mutual else _ACTIVITY
            activities[slot] = choose(rng, shares)
    made = {}
    for slot in slots:
        activity = activities.get(slot, "idle")
        if poses[slot] == "walk" and rng.random() < 0.2:
            activity = "phone"
        made[slot] = Act(
            start + rng.uniform(-0.1, 0.1) if start else 0.0,
            poses[slot],
            activity,
            _held(rng, poses[slot], activity),
            facings[slot],
        )
    return made


def _held(rng, pose, activity) -> str | None:
    if activity in ("read", "phone") or rng.random() >= {"bend": 0.5, "walk": 0.4}.get(pose, 0.22):
        return None
    if activity in ("speak", "wave"):
        return "bag"
    return "box" if pose == "bend" or rng.random() < 0.5 else "bag"


def pacing(rng, centre, reach, speed, acts):
    """Hips' x over time: to and fro in the slot while walking, at rest otherwise."""
    time, x = 0.0, centre
    side = 1 if rng.random() < 0.5 else -1
    knots = [(0.0, x)]
    for act, end in zip(acts, [*(act.start for act in acts[1:]), DURATION], strict=True):
        if act.pose == "walk":
            while time < end:
                goal = centre + side * reach
                arrival = time + max(0.2, abs(goal - x) / speed)
                if arrival > end:
                    x += (goal - x) * (end - time) / (arrival - time)
                    arrival = end
                else:
                    x, side = goal, -side
                time = arrival
                knots.append((time, x))
        time = end
        knots.append((time, x))
    return tuple(knots)


def _passer_by(rng, cast, person_id) -> Person:
    height, ground = _height_and_ground(rng, cast, FRAME_WIDTH / 2.4)
    speed = rng.uniform(0.45, 0.75) * height
    start = rng.uniform(0.0, 4.5)
    ends = [-0.35 * height, FRAME_WIDTH + 0.35 * height]
    if rng.random() < 0.5:
        ends.reverse()
    path = ((start, ends[0]), (start + abs(ends[1] - ends[0]) / speed, ends[1]))
    activity = "phone" if rng.random() < 0.2 else "idle"
    act = Act(
        0.0, "walk", activity, _held(rng, "walk", activity), RIGHT if ends[1] > ends[0] else LEFT
    )
    return Person(person_id, sample_look(rng, height), ground + rng.uniform(-6, 4), path, (act,))


def sample_screen(rng, x, slot_width) -> Screen:
    """A television at `x`, on or off, as wide as fits."""
    width = rng.uniform(0.5, 0.72) * slot_width
    on = bool(rng.random() < 0.6)
    power = [(0.0, on)]
    if rng.random() < 0.35:
        power.append((float(rng.integers(2, int(DURATION) - 2)) + 0.5, not on))
    return Screen(
        x,
        rng.uniform(0.36, 0.55) * FRAME_HEIGHT,
        width,
        0.62 * width,
        int(rng.integers(2**31)),
        tuple(power),
    )


def sample_furniture(rng, x, slot_width, horizon) -> Furniture:
    """A plant, lamp, shelf or picture at `x`."""
    size = min(rng.uniform(0.35, 0.6) * FRAME_HEIGHT, 1.1 * slot_width)
    kind = _FURNITURE[rng.integers(len(_FURNITURE))]
    ground = rng.uniform(horizon + 4, 0.9 * FRAME_HEIGHT)
    return Furniture(kind, x, ground, size, sample_colour(rng, 40, 200), int(rng.integers(2**31)))


def sample_ball(rng) -> Ball:
    """A distractor anywhere in the frame."""
    return Ball(
        centre=(rng.uniform(0.1, 0.9) * FRAME_WIDTH, rng.uniform(0.1, 0.8) * FRAME_HEIGHT),
        amplitude=(rng.uniform(5, 60), rng.uniform(3, 35)),
        frequency=(rng.uniform(0.05, 0.4), rng.uniform(0.1, 0.8)),
        phase=tuple(rng.uniform(0, 2 * math.pi, 2)),
        radius=rng.uniform(2, 6),
        colour=sample_colour(rng),
    )


def sample_camera(rng) -> Camera:
    """Drift, shake, light and noise."""
    shake = rng.uniform(0, 1.2)
    # Horizontal and vertical waves in turn: a slow drift, then two of shake.
    sway = [
        (rng.uniform(0, 4) * (1 if axis == 0 else 0.5), rng.uniform(0.03, 0.12))
        for axis in range(2)
    ]
    sway += [(shake * rng.uniform(0.2, 0.8), rng.uniform(0.4, 3.0)) for _ in range(4)]
    switched = rng.random() < 0.12
    return Camera(
        sway=tuple((a, f, rng.uniform(0, 2 * math.pi)) for a, f in sway),
        light_swing=(rng.uniform(0, 0.1), rng.uniform(0.05, 0.4), rng.uniform(0, 2 * math.pi)),
        switch_time=rng.uniform(1, DURATION - 1) if switched else DURATION + 1,
        switch_gain=rng.uniform(0.65, 0.8),
        tint=tuple(rng.uniform(0.85, 1.08, 3)),
        noise=rng.uniform(1.0, 6.0),
    )
