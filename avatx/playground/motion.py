"""An act at a moment -> a body pose.

Angles are radians from hanging straight down, positive towards the side faced; hands are
given where they are, relative to their shoulder, in body heights (forward, down), so that a
blend of two poses is a plausible pose.
"""

import numpy as np

from avatx.playground.scene import Act, Person

# The entries of a pose vector.
(
    LEAN,
    HEAD,
    MOUTH,
    NEAR_HAND_X,
    NEAR_HAND_Y,
    FAR_HAND_X,
    FAR_HAND_Y,
    NEAR_HIP,
    NEAR_KNEE,
    FAR_HIP,
    FAR_KNEE,
) = range(11)

# Seconds that a change from one act to the next takes, centred on the next act's start.
BLEND = 0.4


def pose_at(person: Person, time: float) -> np.ndarray:
    """Pose vector [11] float64 of `person` at `time`, blended where one act gives way."""
    index = person.act_index(time)
    pose = _act_pose(person, person.acts[index], time)
    for neighbour, change in ((index - 1, index), (index + 1, index + 1)):
        if not (0 <= neighbour < len(person.acts) and change > 0):
            continue
        distance = abs(time - person.acts[change].start)
        if distance < BLEND / 2:
            weight = 0.5 - distance / BLEND  # of the neighbouring act
            smooth = weight * weight * (3 - 2 * weight)
            pose = (1 - smooth) * pose + smooth * _act_pose(person, person.acts[neighbour], time)
    return pose


def _act_pose(person: Person, act: Act, time: float) -> np.ndarray:
    tempo, phase = person.look.tempo, person.look.phase
    pose = np.zeros(11)
    breath = np.sin(2 * np.pi * 0.3 * tempo * time + phase)
    pose[LEAN] = 0.03 + 0.012 * breath
    rest = (0.02 + 0.004 * breath, 0.325)
    _POSES[act.pose](pose, tempo * time, phase)
    if act.pose == "sit":
        rest = (0.19, 0.21)
    elif act.pose == "bend":
        rest = (0.06 + 0.03 * breath, 0.30)
    if act.pose != "walk":
        _place_hands(pose, rest, rest)
    _hold(pose, act)
    _ACTIVITIES[act.activity](pose, act, tempo * time, phase)
    return pose


def _place_hands(pose, near=None, far=None):
    if near is not None:
        pose[NEAR_HAND_X], pose[NEAR_HAND_Y] = near
    if far is not None:
        pose[FAR_HAND_X], pose[FAR_HAND_Y] = far


def _stand(pose, time, phase):
    pose[NEAR_HIP], pose[FAR_HIP] = 0.07, -0.09


def _sit(pose, time, phase):
    pose[NEAR_HIP], pose[NEAR_KNEE] = 1.45, 1.4
    pose[FAR_HIP], pose[FAR_KNEE] = 1.36, 1.2
    pose[LEAN] -= 0.06


def _bend(pose, time, phase):
    pose[LEAN] = 1.2 + 0.16 * np.sin(2 * np.pi * 0.45 * time + phase)
    pose[HEAD] = -0.25
    pose[NEAR_HIP], pose[FAR_HIP] = -0.08, -0.16
    pose[NEAR_KNEE] = pose[FAR_KNEE] = 0.05


def _walk(pose, time, phase):
    angle = 2 * np.pi * 0.95 * time + phase
    swing = np.sin(angle)
    pose[LEAN] += 0.05
    pose[NEAR_HIP], pose[FAR_HIP] = 0.5 * swing, -0.5 * swing
    # The knee bends while its leg swings forward.
    pose[NEAR_KNEE] = 0.75 * max(0.0, np.cos(angle)) + 0.05
    pose[FAR_KNEE] = 0.75 * max(0.0, -np.cos(angle)) + 0.05
    _place_hands(pose, (-0.15 * swing + 0.02, 0.29), (0.15 * swing + 0.02, 0.29))


def _hold(pose, act):
    if act.held == "box":
        carried = (0.12, 0.25) if act.pose == "bend" else (0.19, 0.17)
        _place_hands(pose, carried, carried)
    elif act.held == "bag":
        # The far arm stays free to speak or wave with.
        _place_hands(pose, near=(0.03, 0.33) if act.pose != "sit" else (-0.02, 0.30))


def _idle(pose, act, time, phase):
    pass


def _speak(pose, act, time, phase):
    beat = np.sin(2 * np.pi * 1.3 * time + phase)
    gesture = (0.17 + 0.05 * np.cos(2 * np.pi * 0.9 * time), 0.10 + 0.10 * beat)
    if act.held == "bag":
        _place_hands(pose, far=gesture)
    else:
        _place_hands(pose, near=gesture)
    pose[HEAD] = 0.07 * beat
    pose[MOUTH] = _mouth(time, phase)


def _mouth(time, phase):
    return 0.5 + 0.5 * np.sin(2 * np.pi * 3.1 * time + 3 * phase)


def _wave(pose, act, time, phase):
    hand = (0.08 + 0.11 * np.sin(2 * np.pi * 1.5 * time + phase), -0.29)
    if act.held == "bag":
        _place_hands(pose, far=hand)
    else:
        _place_hands(pose, near=hand)


def _read(pose, act, time, phase):
    turn = 0.01 * np.sin(2 * np.pi * 0.4 * time + phase)
    _place_hands(pose, (0.18, 0.12 + turn), (0.19, 0.12 + turn))
    pose[HEAD] = 0.42


def _phone(pose, act, time, phase):
    _place_hands(pose, near=(0.05, -0.085))
    pose[HEAD] = 0.05
    pose[MOUTH] = 0.7 * _mouth(time, phase)


_POSES = {"stand": _stand, "sit": _sit, "bend": _bend, "walk": _walk}
_ACTIVITIES = {"idle": _idle, "speak": _speak, "wave": _wave, "read": _read, "phone": _phone}
