"""Which attributes of a person are actions."""

from collections import Counter
from collections.abc import Mapping, Sequence

_NOTHING = {"", "none", "no", "nothing", "no action", "n/a", "undefined", "__undefined__", "false"}
_PEOPLE = ("person", "people", "pedestrian", "human", "man", "woman", "player")
_IDS = ("track_id", "track", "person_id", "id")


def is_person(label: str) -> bool:
    """Whether a label is a kind of person, and no action."""
    return label.strip().lower() in _PEOPLE


def is_identity(name: str) -> bool:
    """Whether an attribute says which person it is."""
    return name.strip().lower() in _IDS


def actions_of(
    values: Mapping[str, str],
    kinds: Mapping[str, str],
    chosen: Sequence[str],
    lost: Counter,
) -> list[str]:
    """Names of the actions among a box's attributes.

    Args:
      values: attribute -> what it says.
      kinds: attribute -> checkbox, select, radio, text, number; may lack any.
      chosen: attributes that are actions; if empty, those of the first three kinds, and any that
        is called action, actions or activity.
      lost: gets the others.
    """
    actions = []
    for name, value in values.items():
        kind = kinds.get(name, "")
        given = value.strip()
        if is_identity(name) and name not in chosen:
            continue
        usual = kind in ("checkbox", "select", "radio") or name.lower() in (
            "action",
            "actions",
            "activity",
        )
        if (chosen and name not in chosen) or not (chosen or usual):
            lost[f"attribute {name!r}"] += 1
        elif given.lower() in ("true", "1") and kind in ("checkbox", ""):
            actions.append(name)
        elif given.lower() not in _NOTHING:
            actions += [part.strip() for part in given.split(",") if part.strip()]
    return actions
