"""Which labels the people of a scene carry at a moment.

Pose and object classes follow from what the person does. The context classes follow from
what the person does AND from what is next in the direction the person faces, its `target`:
the nearest person, screen or piece of furniture on that side.

    class                 the person        and the target
    watch (e.g., TV)      idle              is a screen that is on
    listen to (a person)  idle              is a person who speaks, facing this one
    watch (a person)      idle              is a person
    talk to               speaks            is a person who faces this one
    hand wave             waves an arm      is a person

Idle people only stand or sit and look; the script draws the target independently of the
person's looks, so the person's own pixels show that a class is possible, never that it holds.
Somebody who speaks or waves to nobody (AVA's "talk to self") is not labelled.
"""

import dataclasses

from avatx.playground import classes
from avatx.playground.scene import FRAME_WIDTH, FRONT, Furniture, Person, Scene, Screen

_POSES = {
    "stand": classes.STAND,
    "walk": classes.WALK,
    "sit": classes.SIT,
    "bend": classes.BEND,
}
# What a person must do for each context class to be possible at all.
REQUIRED_ACTIVITY = {
    classes.WATCH_SCREEN: "idle",
    classes.LISTEN: "idle",
    classes.WATCH_PERSON: "idle",
    classes.TALK: "speak",
    classes.HAND_WAVE: "wave",
}

Target = Person | Screen | Furniture


def is_eligible(person: Person, class_id: int, time: float) -> bool:
    """Whether the person's own pixels allow the context class `class_id` at `time`."""
    act = person.act_at(time)
    return (
        act.pose in ("stand", "sit")
        and act.facing != FRONT
        and act.activity == REQUIRED_ACTIVITY[class_id]
    )


def target_of(scene: Scene, person: Person, time: float) -> Target | None:
    """The nearest person, screen or piece of furniture on the side that `person` faces."""
    facing = person.facing_at(time)
    x = person.x_at(time)
    nearest: Target | None = None
    nearest_distance = float("inf")
    furniture = [item for item in scene.furniture if item.kind != "chair"]
    others: list[Target] = [*scene.people, *scene.screens, *furniture]
    for other in others:
        if other is person:
            continue
        other_x = other.x_at(time) if isinstance(other, Person) else other.x
        distance = (other_x - x) * facing
        if 0 <= other_x <= FRAME_WIDTH and 0 < distance < nearest_distance:
            nearest, nearest_distance = other, distance
    return nearest


def labels_at(scene: Scene, time: float) -> dict[int, list[int]]:
    """Class ids in ascending order for each person id, those outside the frame included."""
    return {person.person_id: _labels(scene, person, time) for person in scene.people}


def concerned_at(scene: Scene, person: Person, time: float) -> dict[int, int]:
    """The id of the person whom a label of `person` concerns, by class id in ascending order."""
    target = target_of(scene, person, time)
    if not isinstance(target, Person):
        return {}
    return {
        class_id: target.person_id
        for class_id in _labels(scene, person, time)
        if class_id in classes.PERSON_CLASSES
    }


def _labels(scene: Scene, person: Person, time: float) -> list[int]:
    act = person.act_at(time)
    labels = [_POSES[act.pose]]
    if act.held is not None:
        labels.append(classes.HOLD)
    if act.activity == "read":
        labels.append(classes.READ)
    if act.activity == "phone":
        labels.append(classes.ANSWER_PHONE)
    target = target_of(scene, person, time)
    for class_id in classes.CONTEXT_CLASSES:
        if is_eligible(person, class_id, time) and _holds(class_id, person, target, time):
            labels.append(class_id)
    return sorted(labels)


def _holds(class_id: int, person: Person, target: Target | None, time: float) -> bool:
    if class_id == classes.WATCH_SCREEN:
        return isinstance(target, Screen) and target.is_on(time)
    if not isinstance(target, Person):
        return False
    faces_back = target.facing_at(time) == -person.facing_at(time)
    if class_id == classes.LISTEN:
        return faces_back and target.act_at(time).activity == "speak"
    if class_id == classes.TALK:
        return faces_back
    return True


def without_label(scene: Scene, person: Person, class_id: int, time: float) -> Scene:
    """The same scene, changed only in the target of `person` so that `class_id` holds no more.

    The screen is switched off; the speaker falls silent (listen to); the person talked to
    turns round and walks the other way; the person watched or waved at is replaced by a plant.

    Raises:
      ValueError: `person` does not carry the context class `class_id` at `time`.
    """
    target = target_of(scene, person, time)
    holds = class_id in classes.CONTEXT_CLASSES and class_id in _labels(scene, person, time)
    if holds and isinstance(target, Screen):
        off = dataclasses.replace(target, power=((0.0, False),))
        screens = tuple(off if screen is target else screen for screen in scene.screens)
        return dataclasses.replace(scene, screens=screens)
    if not holds or not isinstance(target, Person):
        raise ValueError(f"person {person.person_id} has no context label {class_id} at {time} s")
    others = tuple(other for other in scene.people if other is not target)
    if class_id in (classes.WATCH_PERSON, classes.HAND_WAVE):
        plant = Furniture(
            "plant",
            target.x_at(time),
            target.ground,
            0.6 * target.look.height,
            target.look.shirt,
            target.person_id,
        )
        return dataclasses.replace(scene, people=others, furniture=(*scene.furniture, plant))
    path = target.path
    if class_id == classes.LISTEN:
        acts = tuple(
            dataclasses.replace(act, activity="idle") if act.activity == "speak" else act
            for act in target.acts
        )
    else:
        acts = tuple(dataclasses.replace(act, facing=-act.facing) for act in target.acts)
        # Somebody who walks faces where the path leads.
        x = target.x_at(time)
        path = tuple((knot_time, 2 * x - knot_x) for knot_time, knot_x in target.path)
    # Same place in the tuple: people at the same depth are painted in this order.
    changed = dataclasses.replace(target, acts=acts, path=path)
    return dataclasses.replace(
        scene, people=tuple(changed if p is target else p for p in scene.people)
    )
