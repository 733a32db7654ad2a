"""Annotations of any tool: which it is, its rows, and the report."""

import codecs
import glob
import json
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from avatx.atomic_file import atomic_text_file
from avatx.atomic_folder import atomic_files
from avatx.data.annotations.ava_csv_writer import write_annotations
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.fields import FRAME_RATES
from avatx.data.annotations.label_map import LabelMap, read_label_map, write_label_map
from avatx.errors import UserError
from avatx.importing.coco import read_coco
from avatx.importing.cvat import read_cvat
from avatx.importing.imported import Imported
from avatx.importing.mot import read_mot
from avatx.importing.via import read_json, read_via
from avatx.importing.video_facts import Videos

FORMATS = ("cvat", "via", "coco", "mot")
FILES = ("annotations.csv", "label_map.pbtxt", "import_report.json")
_MOST_COMMENTS = 1 << 24  # bytes before the first row of a csv


class Result(NamedTuple):
    """Attributes:
    table: the rows.
    label_map: their classes.
    lost: what had no place -> how often.
    notes: what the user should know.
    """

    table: AvaTable
    label_map: LabelMap
    lost: dict[str, int]
    notes: list[str]

    def report(self) -> dict:
        """For a program."""
        return {
            "videos": len(self.table.video_names),
            "rows": len(self.table),
            "empty_keyframes": len(self.table.empty_keyframes),
            "classes": {name: class_id for class_id, name in self.label_map.names.items()},
            "without_a_place": self.lost,
            "notes": self.notes,
        }


def guess_format(path: str) -> str:
    """Which of FORMATS a file is; "ava" for a csv that is none of another tool.

    Raises:
      UserError: it is none of them.
    """
    if os.path.isdir(path):
        sequences_of(path)
        return "mot"
    lower = path.lower()
    if lower.endswith(".txt"):
        return "mot"
    begin = b"" if lower.endswith((".xml", ".json")) else _begin(path)
    if lower.endswith(".xml") or begin.startswith(b"<"):
        return "cvat"
    if lower.endswith(".json") or begin.startswith((b"{", b"[")):
        data = read_json(path)
        if isinstance(data, dict) and "metadata" in data and "file" in data:
            return "via"
        if isinstance(data, dict) and "annotations" in data and "images" in data:
            return "coco"
        raise UserError(f"{path}: is the JSON of neither VIA 3 nor COCO")
    if begin.startswith(b"PK\x03\x04"):
        raise UserError(
            f"{path}: is a zip archive; unpack it and give the file of annotations that is in it, "
            "as CVAT's annotations.xml"
        )
    return "via" if re.search(rb"^#\s*CSV_HEADER\b", begin, re.MULTILINE) else "ava"


def _begin(path: str) -> bytes:
    """A file's begin without a byte order mark: of a text its comments, however long, and more."""
    begin = b""
    try:
        with open(path, "rb") as file:
            while line := file.readline(_MOST_COMMENTS - len(begin)):
                line = line.removeprefix(b"" if begin else codecs.BOM_UTF8)
                begin += line
                if line.strip() and not line.startswith(b"#"):
                    break
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return begin.lstrip()


def sequences_of(path: str) -> list[str]:
    """The files of a path of MOT Challenge: itself, or those of a folder of one or many sequences.

    Raises:
      UserError: it is a folder without any.
    """
    if not os.path.isdir(path):
        return [path]
    for pattern in (("gt", "gt.txt"), ("*", "gt", "gt.txt")):
        found = sorted(glob.glob(os.path.join(glob.escape(path), *pattern)))
        if found:
            return found
    inside = os.path.join(path, FILES[0])
    hint = f"; give {inside}" if os.path.exists(inside) else ""
    raise UserError(
        f"annotations {path}: is a folder; expected an AVA csv, a file of CVAT, VIA or COCO, "
        f"or MOT Challenge's sequences: gt/gt.txt in it, or in each folder in it{hint}"
    )


def read_export(
    path: str,
    file_format: str = "",
    *,
    videos: Sequence[str] = (),
    frame_rate: float | None = None,
    every: float = 1.0,
    label_map: str | None = None,
    action_attributes: Sequence[str] = (),
    action: str = "person",
) -> Result:
    """Reads annotations of another tool.

    Args:
      path: file; of MOT also the folder of a sequence, or one of sequences.
      file_format: one of FORMATS; empty guesses.
      videos: folders of the videos.
      frame_rate: of the videos, in place of what they say.
      every: seconds between the keyframes that are kept, where annotated frames are closer than
        that; 0 keeps all.
      label_map: ids of the actions; by default in alphabetical order.
      action_attributes: names of the attributes that are actions; by default all that can be.
      action: of MOT, the one class.

    Raises:
      UserError: it cannot be read, or holds no person with an action (of the label map).
    """
    file_format = file_format or guess_format(path)
    if file_format not in FORMATS:
        raise UserError(
            f"annotations {path}: is of none of {', '.join(FORMATS)}; AVA's csv needs no import"
        )
    for argument, value, (least, most) in (
        ("every", every, (0, 1e6)),
        ("frame_rate", frame_rate, FRAME_RATES),
    ):
        if value is not None and not least <= value <= most:
            raise UserError(f"{argument} {value}: expected a number from {least:g} to {most:g}")
    imported = Imported(path, every)
    source = Videos(path, videos, frame_rate)
    if file_format == "mot":
        for file in sequences_of(path):
            read_mot(file, imported, source, action)
    else:
        reader = {"cvat": read_cvat, "via": read_via, "coco": read_coco}[file_format]
        reader(path, imported, source, action_attributes)
    classes = read_label_map(label_map) if label_map else None
    table, classes = imported.table(classes, label_map or "")
    return Result(table, classes, dict(imported.lost), imported.notes)


def write_result(result: Result, output: str) -> None:
    """Writes FILES to a folder; all of them appear, or none."""
    with atomic_files(output, replaces=FILES) as folder:
        write_annotations(os.path.join(folder, FILES[0]), result.table)
        write_label_map(os.path.join(folder, FILES[1]), result.label_map)
        with atomic_text_file(os.path.join(folder, FILES[2])) as file:
            json.dump(result.report(), file, indent=2, ensure_ascii=False)
