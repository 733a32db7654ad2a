"""A body pose -> limbs to paint, from back to front.

Proportions are fractions of the body's height, roughly those of an adult.
"""

import math
from typing import NamedTuple

import numpy as np

from avatx.playground import motion
from avatx.playground.scene import FRONT, Colour, Person

_UPPER_LEG, _LOWER_LEG, _SOLE = 0.245, 0.235, 0.02
_TORSO, _NECK, _HEAD_RADIUS = 0.30, 0.035, 0.072
_UPPER_ARM, _LOWER_ARM = 0.165, 0.165
_FOOT = 0.075

Point = tuple[float, float]


class Shape(NamedTuple):
    """One thing to paint: a stroke with round ends through two points, a disc, or a polygon.

    kind: "stroke" (size is its thickness), "disc" (size is its radius) or "polygon".
    is_body: whether it counts as the person (held things do not).
    """

    kind: str
    points: tuple[Point, ...]
    size: float
    colour: Colour
    is_body: bool = True


def figure(person: Person, time: float) -> list[Shape]:
    """The person at `time` as shapes in scene pixels, in painting order."""
    return _Figure(person, time).shapes()


def _darker(colour: Colour, factor: float = 0.72) -> Colour:
    red, green, blue = (int(channel * factor) for channel in colour)
    return red, green, blue


class _Figure:
    def __init__(self, person: Person, time: float):
        self.look = person.look
        self.unit = person.look.height
        self.act = person.act_at(time)
        self.facing = person.facing_at(time)
        self.pose = motion.pose_at(person, time)
        self.front = self.facing == FRONT
        self.forward = self.facing or 1
        legs = [
            self._leg_depth(motion.NEAR_HIP, motion.NEAR_KNEE),
            self._leg_depth(motion.FAR_HIP, motion.FAR_KNEE),
        ]
        # The deeper foot touches the ground. Bending moves the hips back, for balance.
        back = 0.45 * max(0.0, math.sin(self.pose[motion.LEAN]) - 0.1) * _TORSO
        self.hip = (
            person.x_at(time) - self.forward * back * self.unit,
            person.ground - (max(legs) + _SOLE) * self.unit,
        )
        self.neck = self._along(self.hip, math.pi - self.pose[motion.LEAN], _TORSO)
        self.shoulder = self._along(self.hip, math.pi - self.pose[motion.LEAN], 0.9 * _TORSO)
        head_angle = math.pi - self.pose[motion.LEAN] - self.pose[motion.HEAD]
        self.head = self._along(self.neck, head_angle, _NECK + 0.8 * _HEAD_RADIUS)
        self.head_up = self._direction(head_angle)

    def _leg_depth(self, hip: int, knee: int) -> float:
        angle = self.pose[hip]
        return _UPPER_LEG * math.cos(angle) + _LOWER_LEG * math.cos(angle - self.pose[knee])

    def _direction(self, angle: float) -> Point:
        return self.forward * math.sin(angle), math.cos(angle)

    def _along(self, start: Point, angle: float, length: float) -> Point:
        dx, dy = self._direction(angle)
        return start[0] + dx * length * self.unit, start[1] + dy * length * self.unit

    def _offset(self, start: Point, forward: float, down: float) -> Point:
        return start[0] + self.forward * forward * self.unit, start[1] + down * self.unit

    def _thick(self, fraction: float) -> float:
        return fraction * self.unit * self.look.build

    def shapes(self) -> list[Shape]:
        """Far arm, far leg, near leg, torso, head, held things, near arm."""
        near_arm, near_hand = self._arm(motion.NEAR_HAND_X, motion.NEAR_HAND_Y, -1, False)
        far_arm, far_hand = self._arm(motion.FAR_HAND_X, motion.FAR_HAND_Y, 1, True)
        legs = self._leg(motion.FAR_HIP, motion.FAR_KNEE, 1, True) + self._leg(
            motion.NEAR_HIP, motion.NEAR_KNEE, -1, False
        )
        torso = [
            Shape(
                "stroke",
                (self._towards(self.hip, self.shoulder, 0.06), self.shoulder),
                self._thick(0.155 if not self.front else 0.175),
                self.look.shirt,
            ),
            Shape("stroke", (self.neck, self.head), self._thick(0.06), self.look.skin),
        ]
        middle = legs + torso + self._head_shapes()
        things = self._held_shapes(near_hand, far_hand)
        if self.act.activity == "phone" or self.act.held == "bag":
            return far_arm + middle + near_arm + things
        return far_arm + middle + things + near_arm

    @staticmethod
    def _towards(start: Point, end: Point, share: float) -> Point:
        x, y = ((1 - share) * a + share * b for a, b in zip(start, end, strict=True))
        return x, y

    def _leg(self, hip: int, knee: int, side: int, far: bool) -> list[Shape]:
        start = (self.hip[0] + (side * 0.045 * self.unit if self.front else 0.0), self.hip[1])
        angle = self.pose[hip] if not self.front else side * 0.05
        bend = self.pose[knee] if not self.front else 0.0
        middle = self._along(start, angle, _UPPER_LEG)
        ankle = self._along(middle, angle - bend, _LOWER_LEG)
        toe = self._offset(
            ankle,
            _FOOT if not self.front else side * 0.02,
            0.3 * _SOLE if not self.front else _SOLE,
        )
        colour = _darker(self.look.trousers) if far else self.look.trousers
        return [
            Shape("stroke", (start, middle), self._thick(0.088), colour),
            Shape("stroke", (middle, ankle), self._thick(0.07), colour),
            Shape("stroke", (ankle, toe), self._thick(0.05), self.look.shoes),
        ]

    def _arm(self, hand_x: int, hand_y: int, side: int, far: bool):
        """Upper arm, forearm and hand, by two-link inverse kinematics; and the hand's place."""
        start = self.shoulder
        forward, down = self.pose[hand_x], self.pose[hand_y]
        if self.front:
            start = (start[0] + side * 0.085 * self.unit, start[1])
            mirrored = side * self.forward
            forward = mirrored * (abs(forward) * 0.5 + 0.03)
        hand = self._offset(start, forward, down)
        distance = math.hypot(forward, down)
        reach = min(distance, 0.999 * (_UPPER_ARM + _LOWER_ARM))
        if distance > reach:
            hand = self._offset(start, forward * reach / distance, down * reach / distance)
        cosine = (_UPPER_ARM**2 + reach**2 - _LOWER_ARM**2) / (2 * _UPPER_ARM * max(reach, 1e-3))
        bend = math.acos(float(np.clip(cosine, -1.0, 1.0)))
        # Elbows point backwards and down; a raised arm's point forward.
        aim = math.atan2(forward, down)
        if self.front:
            elbow_angle = aim + math.copysign(bend, mirrored)
        else:
            elbow_angle = aim - bend if down > -0.15 else aim + bend * (-1 if forward > 0 else 1)
            if self.act.activity == "phone" and down < 0:
                elbow_angle = max(aim - bend, aim + bend, key=math.cos)  # the lower elbow
        elbow = self._along(start, elbow_angle, _UPPER_ARM)
        shirt = _darker(self.look.shirt, 0.85 if not far else 0.65)
        skin = self.look.skin if not far else _darker(self.look.skin, 0.85)
        return [
            Shape("stroke", (start, elbow), self._thick(0.058), shirt),
            Shape(
                "stroke",
                (elbow, hand),
                self._thick(0.048),
                shirt if self.look.long_sleeves else skin,
            ),
            Shape("disc", (hand,), 0.03 * self.unit, skin),
        ], hand

    def _head_shapes(self) -> list[Shape]:
        radius = _HEAD_RADIUS * self.unit
        up = self.head_up
        face = (-up[1] * self.forward, up[0] * self.forward)  # unit vector out of the face
        if face[0] * self.forward < 0:
            face = (-face[0], -face[1])

        def spot(along_face: float, along_up: float) -> Point:
            return (
                self.head[0] + radius * (along_face * face[0] + along_up * up[0]),
                self.head[1] + radius * (along_face * face[1] + along_up * up[1]),
            )

        dark = (30, 22, 22)
        shapes = []
        if self.look.long_hair:
            back = -0.55 if not self.front else 0.0
            shapes.append(
                Shape(
                    "stroke",
                    (spot(back, 0.3), spot(1.25 * back, -1.3)),
                    radius * (1.0 if not self.front else 2.1),
                    self.look.hair,
                )
            )
        shapes.append(Shape("disc", (self.head,), radius, self.look.skin))
        opening = self.pose[motion.MOUTH]
        if self.front:
            shapes += [
                Shape(
                    "stroke", (spot(-0.55, 0.72), spot(0.55, 0.72)), 0.75 * radius, self.look.hair
                ),
                Shape("disc", (spot(-0.38, 0.1),), 0.16 * radius, dark),
                Shape("disc", (spot(0.38, 0.1),), 0.16 * radius, dark),
                Shape(
                    "stroke",
                    (spot(-0.25, -0.5), spot(0.25, -0.5)),
                    (0.16 + 0.4 * opening) * radius,
                    (120, 30, 35),
                ),
            ]
        else:
            shapes += [
                Shape("disc", (spot(1.0, -0.08),), 0.24 * radius, self.look.skin),
                Shape("disc", (spot(-0.42, 0.32),), 0.8 * radius, self.look.hair),
                Shape("stroke", (spot(-0.45, 0.7), spot(0.4, 0.8)), 0.55 * radius, self.look.hair),
                Shape("disc", (spot(0.55, 0.15),), 0.17 * radius, dark),
            ]
            if opening > 0.02:
                shapes.append(
                    Shape(
                        "disc", (spot(0.72, -0.5),), (0.1 + 0.28 * opening) * radius, (110, 20, 30)
                    )
                )
        if self.look.hat:
            brim = (-0.9, 1.3) if not self.front else (-1.15, 1.15)
            shapes += [
                Shape("stroke", (spot(-0.4, 0.95), spot(0.4, 0.95)), 0.7 * radius, self.look.shoes),
                Shape(
                    "stroke",
                    (spot(brim[0], 0.7), spot(brim[1], 0.7)),
                    0.28 * radius,
                    self.look.shoes,
                ),
            ]
        return shapes

    def _held_shapes(self, near_hand: Point, far_hand: Point) -> list[Shape]:
        unit = self.unit
        colour = self.look.object_colour
        if self.act.activity == "read":
            centre = self._towards(near_hand, far_hand, 0.5)
            if self.front:
                book = [(-0.12, -0.09), (0.12, -0.09), (0.12, 0.07), (-0.12, 0.07)]
                fold = [(0.0, -0.09), (0.0, 0.07)]
            else:
                book = [(-0.08, -0.05), (0.03, -0.17), (0.11, -0.11), (0.0, 0.03)]
                fold = [(0.07, -0.14), (-0.04, -0.01)]
            corners = tuple(self._offset(centre, x, y) for x, y in book)
            crease = tuple(self._offset(centre, x, y) for x, y in fold)
            return [
                Shape("polygon", corners, 0, (244, 242, 232), False),
                Shape("stroke", (corners[0], corners[1]), 0.028 * unit, colour, False),
                Shape("stroke", crease, 0.012 * unit, (120, 110, 100), False),
            ]
        shapes = []
        if self.act.activity == "phone":
            shapes.append(
                Shape(
                    "stroke",
                    (self._offset(near_hand, -0.02, -0.045), self._offset(near_hand, 0.02, 0.035)),
                    0.042 * unit,
                    (20, 20, 26),
                    False,
                )
            )
        if self.act.held == "box":
            centre = self._offset(self._towards(near_hand, far_hand, 0.5), 0.02, -0.01)
            corners = tuple(
                self._offset(centre, x, y)
                for x, y in ((-0.08, -0.075), (0.08, -0.075), (0.08, 0.075), (-0.08, 0.075))
            )
            shapes += [
                Shape("polygon", corners, 0, colour, False),
                Shape(
                    "stroke",
                    (self._offset(centre, -0.08, 0.0), self._offset(centre, 0.08, 0.0)),
                    0.02 * unit,
                    _darker(colour, 0.6),
                    False,
                ),
            ]
        elif self.act.held == "bag":
            corners = tuple(
                self._offset(near_hand, x, y)
                for x, y in ((-0.05, 0.05), (0.05, 0.05), (0.075, 0.17), (-0.075, 0.17))
            )
            shapes += [
                Shape(
                    "stroke",
                    (near_hand, self._offset(near_hand, 0, 0.06)),
                    0.02 * unit,
                    _darker(colour, 0.6),
                    False,
                ),
                Shape("polygon", corners, 0, colour, False),
            ]
        return shapes
