"""Train and validation, of different videos; of one video, of different times."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.errors import UserError

_TRIES = 500


class Split(NamedTuple):
    """Attributes:
    train, val: the rows, and the empty keyframes, of each.
    told: how it was made, a sentence.
    """

    train: AvaTable
    val: AvaTable
    told: str


def split_table(table: AvaTable, share: float, gap_seconds: float, seed: int = 0) -> Split:
    """Splits by video, so that the classes' shares are as near `share` as they come.

    Both parts get labels. Of videos that hold nobody validation gets its share, rounded.

    Args:
      table: annotations.
      share: of the labels that validation is to get, above 0 and below 1.
      gap_seconds: of one video alone: what is left out between the times of both.
      seed: of the sets of videos that are tried.

    Raises:
      UserError: one video with too few keyframes.
    """
    labelled = sorted(set(table.video_id.tolist()))
    empty = sorted({name for name, _ in table.empty_keyframes} - {*labelled})
    if len(labelled) < 2:
        return _by_time(table, share, gap_seconds)
    chosen = _choose(table, labelled, share, seed)
    draw = np.random.default_rng(seed)
    chosen |= {empty[index] for index in draw.permutation(len(empty))[: round(share * len(empty))]}
    val = _of_videos(table, chosen)
    train = _of_videos(table, {*labelled, *empty} - chosen)
    number = len(labelled) + len(empty)
    told = f"by video: {number - len(chosen)} for training, {len(chosen)} for validation"
    lost = sorted(set(val.class_id.tolist()) - set(train.class_id.tolist()))
    if lost:
        told += f"; class ids {lost} are in validation videos only, so they cannot be learnt"
    return Split(train, val, told)


def given_split(train: AvaTable, val: AvaTable) -> Split:
    """A split that was made already.

    Args:
      train: rows of `annotations`.
      val: rows of `validation_annotations`.

    Raises:
      UserError: they have keyframes in common.
    """
    keyframes = set(val.keyframes())
    both = sorted(keyframes.intersection(train.keyframes()))
    if both:
        raise UserError(
            f"validation_annotations: {len(both)} of {len(keyframes)} keyframes are among the "
            f"annotations for training, first {both[0][1]:g} s of video {both[0][0]!r}; expected "
            "other moments, or without `validation_annotations` a split is made"
        )
    told = "as it was given"
    trained_on = {name for name, _ in train.keyframes()}
    shared = {name for name, _ in keyframes} & trained_on
    if shared:
        told += (
            f"; {len(shared)} of its videos are trained on at other times: a score on those says "
            "little of other videos"
        )
    return Split(train, val, told)


def _choose(table: AvaTable, videos: list[str], share: float, seed: int) -> set[str]:
    """The validation videos among those with labels, neither none nor all."""
    classes = sorted(set(table.class_id.tolist()))
    place = {class_id: index for index, class_id in enumerate(classes)}
    counts = np.zeros((len(videos), len(classes)))
    order = {name: index for index, name in enumerate(videos)}
    for name, class_id in zip(table.video_id, table.class_id.tolist(), strict=True):
        counts[order[name], place[class_id]] += 1
    total = counts.sum(axis=0)
    number = min(max(1, round(share * len(videos))), len(videos) - 1)
    draw = np.random.default_rng(seed)
    best, best_cost = None, np.inf
    for _ in range(_TRIES):
        rows = draw.permutation(len(videos))[:number]
        part = counts[rows].sum(axis=0) / total
        # A class that only one side has costs most: it could not be trained, or not be measured.
        cost = np.abs(part - share).sum() + 10 * (part == 1).sum() + (part == 0).sum()
        if cost < best_cost:
            best, best_cost = rows, cost
    assert best is not None
    return {videos[index] for index in best}


def _of_videos(table: AvaTable, names: set[str]) -> AvaTable:
    rows = np.isin(table.video_id.astype(str), sorted(names))
    empty = [key for key in table.empty_keyframes if key[0] in names]
    return part_of(table, rows, empty)


def _by_time(table: AvaTable, share: float, gap_seconds: float) -> Split:
    """Of the one video that holds labels; videos without any are for training."""
    name = table.video_names[0]
    times = np.unique(table.timestamp)
    first = min(max(round(len(times) * (1 - share)), 1), len(times) - 1)
    # The first moment from there on that has a label far enough before it.
    begins = [time for time in times[first:] if times[0] < time - gap_seconds]
    if not begins:
        raise UserError(
            f"annotations: the one video with labels, {name!r}, has them at {len(times)} moments "
            f"from {times[0]:g} to {times[-1]:g} s: too little to split into training and "
            f"validation that are {gap_seconds:g} s, a clip's length, apart; annotate more of it, "
            "take a shorter clip by `num_frames` and `frame_rate`, or give "
            "`validation_annotations`"
        )
    begin, end = begins[0], begins[0] - gap_seconds
    empty = table.empty_keyframes
    train = part_of(
        table, table.timestamp < end, [key for key in empty if key[0] != name or key[1] < end]
    )
    val = part_of(
        table,
        table.timestamp >= begin,
        [key for key in empty if key[0] == name and key[1] >= begin],
    )
    told = (
        f"by time, as there is one video with labels: training to {train.timestamp.max():g} s, "
        f"validation from {begin:g} s; a score on the video that was trained on says little of "
        "other videos"
    )
    return Split(train, val, told)


def part_of(table: AvaTable, rows: np.ndarray, empty: Sequence[Keyframe]) -> AvaTable:
    """A table of some rows, with no name of a video that has none of them.

    Args:
      table: annotations.
      rows: [N] bool.
      empty: keyframes without anybody.
    """
    names = table.video_id[rows]
    return AvaTable.from_columns(
        names,
        table.timestamp[rows],
        table.boxes[rows],
        table.class_id[rows],
        person_id=None if table.person_id is None else table.person_id[rows],
        empty_keyframes=empty,
    )


def label_counts(table: AvaTable) -> dict[int, int]:
    """Class id -> number of labels."""
    return dict(sorted(Counter(table.class_id.tolist()).items()))
