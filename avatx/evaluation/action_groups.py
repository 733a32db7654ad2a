"""AVA's three groups of actions: pose, person with object, person with person."""

from avatx.data.annotations.label_map import LabelMap

# Of AVA's 80 classes 14 are poses, 49 interactions with objects and 17 with people, in the order
# of their ids (Gu et al. 2018, https://arxiv.org/abs/1705.08421, section 3).
_LAST_OF_GROUP = {14: "PERSON_MOVEMENT", 63: "OBJECT_MANIPULATION", 80: "PERSON_INTERACTION"}
# Class ids mean these groups only in AVA's own label map, which is known by any of these.
_KNOWN_NAMES = {
    1: "bend/bow (at the waist)",
    11: "sit",
    12: "stand",
    14: "walk",
    17: "carry/hold (an object)",
    59: "touch (an object)",
    74: "listen to (a person)",
    79: "talk to (e.g., self, a person, a group)",
    80: "watch (a person)",
}


def find_groups(label_map: LabelMap) -> dict[int, str]:
    """Class id to group, by ascending class id, and so in the same order whoever knows the map.

    From the label map's `label_type` where it has any; else, if the label map is AVA's (at
    least one well-known id has AVA's name and none has another), from AVA's id ranges. Empty if
    neither: another data set's classes have no groups that we know.
    """
    if label_map.groups:
        return {
            number: label_map.groups[number]
            for number in sorted(label_map.names)
            if number in label_map.groups
        }
    shared = _KNOWN_NAMES.keys() & label_map.names.keys()
    if not shared or any(label_map.names[number] != _KNOWN_NAMES[number] for number in shared):
        return {}
    if label_map.max_id > max(_LAST_OF_GROUP):
        return {}
    return {
        number: next(group for last, group in _LAST_OF_GROUP.items() if number <= last)
        for number in sorted(label_map.names)
    }
