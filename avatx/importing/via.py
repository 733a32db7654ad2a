"""VGG Image Annotator 3 (the tool AVA-like sets are made with): a project's JSON, or its csv.

    metadata: {vid, z: [seconds] or [from, to], xy: [2, x, y, width, height], av: {..}}
    csv: metadata_id, file_list, flags, temporal_coordinates, spatial_coordinates, metadata

Pixels are the video's own, so its size is asked of the video.
"""

import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from avatx.data.annotations.fields import MAX_SECONDS, Record, as_number
from avatx.errors import UserError
from avatx.importing.actions import actions_of, is_identity
from avatx.importing.imported import Imported
from avatx.importing.video_facts import Videos

_RECTANGLE = 2
_GRACE = 0.02  # seconds, half a frame at 25 a second: the very end by the annotator's clock
_KINDS = {1: "text", 2: "checkbox", 3: "radio", 4: "select"}
_COLUMNS = ("metadata_id", "file_list", "flags", "z", "xy", "av")


class _Shape(NamedTuple):
    """One entry.

    Attributes:
      record: has `z` and `xy`.
      file: of the video.
      kinds: attribute -> kind.
      values: attribute -> what it says, a text each.
    """

    record: Record
    file: str
    kinds: dict[str, str]
    values: dict[str, list[str]]


def read_via(
    path: str, imported: Imported, videos: Videos, action_attributes: Sequence[str] = ()
) -> None:
    """Adds what a project holds. Every annotated moment is a keyframe.

    Args:
      path: project JSON, or csv export.
      imported: gets it.
      videos: frame sizes.
      action_attributes: which attributes are actions; by default all that can be.

    Raises:
      UserError: it is no such file.
    """
    last: defaultdict[str, float] = defaultdict(float)
    for shape in _csv_shapes(path) if path.lower().endswith(".csv") else _json_shapes(path):
        video = imported.only(os.path.splitext(os.path.basename(shape.file))[0], shape.file)
        record = shape.record
        moments, corners = record.items("z", []), record.items("xy", [])
        if not corners:
            imported.lost["stretches of time without a box"] += 1
            continue
        if len(moments) != 1:
            imported.lost["boxes without a moment of their own"] += 1
            continue
        seconds = record.numbers("z", 1)[0]
        if not 0 <= seconds <= MAX_SECONDS:
            raise record.refused("z", f"seconds from 0 to {MAX_SECONDS:g}")
        kind = as_number(corners[0])
        if kind is None:
            raise record.refused("xy", "the number of a shape, 2 for a rectangle, and its pixels")
        if kind != _RECTANGLE:
            imported.somebody(video, seconds, "shapes that are no rectangles")
            continue
        _, x, y, width, height = record.numbers("xy", 5)
        names = actions_of(shape.values, shape.kinds, action_attributes, imported.lost)
        who = next(
            (
                ",".join(value)
                for name, value in shape.values.items()
                if is_identity(name) and value
            ),
            None,
        )
        box = (x, y, x + width, y + height)
        imported.person(video, seconds, box, videos.size(video), names, who)
        last[video] = max(last[video], seconds)
    for video, seconds in last.items():
        end = videos.end(video)
        if end is not None and seconds > end + _GRACE:
            imported.too_short(video, f"{seconds:.2f} of {end:.2f} s")


def _json_shapes(path: str) -> Iterator[_Shape]:
    data = read_json(path)
    expected = "project", "attribute", "file", "view", "metadata"
    if not isinstance(data, Mapping) or any(
        not isinstance(data.get(name), Mapping) for name in expected[1:]
    ):
        raise UserError(
            f"{path}: is no VIA 3 project; expected the JSON that VIA saves, with "
            + ", ".join(expected)
        )
    project = Record(path, data)
    files = {key: one.text("fname") for key, one in project.members("file")}
    views = dict(project.members("view"))
    definitions = dict(project.members("attribute"))
    for _, one in project.members("metadata"):
        values, kinds = _attributes(one.record("av", {}), definitions)
        view = one.text("vid")
        if view not in views:
            raise one.refused("vid", "one of the views")
        for number in views[view].items("fid_list"):
            if str(number) not in files:
                raise views[view].refused("fid_list", "numbers of files")
            yield _Shape(one, files[str(number)], kinds, values)


def _attributes(
    given: Record, definitions: Mapping[str, Record]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """(Attribute -> what it says, attribute -> kind)."""
    values: dict[str, list[str]] = {}
    kinds = {}
    for attribute in given.names():
        definition = definitions.get(attribute, Record(given.where, {}))
        options = definition.record("options", {})
        text = given.text(attribute, "")
        # Of options their numbers are there, with commas between; any other text is the user's.
        chosen = text.split(",") if options.names() and text not in options else [text]
        name = definition.text("aname", attribute)
        kind = as_number(definition.value("type")) or 0
        # Several options of a checkbox are several actions.
        kinds[name] = "select" if options.names() else _KINDS.get(int(kind), "text")
        values[name] = [options.text(one, one) for one in chosen if one]
    return values, kinds


def _csv_shapes(path: str) -> Iterator[_Shape]:
    """As `_json_shapes`; a csv's comments hold the attributes' definitions."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = file.readlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    definitions: dict[str, Record] = {}
    # Comments stand before the rows; a line within quotes may begin as they do.
    first = next((n for n, line in enumerate(lines) if line.strip() and line[0] != "#"), len(lines))
    for number, line in enumerate(lines[:first], 1):
        if line.startswith("# ATTRIBUTE = "):
            where = f"{path}, line {number}"
            text = line.removeprefix("# ATTRIBUTE = ")
            definitions = dict(
                Record(where, {"ATTRIBUTE": _json(where, text)}).members("ATTRIBUTE")
            )
    reader = csv.reader(lines[first:])
    while True:
        where = f"{path}, line {first + reader.line_num + 1}"
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{where}: {error}; expected a row of VIA's csv") from error
        if not row or row[0].startswith("#"):
            continue
        if len(row) != len(_COLUMNS):
            raise UserError(
                f"{where}: has {len(row)} columns instead of {len(_COLUMNS)}; expected "
                "metadata_id, file_list, flags, temporal_coordinates, spatial_coordinates, "
                "metadata of VIA 3"
            )
        cells = dict(zip(_COLUMNS, row, strict=True))
        parsed = {name: _json(where, cells[name], name) for name in ("file_list", "z", "xy", "av")}
        record = Record(where, parsed)
        values, kinds = _attributes(record.record("av"), definitions)
        for file in record.items("file_list"):
            yield _Shape(record, str(file), kinds, values)


def _json(where: str, text: str, name: str = "ATTRIBUTE") -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Record(where, {name: text}).refused(name, "JSON as VIA writes it") from None


def read_json(path: str) -> Any:
    """A JSON file. Raises UserError where it is none."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return json.load(file)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no JSON ({error})") from error
