"""One colour for one meaning, in drawn boxes and on the page of an analysis.

Distinguishable with the usual colour-blindnesses; those of actions are Okabe-Ito's.
"""

from collections.abc import Sequence

# Kinds of actions. AVA's label map lists its classes in this order.
POSE, WITH_OBJECTS, WITH_PEOPLE, OTHER_ACTION = "#56b4e9", "#e69f00", "#cc79a7", "#f0e442"
_GROUPS = {
    "PERSON_MOVEMENT": POSE,
    "OBJECT_MANIPULATION": WITH_OBJECTS,
    "PERSON_INTERACTION": WITH_PEOPLE,
}
_OWN_GROUPS = (POSE, WITH_OBJECTS, WITH_PEOPLE, "#d55e00", OTHER_ACTION, "#0072b2")

NEUTRAL = "#8d9aa8"  # actions of no group, or of all
COUNT = "#1a7f37"  # how many there are
# Kinds of detections, in the order of `false_positives.KINDS`: a hue for what is right of it (all;
# the box; the place, roughly), the darker the more is wrong.
DETECTIONS = ("#5ab4ac", "#c7eae5", "#c3bddd", "#7667ab", "#e0cfa9", "#8c510a", "#404040")
INK = "#222222"


def group_colours(groups: Sequence[str]) -> dict[str, str]:
    """The colour of each group of actions: AVA's have their own, other label maps' the series."""
    if set(groups) <= set(_GROUPS):
        return {group: _GROUPS[group] for group in groups}
    # Groups beyond the series are neutral, colours beyond the groups are left over.
    return dict(zip(groups, [*_OWN_GROUPS, *[NEUTRAL] * len(groups)], strict=False))
