"""Keyframes that the parts of an evaluation do not have in common, where no number shows it."""

from collections.abc import Iterable

from avatx.data.annotations.ava_csv_writer import format_timestamp
from avatx.data.annotations.ava_table import AvaTable, Keyframe


def unevaluated_keyframes(
    groundtruth: AvaTable,
    name: str,
    keyframes: Iterable[Keyframe],
    excluded: Iterable[Keyframe] | None = None,
) -> list[str]:
    """Says how many of a groundtruth's keyframes an evaluation did not come to.

    Args:
      groundtruth: a file's.
      name: of that file.
      keyframes: those that were evaluated.
      excluded: those that do not count.
    """
    wanted = set(groundtruth.keyframes()).difference(excluded or ())
    missed = sorted(wanted.difference(keyframes))
    if not missed:
        return []
    return [
        f"{len(missed)} of the {len(wanted)} keyframes of {name} were not evaluated, the first is "
        f"{_shown(missed[0])}; their labels count as missed"
    ]


def unmatched_exclusions(
    excluded: Iterable[Keyframe] | None,
    groundtruth: AvaTable,
    detections: AvaTable,
    keyframes: Iterable[Keyframe] | None = None,
) -> list[str]:
    """Says so where a list of excluded keyframes belongs to other data: it leaves nothing out.

    A list whose keyframes are not there but lie among those of their videos is no mistake: they
    have been left out before, as they are of AVA's annotations.

    Args:
      excluded: as of `avatx.evaluation.frame_map.evaluate`, and so the others.
      groundtruth: see there.
      detections: see there.
      keyframes: see there.
    """
    listed = sorted(excluded or ())
    if not listed:
        return []
    there = {*groundtruth.keyframes(), *detections.keyframes(), *(keyframes or ())}
    if not there.isdisjoint(listed):
        return []
    spans: dict[str, tuple[float, float]] = {}
    for video, seconds in there:
        first, last = spans.get(video, (seconds, seconds))
        spans[video] = min(first, seconds), max(last, seconds)
    for video, seconds in listed:
        if video in spans and spans[video][0] <= seconds <= spans[video][1]:
            return []
    return [
        f"{len(listed)} of the {len(listed)} excluded keyframes are in neither groundtruth nor "
        f"detections, the first is {_shown(listed[0])}: nothing is left out"
    ]


def _shown(keyframe: Keyframe) -> str:
    video, seconds = keyframe
    return f"{video},{format_timestamp(seconds)}"
