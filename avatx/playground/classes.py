"""The playground's classes: a subset of AVA's, with AVA's ids and names.

Ids and names are those of AVA v2.1's action list (https://research.google.com/ava/).
"""

BEND = 1
SIT = 11
STAND = 12
WALK = 14
ANSWER_PHONE = 15
HOLD = 17
READ = 48
WATCH_SCREEN = 61
HAND_WAVE = 69
LISTEN = 74
TALK = 79
WATCH_PERSON = 80

NAMES = {
    BEND: "bend/bow (at the waist)",
    SIT: "sit",
    STAND: "stand",
    WALK: "walk",
    ANSWER_PHONE: "answer phone",
    HOLD: "carry/hold (an object)",
    READ: "read",
    WATCH_SCREEN: "watch (e.g., TV)",
    HAND_WAVE: "hand wave",
    LISTEN: "listen to (a person)",
    TALK: "talk to (e.g., self, a person, a group)",
    WATCH_PERSON: "watch (a person)",
}

POSE_CLASSES = (BEND, SIT, STAND, WALK)
OBJECT_CLASSES = (ANSWER_PHONE, HOLD, READ)
# Not decidable from the person's own pixels: see `labels.py`.
CONTEXT_CLASSES = (WATCH_SCREEN, HAND_WAVE, LISTEN, TALK, WATCH_PERSON)
# Those of them that are about another person.
PERSON_CLASSES = (HAND_WAVE, LISTEN, TALK, WATCH_PERSON)
