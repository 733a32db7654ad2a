"""Train and validation, of different videos; of one video, of different times."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from avatx.data.annotations.ava_table import AvaTable
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

    Args:
      table: annotations.
      share: of the labels that validation is to get, above 0 and below 1.
      gap_seconds: of one video alone: what is left out between the times of both.
      seed: of the sets of videos that are tried.

    Raises:
      UserError: one video with too few keyframes.
    """
    videos = sorted({*table.video_names, *(name for name, _ in table.empty_keyframes)})
    if len(videos) < 2:
        return _by_time(table, share, gap_seconds)
    chosen = _choose(table, videos, share, seed)
    val = _of_videos(table, chosen)
    train = _of_videos(table, set(videos) - chosen)
    told = f"by video: {len(videos) - len(chosen)} for training, {len(chosen)} for validation"
    lost = sorted(set(val.class_id.tolist()) - set(train.class_id.tolist()))
    if lost:
        told += f"; class ids {lost} are in validation videos only, so they cannot be learnt"
    return Split(train, val, told)


def _choose(table: AvaTable, videos: list[str], share: float, seed: int) -> set[str]:
    """The validation videos."""
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
    return _part(table, rows, empty)


def _by_time(table: AvaTable, share: float, gap_seconds: float) -> Split:
    times = np.unique([*table.timestamp, *(time for _, time in table.empty_keyframes)])
    at = round(len(times) * (1 - share))
    begin = times[min(max(at, 1), len(times) - 1)] if len(times) else 0.0
    end = begin - gap_seconds

    def part(keep) -> AvaTable:
        empty = [key for key in table.empty_keyframes if keep(np.array(key[1]))]
        return _part(table, keep(table.timestamp), empty)

    train, val = part(lambda time: time < end), part(lambda time: time >= begin)
    if not len(train) or not len(val):
        raise UserError(
            f"annotations: one video with {len(times)} keyframes is too little to split into "
            f"training and validation {gap_seconds:g} s apart; annotate more, or give "
            "`validation_annotations`"
        )
    told = (
        f"by time, as there is one video: training to {train.timestamp.max():g} s, validation from "
        f"{begin:g} s; a score on the video that was trained on says little of other videos"
    )
    return Split(train, val, told)


def _part(table: AvaTable, rows: np.ndarray, empty) -> AvaTable:
    """The rows, with no name of a video that has none of them."""
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
