"""What makes an action between people or with a screen hold, in scenes of two or three."""

import pytest

from avatx.playground import classes, labels
from avatx.playground.scene import FRONT, LEFT, RIGHT, Act, Furniture, Person, Scene, Screen

CENTRE = 80.0


def person(number, x, facing, activity="idle", pose="stand", held=None):
    return Person(number, None, 100.0, ((0.0, x),), (Act(0.0, pose, activity, held, facing),))


def context(*people, screens=(), furniture=()):
    """The classes of the first person that depend on somebody or something else."""
    scene = Scene(people, screens, furniture, (), None, 0, 0, 60.0)
    found = labels.labels_at(scene, 1.0)[people[0].person_id]
    return [class_id for class_id in found if class_id in classes.CONTEXT_CLASSES]


def screen(x, *power):
    return Screen(x, 40.0, 20.0, 12.0, 0, power)


IDLE = person(0, CENTRE, RIGHT)
SPEAKS, WAVES = person(0, CENTRE, RIGHT, "speak"), person(0, CENTRE, RIGHT, "wave")
LISTEN, TALK, WATCH, WAVE, TV = (
    classes.LISTEN,
    classes.TALK,
    classes.WATCH_PERSON,
    classes.HAND_WAVE,
    classes.WATCH_SCREEN,
)


@pytest.mark.parametrize(
    "one, other, expected",
    [
        (IDLE, person(1, 120, LEFT), [WATCH]),
        (IDLE, person(1, 120, RIGHT), [WATCH]),
        (IDLE, person(1, 120, LEFT, "speak"), [LISTEN, WATCH]),
        (IDLE, person(1, 120, RIGHT, "speak"), [WATCH]),  # speaks to somebody else
        (IDLE, person(1, 40, RIGHT, "speak"), []),  # behind the back
        (IDLE, person(1, 9999, LEFT), []),  # outside of the frame
        (SPEAKS, person(1, 120, LEFT), [TALK]),
        (SPEAKS, person(1, 120, RIGHT), []),
        (SPEAKS, person(1, 40, RIGHT), []),
        (WAVES, person(1, 120, RIGHT), [WAVE]),
        (WAVES, person(1, 40, RIGHT), []),
        (person(0, CENTRE, FRONT), person(1, 120, LEFT, "speak"), []),
        (person(0, CENTRE, RIGHT, pose="bend"), person(1, 120, LEFT, "speak"), []),
        (person(0, CENTRE, RIGHT, pose="sit"), person(1, 120, LEFT), [WATCH]),
    ],
)
def test_two_people(one, other, expected):
    assert context(one, other) == expected


def test_the_nearest_counts():
    near, far = person(1, 100, RIGHT), person(2, 120, LEFT, "speak")
    assert context(IDLE, far, near) == [WATCH]
    chair, plant = (Furniture(kind, 90.0, 100.0, 10.0, (0, 0, 0), 0) for kind in ("chair", "plant"))
    assert context(IDLE, near, furniture=(chair,)) == [WATCH]  # nobody looks at a chair
    assert context(IDLE, near, furniture=(plant,)) == []


def test_a_screen_is_watched_while_it_is_on():
    assert context(IDLE, screens=(screen(120.0, (0.0, True)),)) == [TV]
    assert context(IDLE, screens=(screen(120.0, (0.0, False)),)) == []
    assert context(IDLE, screens=(screen(120.0, (0.0, True), (1.0, False)),)) == []  # at 1 s
    assert context(IDLE, screens=(screen(40.0, (0.0, True)),)) == []
    assert context(SPEAKS, screens=(screen(120.0, (0.0, True)),)) == []


def test_what_a_person_does_alone():
    scene = Scene(
        (
            person(4, CENTRE, FRONT, "read", pose="sit"),
            person(7, 20.0, RIGHT, "phone", held="bag"),
            person(9, 130.0, LEFT, pose="bend"),
        ),
        *((), (), (), None, 0, 0, 60.0),
    )
    assert labels.labels_at(scene, 0.0) == {
        4: sorted([classes.SIT, classes.READ]),
        7: sorted([classes.STAND, classes.ANSWER_PHONE, classes.HOLD]),
        9: [classes.BEND],
    }
