"""One colour for one meaning, in pictures, videos, the explorer and on the page of an analysis.

Distinguishable with the usual colour-blindnesses; those of actions are Okabe-Ito's.
"""

from collections.abc import Mapping, Sequence

from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.action_groups import find_groups

# Kinds of actions, and actions of no kind that is known. Black text can be read on each.
POSE, WITH_OBJECTS, WITH_PEOPLE, OTHER_ACTION = "#56b4e9", "#e69f00", "#cc79a7", "#f0e442"
_GROUPS = {
    "PERSON_MOVEMENT": POSE,
    "OBJECT_MANIPULATION": WITH_OBJECTS,
    "PERSON_INTERACTION": WITH_PEOPLE,
}
_OWN_GROUPS = ("#d55e00", "#0080c8", POSE, WITH_OBJECTS, WITH_PEOPLE)

NEUTRAL = "#8d9aa8"  # of all actions
COUNT = "#1a7f37"  # how many there are
# A detection that the annotations confirm, one that they do not, and what is annotated. White text
# can be read on each.
RIGHT, WRONG, ANNOTATED = "#005eb8", "#c81e1e", "#00753f"
# Kinds of detections, in the order of `false_positives.KINDS`: a hue for what is right of it (all;
# the box; the place, roughly), the darker the more is wrong.
DETECTIONS = ("#5ab4ac", "#c7eae5", "#c3bddd", "#7667ab", "#e0cfa9", "#8c510a", "#404040")
INK = "#222222"


def class_colours(
    names: Mapping[int, str], groups: Mapping[int, str] | None = None
) -> dict[int, str]:
    """The colour of each class of a label map.

    Args:
      names: class id to name, of the whole label map, for an id means a group only in AVA's.
      groups: class id to the label map's own `label_type`, where it has any.

    Returns:
      Class id to colour: that of its group, where `find_groups` knows one, else `OTHER_ACTION`.
    """
    groups = find_groups(LabelMap(dict(names), dict(groups or {})))
    colours = group_colours(list(dict.fromkeys(groups.values())))
    return {number: group_colour(groups.get(number), colours) for number in names}


def group_colours(groups: Sequence[str]) -> dict[str, str]:
    """The colour of each group of actions: AVA's have their own, a label map's own the series'."""
    colours = {group: _GROUPS[group] for group in groups if group in _GROUPS}
    series = iter([colour for colour in _OWN_GROUPS if colour not in colours.values()])
    # Groups beyond the series have no colour of their own.
    return {
        group: colours[group] if group in colours else next(series, OTHER_ACTION)
        for group in groups
    }


def group_colour(group: str | None, colours: Mapping[str, str]) -> str:
    """The colour of a class of this group, by `group_colours`; None: it has none."""
    return OTHER_ACTION if group is None else colours.get(group, OTHER_ACTION)
