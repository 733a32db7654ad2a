"""The annotations that an experiment begins with: of any tool, the valid rows of them."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from avatx.data.annotations.ava_csv import (
    ANNOTATIONS,
    iterate_lines,
    parse_row,
    read_annotations,
    split_fields,
)
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.csv_validation import BadRow, validate_csv
from avatx.data.annotations.label_map import LabelMap
from avatx.data.video.video_times import VideoTimes
from avatx.errors import UserError
from avatx.importing import read
from avatx.project.split import part_of

_HALF_A_ROUNDING = 0.0011  # sides from which on three decimals leave an area, whatever the place


class Source(NamedTuple):
    """Attributes:
    csv: path of an AVA csv.
    named: what the user gave: the csv, or another tool's export that it was made of.
    """

    csv: str
    named: str

    @property
    def is_export(self) -> bool:
        """Whether the csv is none that the user knows."""
        return self.csv != self.named

    def place(self, row: BadRow) -> str:
        """Where a bad row is, and what is wrong with it."""
        text = row.text[:80]
        if self.is_export:  # whose own place the import does not keep
            return f"{row.problem}: what is {text} as a row of AVA's csv"
        return f"line {row.line}: {row.problem}: {text}"


@contextlib.contextmanager
def as_csv(
    path: str, videos: Sequence[str], label_map: str | None, log: Callable[[str], None]
) -> Iterator[tuple[Source, LabelMap | None]]:
    """An AVA csv of annotations of any tool, and its classes; None as classes of a csv.

    Args:
      path: of the annotations.
      videos: folders of the videos.
      label_map: path; None lets the import give ids.
      log: takes what had no place in a csv.

    Raises:
      UserError: they cannot be read, or hold no person with an action.
    """
    if read.guess_format(path) == "ava":
        yield Source(path, path), None
        return
    try:
        result = read.read_export(path, videos=videos, label_map=label_map)
    except UserError as error:
        # A clip has a frame rate here; that of videos is the import's.
        other = "the rate to tools/import_annotations.py --frame_rate, whose csv is taken here"
        raise UserError(str(error).replace("`frame_rate`", other)) from error
    lost = [f"no place for: {what}, {number} times" for what, number in result.lost.items()]
    for line in (*result.notes, *lost):
        log(f"note: {path}: {line}")
    if not len(result.table):
        why = f" ({'; '.join(lost)})" if lost else ""
        raise UserError(f"{path}: holds no person with an action that has a place here{why}")
    with tempfile.TemporaryDirectory() as folder:
        read.write_result(result, folder)
        yield Source(os.path.join(folder, read.FILES[0]), path), result.label_map


@contextlib.contextmanager
def held_out_as_csv(
    path: str,
    source: Source,
    videos: Sequence[str],
    label_map: str | None,
    log: Callable[[str], None],
) -> Iterator[Source]:
    """As `as_csv`, of the validation part: its classes are those of the other annotations.

    Args:
      path: of the validation part.
      source: the annotations for training.
      videos: folders of the videos.
      label_map: path; without one the validation part takes the ids that the training part was
        given.
      log: takes what had no place in a csv.

    Raises:
      UserError: as `as_csv`; or one of both is a csv, whose ids nobody names, and the other is not.
    """
    if label_map is None and (read.guess_format(path) == "ava") == source.is_export:
        csv, export = (path, source.named) if source.is_export else (source.named, path)
        raise UserError(
            f"validation_annotations {path}: {csv} has ids of classes and {export} has names; give "
            "`label_map`, which says which is which"
        )
    if label_map is None and source.is_export:
        label_map = os.path.join(os.path.dirname(source.csv), read.FILES[1])
    with as_csv(path, videos, label_map, log) as (held_out, _):
        yield held_out


def refuse_bad_rows(source: Source, classes: LabelMap | None, times: VideoTimes) -> None:
    """Raises UserError where a row is bad whatever is in the videos, and opens none of them."""
    _refuse(source, _bad_and_good(source, classes, _Unopened(times))[0], {})


class _Unopened(dict):
    """Videos whose lengths are not asked for, with what else is wrong with a row's moment."""

    def __init__(self, times: VideoTimes):
        super().__init__()
        self.problem = times.problem_unopened


def read_rows(
    source: Source,
    classes: LabelMap | None,
    times: VideoTimes,
    skip_bad_rows: bool,
    log: Callable[[str], None],
) -> AvaTable:
    """The valid rows of a csv, those of videos that can be read.

    Args:
      source: the csv.
      classes: those that are known; None takes any.
      times: of the videos.
      skip_bad_rows: leave out bad rows, and broken videos, rather than refuse them.
      log: takes what was left out.

    Raises:
      UserError: there are bad rows or broken videos; or there is no row with a box.
    """
    bad, table = _bad_and_good(source, classes, times)
    times.end_progress()
    if not skip_bad_rows:
        _refuse(source, bad, times.broken)
    if bad:
        lines = {one.line for one in bad}
        where = source.place(bad[0])
        log(f"note: {source.named}: {len(lines)} bad rows are left out, the first: {where}")
    table = _of_whole_videos(source, table, times, log)
    if not len(table):
        raise UserError(f"{source.named}: holds no box; expected people with their actions")
    return table


def _bad_and_good(
    source: Source, classes: LabelMap | None, durations: Mapping[str, float | None]
) -> tuple[list[BadRow], AvaTable]:
    """The bad rows by line, and the table of the others; of flat ones `validate_csv` knows not."""
    bad = list(validate_csv(source.csv, label_map=classes, durations=durations).bad_rows)
    table = _without(source, {one.line for one in bad})
    flat = _loses_its_area(table)
    if flat.any():
        bad += _flat_rows(source.csv, {one.line for one in bad})
        bad.sort(key=lambda one: one.line)
        table = part_of(table, ~flat, table.empty_keyframes)
    return bad, table


def _refuse(source: Source, bad: list[BadRow], broken: dict[str, str]) -> None:
    """Raises UserError with the first of what is wrong, if something is."""
    problems, where_all = [], ""
    if bad:
        where_all = "" if source.is_export else " (tools/validate_csv.py lists all)"
        more = len({one.line for one in bad}) - 1
        first = f"{source.named}{':' if source.is_export else ','} {source.place(bad[0])}"
        problems.append(first + (f"; {more} more bad rows" if more else ""))
    if broken:
        video, reason = next(iter(broken.items()))
        more = len(broken) - 1
        problems.append(f"{video}: {reason}" + (f"; {more} more broken videos" if more else ""))
    if not problems:
        return
    raise UserError(
        f"{'; '.join(problems)}; correct that{where_all}, or leave bad rows and broken videos out "
        "by `skip_bad_rows`"
    )


def _without(source: Source, lines: set[int]) -> AvaTable:
    """The table of a csv without some lines, counted from 1."""
    if not lines:
        return read_annotations(source.csv)
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "rows.csv")
        with open(copy, "w", encoding="utf-8") as file:
            for number, line in iterate_lines(source.csv):
                if number not in lines:
                    file.write(f"{line}\n")
        return read_annotations(copy)


def _loses_its_area(table: AvaTable) -> np.ndarray:
    """[N] bool: boxes that have no area any more in AVA's csv, which has three decimals."""
    flat = np.zeros(len(table), bool)
    small = ((table.boxes[:, 2:] - table.boxes[:, :2]) < _HALF_A_ROUNDING).any(axis=1)
    for row in np.flatnonzero(small):
        flat[row] = _is_flat(table.boxes[row])
    return flat


def _is_flat(box: Sequence[float]) -> bool:
    y1, x1, y2, x2 = (f"{value:.3f}" for value in box)
    return y1 == y2 or x1 == x2


def _flat_rows(path: str, left_out: set[int]) -> Iterator[BadRow]:
    for number, line in iterate_lines(path):
        if number in left_out:
            continue
        box = parse_row(split_fields(line), ANNOTATIONS).box
        if box is not None and _is_flat(box):
            yield BadRow(number, "box without area, to the three decimals of AVA's csv", line)


def _of_whole_videos(
    source: Source, table: AvaTable, times: VideoTimes, log: Callable[[str], None]
) -> AvaTable:
    """Without the rows of videos that cannot be read."""
    names = dict.fromkeys([*table.video_names, *(name for name, _ in table.empty_keyframes)])
    broken = [name for name in names if times[name] is None]
    if not broken:
        return table
    rows = ~np.isin(table.video_id.astype(str), broken)
    # Those of another csv may be among the broken ones.
    paths = [path for path in times.broken if _may_be(path, broken[0])] or [*times.broken]
    video, reason = paths[0], times.broken[paths[0]]
    log(
        f"note: {source.named}: {len(broken)} videos cannot be read and are left out with their "
        f"{int((~rows).sum())} rows, for one {video}: {reason}"
    )
    return part_of(table, rows, [key for key in table.empty_keyframes if key[0] not in broken])


def _may_be(path: str, video_id: str) -> bool:
    """Whether a path has the name of a video's id, with or without an extension."""
    name, wanted = os.path.basename(path), os.path.basename(video_id)
    return wanted in (name, os.path.splitext(name)[0])
