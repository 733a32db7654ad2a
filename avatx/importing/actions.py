"""Which attributes of a person are actions."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from avatx.data.annotations.fields import is_person

_NOTHING = {"", "none", "no", "nothing", "no action", "n/a", "undefined", "__undefined__", "false"}
_IDS = ("track_id", "track", "person_id", "id")
# What the tools themselves write among a box's attributes: CVAT's five internal ones, its z_order,
# source and groups, and those of the formats that datumaro, CVAT's exporter, reads and writes.
_BOOKKEEPING = {
    *("occluded", "outside", "keyframe", "track_id", "rotation", "z_order", "source", "group"),
    *("group_id", "subset", "frame", "task_id", "label_id", "score", "is_crowd", "iscrowd"),
    *("visibility", "ignored", "truncated", "difficult"),
}
# Names may hold commas, as AVA's "watch (e.g., TV)": in brackets none separates two of them.
_BETWEEN_NAMES = re.compile(r",(?![^(]*\))")
_OF_OPTIONS = ("select", "radio")
LIST = "list"
_TOLD = ("occluded", "rotation", "truncated", "difficult")


def is_identity(name: str) -> bool:
    """Whether an attribute says which person it is."""
    return name.strip().lower() in _IDS


def is_true(value: str) -> bool:
    """Whether an attribute's value says yes."""
    return value.strip().lower() in ("true", "1", "1.0")


def actions_of(
    values: Mapping[str, Sequence[str]],
    kinds: Mapping[str, str],
    chosen: Sequence[str],
    lost: Counter,
    label: str = "person",
    bookkeeping: bool = False,
) -> list[str]:
    """Names of the actions among a box's attributes, and its label if that is one.

    Args:
      values: attribute -> what it says; what was chosen of options is a name each, as it is; a free
        text may be several with commas between.
      kinds: attribute -> checkbox, select, radio, text, number, LIST (of names, each as it is); may
        lack any.
      chosen: attributes that are actions, whatever they are called; if empty, those of the first
        three kinds, and any that is called action, actions or activity, without the tools' own.
      lost: gets the others.
      label: the box's. One that is no person is an action, unless there is an attribute that says
        what the person does: one of `chosen`, or any of those that is no checkbox.
      bookkeeping: the export does not tell the user's attributes from the tools' own, so that those
        of the tools' names are theirs.
    """
    actions: list[str] = []
    asked = False
    for name, texts in values.items():
        kind = kinds.get(name, "")
        given = [text.strip() for text in texts]
        own = name.strip().lower().replace(" ", "_")
        if name not in chosen and (is_identity(name) or (bookkeeping and own in _BOOKKEEPING)):
            if own in _TOLD and not {text.lower() for text in given} <= {*_NOTHING, "0", "0.0"}:
                lost[f"{own} of a box"] += 1
            continue
        usual = kind in ("checkbox", *_OF_OPTIONS) or name.lower() in (
            "action",
            "actions",
            "activity",
        )
        if (chosen and name not in chosen) or not (chosen or usual):
            lost[f"attribute {name!r}"] += 1
            continue
        # A checkbox that is off says little; an attribute with values says what the person does.
        asked = asked or kind != "checkbox" or bool(chosen)
        for text in given:
            if text.lower() in ("true", "1") and kind in ("checkbox", ""):
                actions.append(name)
            elif text.lower() not in _NOTHING:
                actions += [text] if kind in (*_OF_OPTIONS, LIST) else _names(text)
    if is_person(label) or not label.strip():
        return actions
    if asked:
        lost[f"label {label!r} of a box with an attribute that says the action"] += 1
        return actions
    return [label, *actions]


def _names(text: str) -> list[str]:
    return [part.strip() for part in _BETWEEN_NAMES.split(text) if part.strip()]
