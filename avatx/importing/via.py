"""VGG Image Annotator 3 (the tool AVA-like sets are made with): a project's JSON, or its csv.

    metadata: {vid, z: [seconds] or [from, to], xy: [2, x, y, width, height], av: {..}}
    csv: metadata_id, file_list, flags, temporal_coordinates, spatial_coordinates, metadata

Pixels are the video's own, so its size is asked of the video.
"""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from avatx.errors import UserError, shown
from avatx.importing.actions import actions_of, is_identity
from avatx.importing.imported import Imported
from avatx.importing.video_facts import Videos

_RECTANGLE = 2
_KINDS = {1: "text", 2: "checkbox", 3: "radio", 4: "select"}


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
    rows = _csv_rows(path) if path.lower().endswith(".csv") else _json_rows(path)
    for where, file, z, xy, attributes in rows:
        video = os.path.splitext(os.path.basename(file))[0]
        if not xy:
            imported.lost["stretches of time without a box"] += 1
        elif int(xy[0]) != _RECTANGLE or len(xy) != 5:
            imported.lost["shapes that are no rectangles"] += 1
        elif len(z) != 1:
            imported.lost["boxes without a moment of their own"] += 1
        else:
            kinds = {name: kind for name, (kind, _) in attributes.items()}
            values = {name: value for name, (_, value) in attributes.items()}
            names = actions_of(values, kinds, action_attributes, imported.lost)
            who = next(
                (value for name, value in values.items() if is_identity(name) and value), None
            )
            try:
                x, y, width, height = (float(value) for value in xy[1:])
                seconds = float(z[0])
            except (TypeError, ValueError):
                raise UserError(
                    f"{path}: {where}: z {shown(z)} and xy {shown(xy)} are no numbers"
                ) from None
            box = (x, y, x + width, y + height)
            imported.person(video, seconds, box, videos.size(video), names, who)


def _json_rows(path: str) -> Iterator[tuple[str, str, list, list, dict[str, tuple[str, str]]]]:
    """(Where, file, z, xy, {attribute: (kind, value)})."""
    project = read_json(path)
    try:
        files = {one: str(entry["fname"]) for one, entry in project["file"].items()}
        views = {
            one: [str(fid) for fid in view["fid_list"]] for one, view in project["view"].items()
        }
        definitions = project["attribute"]
        for key, entry in project["metadata"].items():
            values = _values(entry.get("av", {}), definitions)
            for fid in views[str(entry["vid"])]:
                yield key, files[fid], entry.get("z", []), entry.get("xy", []), values
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: is no VIA 3 project ({type(error).__name__}: {error}); expected the JSON "
            "that VIA saves, with project, attribute, file, view and metadata"
        ) from error


def _values(given: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    found = {}
    for attribute, value in given.items():
        definition = definitions.get(str(attribute), {})
        options = definition.get("options", {}) or {}
        chosen = [str(options.get(part, part)) for part in str(value).split(",") if part != ""]
        name = str(definition.get("aname", attribute))
        kind = _KINDS.get(definition.get("type"), "select" if options else "text")
        # Several options of a checkbox are several actions.
        found[name] = ("select" if options else kind, ",".join(chosen))
    return found


def _csv_rows(path: str) -> Iterator[tuple[str, str, list, list, dict[str, tuple[str, str]]]]:
    """As `_json_rows`; a csv's comments hold the attributes' definitions."""
    definitions: dict[str, Any] = {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = file.readlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    for line in lines:
        if line.startswith("# ATTRIBUTE = "):
            definitions = json.loads(line.removeprefix("# ATTRIBUTE = "))
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    for (number, _), row in zip(numbered, csv.reader(line for _, line in numbered), strict=True):
        try:
            _, files, _, z, xy, attributes = row
            values = _values(json.loads(attributes), definitions)
            for file in json.loads(files):
                yield f"line {number}", str(file), json.loads(z), json.loads(xy), values
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}, line {number}: {error}; expected metadata_id, file_list, flags, "
                "temporal_coordinates, spatial_coordinates, metadata of VIA 3"
            ) from None


def read_json(path: str) -> Any:
    """A JSON file. Raises UserError where it is none."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return json.load(file)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{path}: is no JSON ({error})") from error
