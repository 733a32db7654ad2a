"""Scores smoothed along tracks. For the eye only: no file of results has them."""

from collections.abc import Sequence

from avatx.explorer.result import Keyframe

# Of the keyframes before, at and after: a score that flickers once loses half.
WEIGHTS = (0.25, 0.5, 0.25)


def smooth_scores(keyframes: Sequence[Keyframe]) -> list[list[dict[int, float]]]:
    """Of each keyframe's each person: class id to its score averaged with the track's neighbours.

    Neighbours are the keyframes just before and after; where the track has no box in one, the
    others share its weight, and where it has one without the action, that counts as 0.
    """
    by_track = [
        {person.track: {a.class_id: a.score or 0.0 for a in person.actions} for person in k.people}
        for k in keyframes
    ]
    return [
        [_of_person(by_track, index, person) for person in keyframe.people]
        for index, keyframe in enumerate(keyframes)
    ]


def _of_person(by_track, index, person) -> dict[int, float]:
    near = [
        (weight, by_track[k][person.track])
        for weight, k in zip(WEIGHTS, range(index - 1, index + 2), strict=True)
        if 0 <= k < len(by_track) and person.track in by_track[k]
    ]
    total = sum(weight for weight, _ in near)
    return {
        action.class_id: sum(w * scores.get(action.class_id, 0.0) for w, scores in near) / total
        for action in person.actions
    }
