"""Which clip of which video file carries which label: from a csv or from folders."""

import csv
import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from avatx import file_systems
from avatx.data.annotations.ava_csv import line_hint
from avatx.data.annotations.label_map import LabelMap, read_label_map
from avatx.data.times import MICROSECONDS
from avatx.data.video.video_folder import VideoFolder, has_video_extension, holds_video
from avatx.errors import UserError

_COLUMNS = ("file", "label", "start", "end")
_KINETICS_COLUMNS = ("label", "youtube_id", "time_start", "time_end")
# A first line of such words alone is another csv's heading and no clip.
_HEADING_WORDS = {
    *_COLUMNS,
    *_KINETICS_COLUMNS,
    "split",
    "path",
    "file_path",
    "filepath",
    "filename",
    "file_name",
    "name",
    "video",
    "video_path",
    "video_id",
    "id",
    "class",
    "class_id",
    "class_name",
    "category",
    "action",
    "target",
    "start_time",
    "end_time",
}


class LabelledClip(NamedTuple):
    """A clip of one label. `path` is None where the file is missing."""

    video_id: str
    path: str | None
    label: str
    start: int  # microseconds from the video's first frame
    end: int | None  # microseconds; None is the end of the video
    where: str  # file and line, for messages


def read_csv(path: str, videos: Sequence[str] | None = None) -> list[LabelledClip]:
    """The clips of a csv.

    Either columns `file,label,start,end` (a heading is optional; without one they are in this
    order; start and end are seconds and may be empty or left away: the whole video), or
    Kinetics' own `label,youtube_id,time_start,time_end,split` under that heading: there the
    file is `<youtube_id>_<start as 000000>_<end as 000000>.<mp4, ...>`, the clip already cut
    out, or `<youtube_id>.<mp4, ...>`, the whole video; in a folder itself or in its sub-folder
    `<label>`.

    Args:
      path: the csv.
      videos: folders that files are looked for in, in order; None is the csv's own folder.

    Raises:
      UserError: naming the file, line and field.
    """
    folders = list(videos) if videos else [os.path.dirname(path) or "."]
    finder = VideoFolder(folders)
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            reader = csv.reader(file.read().lstrip("\ufeff").splitlines(), strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not csv ({error})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason})") from error
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be read ({error.message})") from error
    heading = [name.strip() for name in rows[0][1]] if rows else []
    kinetics = {"youtube_id", "label"} <= set(heading)
    has_heading = kinetics or {"file", "label"} <= set(heading)
    columns = heading if has_heading else list(_COLUMNS)
    if not has_heading and heading and all(name.lower() in _HEADING_WORDS for name in heading):
        raise UserError(
            f"{path}, line 1: the heading {','.join(heading)} is not known; expected "
            f"{','.join(_COLUMNS)} or {','.join(_KINETICS_COLUMNS)},split"
        )
    needed = _KINETICS_COLUMNS if kinetics else _COLUMNS[:2]
    for name in needed:
        if name not in columns:
            raise UserError(f"{path}, line 1: no column {name}; expected {','.join(needed)}")
    clips: list[LabelledClip] = []
    seen: dict[tuple, int] = {}
    for line, row in rows:
        if line == 1 and has_heading or not any(value.strip() for value in row):
            continue
        where = f"{path}, line {line}"
        if len(row) > len(columns) or len(row) < (len(columns) if kinetics else 2):
            hint = line_hint(line, ",".join(row))
            raise UserError(f"{where}: {len(row)} columns; expected {','.join(columns)}{hint}")
        # A list that is not Kinetics' may leave the last columns out.
        fields = dict(zip(columns, (value.strip() for value in row), strict=False))
        try:
            clip = (_kinetics_clip if kinetics else _clip)(fields, where, finder)
        except UserError as error:
            raise UserError(
                str(error) if str(error).startswith(where) else f"{where}: {error}"
            ) from None
        key = clip.video_id, clip.start
        if key in seen:
            raise UserError(
                f"{where}: {clip.video_id} from {clip.start / MICROSECONDS:g} s is on "
                f"line {seen[key]} already; expected one label a clip"
            )
        seen[key] = line
        clips.append(clip)
    if not clips:
        raise UserError(f"{path}: no row; expected {','.join(_COLUMNS)}")
    return clips


def _clip(fields: dict[str, str], where: str, finder: VideoFolder) -> LabelledClip:
    file = _text(fields, "file", where)
    start = _seconds(fields, "start", where) or 0
    end = _seconds(fields, "end", where)
    _check_span(start, end, where)
    paths = finder.paths(file)
    if not has_video_extension(file):
        return LabelledClip(
            file, finder.find(file), _text(fields, "label", where), start, end, where
        )
    # A broken link is there: reading it says where it leads.
    path = next((path for path in paths if os.path.lexists(path) or tf.io.gfile.exists(path)), None)
    stem = os.path.splitext(file)[0]
    return LabelledClip(stem, path, _text(fields, "label", where), start, end, where)


def _kinetics_clip(fields: dict[str, str], where: str, finder: VideoFolder) -> LabelledClip:
    video, label = _text(fields, "youtube_id", where), _text(fields, "label", where)
    start, end = _seconds(fields, "time_start", where), _seconds(fields, "time_end", where)
    if start is None or end is None:
        name = "time_start" if start is None else "time_end"
        raise UserError(f"{where}: {name} is empty; expected seconds")
    _check_span(start, end, where)
    cut = f"{video}_{start // MICROSECONDS:06d}_{end // MICROSECONDS:06d}"
    folders = ("", label, label.replace(" ", "_"))
    for stem, whole in ((cut, True), (video, False)):
        for folder in dict.fromkeys(folders):
            path = finder.find(os.path.join(folder, stem))
            if path is not None:
                if whole:
                    start, end = 0, None
                return LabelledClip(stem, path, label, start, end, where)
    return LabelledClip(cut, None, label, 0, None, where)


def _text(fields: dict[str, str], name: str, where: str) -> str:
    if not fields[name]:
        raise UserError(f"{where}: {name} is empty")
    return fields[name]


def _seconds(fields: dict[str, str], name: str, where: str) -> int | None:
    """Microseconds, None where the field is empty or away."""
    text = fields.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e6:
        raise UserError(f"{where}: {name} is {text!r}; expected seconds, 0 or more")
    return round(value * MICROSECONDS)


def _check_span(start: int, end: int | None, where: str) -> None:
    if end is not None and end <= start:
        raise UserError(
            f"{where}: start {start / MICROSECONDS:g} is not before end {end / MICROSECONDS:g}"
        )


def read_folders(folder: str) -> list[LabelledClip]:
    """The videos of `folder`/<label>/, each as a whole; anything else in there is read over.

    Raises:
      UserError: no such folder, not one video in a sub-folder of it, or two in one sub-folder
        whose names differ in their ending only.
    """
    if not tf.io.gfile.isdir(folder):
        raise UserError(f"{folder}: no such folder; expected one with a sub-folder a class")
    clips = []
    for label in sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder)):
        inside = os.path.join(folder, label)
        if label.startswith(".") or not tf.io.gfile.isdir(inside):
            continue
        seen: dict[str, str] = {}
        for name in sorted(tf.io.gfile.listdir(inside)):
            stem = os.path.splitext(name)[0]
            if name.startswith("."):
                continue
            if has_video_extension(name) or holds_video(os.path.join(inside, name)):
                if seen.setdefault(stem, name) != name:
                    raise UserError(
                        f"{inside}: {seen[stem]} and {name} would both be video "
                        f"{label}/{stem}; rename or remove one of them"
                    )
                clips.append(
                    LabelledClip(
                        f"{label}/{stem}", os.path.join(inside, name), label, 0, None, inside
                    )
                )
    if not clips:
        raise UserError(
            f"{folder}: no video in any sub-folder; expected "
            f"{os.path.join(folder, '<class>', '<name>.mp4')}"
        )
    return clips


def read_classes(path: str) -> LabelMap:
    """A label map (pbtxt) or a plain list of names, see `read_class_names`. Raises UserError."""
    return read_class_names(path) if path.endswith((".txt", ".csv")) else read_label_map(path)


def read_class_names(path: str) -> LabelMap:
    """A plain list of names, one a line, the first being class 1. Raises UserError."""
    try:
        with file_systems.open_text(path) as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason})") from error
    while lines and not lines[-1]:
        lines.pop()
    first: dict[str, int] = {}
    for line, name in enumerate(lines, start=1):
        if not name or "{" in name:
            raise UserError(
                f"{path}, line {line}: {name!r}; expected the name of a class (a file "
                "of items ends in .pbtxt)"
            )
        if first.setdefault(name, line) != line:
            raise UserError(f"{path}, line {line}: {name!r} is on line {first[name]} already")
    if not first:
        raise UserError(f"{path}: empty; expected the name of a class a line")
    return LabelMap(dict(enumerate(lines, start=1)))
