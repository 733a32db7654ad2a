"""CVAT's "CVAT for video 1.1": an XML file of tracks, of one task or of a project.

    <track id label [task_id]> <box frame outside xtl ytl xbr ybr> <attribute name>value

A `select` or `radio` attribute of a box is an action by its value, a `checkbox` one by its name.
"""

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import NamedTuple

from avatx.errors import UserError
from avatx.importing.actions import actions_of, is_person
from avatx.importing.imported import Imported
from avatx.importing.video_facts import Videos


class _Task(NamedTuple):
    """Attributes: `video`: id; `last`: number of the last frame; `size`: (height, width)."""

    video: str
    first: int
    last: int
    size: tuple[int, int]


def read_cvat(
    path: str, imported: Imported, videos: Videos, action_attributes: Sequence[str] = ()
) -> None:
    """Adds what an export holds.

    Args:
      path: annotations.xml.
      imported: gets it.
      videos: frame rates, which the export does not say.
      action_attributes: which attributes are actions; by default all that can be.

    Raises:
      UserError: it is no such export.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is no XML file ({error})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if root.tag != "annotations":
        raise UserError(f"{path}: <{root.tag}> where <annotations> of CVAT was expected")
    if root.find("track") is None and root.find("image") is not None:
        raise UserError(
            f'{path}: is "CVAT for images", which has no tracks; export the task again as '
            '"CVAT for video 1.1"'
        )
    kinds = _attribute_kinds(root)
    tasks = _tasks(root, path)
    wanted: dict[str, dict[int, float]] = {task_id: {} for task_id in tasks}
    for task_id, task in tasks.items():
        rate = videos.frame_rate(task.video)
        wanted[task_id] = imported.keyframes(task.first, task.last, rate)
        for seconds in wanted[task_id].values():
            imported.moment(task.video, seconds)
    labels = {track.get("label", "") for track in root.iter("track")}
    people = {label for label in labels if is_person(label)} or labels
    for track in root.iter("track"):
        label = track.get("label", "")
        if label not in people:
            imported.lost[f"tracks of {label!r}, who is no person"] += 1
            continue
        task_id = track.get("task_id", "") if len(tasks) > 1 else next(iter(tasks))
        if task_id not in tasks:
            raise UserError(
                f"{path}: track {track.get('id')} is of task {task_id}, which is absent"
            )
        kind = kinds.get(label, {})
        _add_track(track, tasks[task_id], wanted[task_id], kind, action_attributes, imported)
    for tag in root:
        if tag.tag not in ("version", "meta", "track"):
            imported.lost[f"<{tag.tag}> elements, which are no tracks"] += 1


def _add_track(track, task, wanted, kinds, action_attributes, imported) -> None:
    label = track.get("label", "")
    for shape in track:
        if shape.tag != "box":
            imported.lost[f"{shape.tag} shapes, which are no boxes"] += 1
            continue
        frame = int(shape.get("frame", "-1"))
        if shape.get("outside") == "1":
            continue
        if frame not in wanted:
            imported.lost["boxes between the keyframes"] += 1
            continue
        for name in ("occluded", "rotation"):
            if float(shape.get(name, "0") or 0):
                imported.lost[f"{name} of a box"] += 1
        values = {one.get("name", ""): one.text or "" for one in shape.findall("attribute")}
        actions = actions_of(values, kinds, action_attributes, imported.lost)
        if not values and not is_person(label):
            actions = [label]
        box = tuple(float(shape.get(side, "nan")) for side in ("xtl", "ytl", "xbr", "ybr"))
        if any(value != value for value in box):
            raise UserError(f"a box of track {track.get('id')}, frame {frame}, lacks a side")
        seconds = wanted[frame]
        imported.person(task.video, seconds, box, task.size, actions, track.get("id"))


def _attribute_kinds(root) -> dict[str, dict[str, str]]:
    """Label -> attribute -> input type, as `select`."""
    return {
        label.findtext("name", ""): {
            one.findtext("name", ""): one.findtext("input_type", "")
            for one in label.iter("attribute")
        }
        for label in root.iter("label")
    }


def _tasks(root, path: str) -> dict[str, _Task]:
    """Task id -> its video. A job's export has the same fields in <job>."""
    sizes = {
        (int(track.get("task_id", "0") or 0)): int(box.get("frame", "0"))
        for track in root.iter("track")
        for box in track.findall("*")
    }
    found = {}
    meta = root.find("meta")
    for task in [] if meta is None else [*meta.iter("task"), *meta.iter("job")]:
        size = task.find("original_size")
        size = meta.find("original_size") if size is None else size
        if size is None:
            continue
        source = task.findtext("source") or meta.findtext("source") or task.findtext("name") or ""
        first = int(task.findtext("start_frame") or 0)
        length = task.findtext("size")
        last = first + int(length) - 1 if length else max(sizes.values(), default=0)
        found[task.findtext("id", "")] = _Task(
            os.path.splitext(os.path.basename(source))[0],
            first,
            last,
            (int(size.findtext("height", "0")), int(size.findtext("width", "0"))),
        )
    if not found:
        raise UserError(
            f"{path}: says neither the size nor the name of its video (<meta><task>); export it as "
            '"CVAT for video 1.1"'
        )
    return found
