"""CVAT's "CVAT for video 1.1": an XML file of tracks, of one task or of a project.

    <track id label [task_id]> <box frame outside xtl ytl xbr ybr> <attribute name>value

A `select` or `radio` attribute of a box is an action by its value, a `checkbox` one by its name.

`frame` is a number in the video, as CVAT's exporter has it (`abs_frame_id` of its
dataset_manager/bindings.py): a task with a frame step has `<size>` frames, each `step` after the
other, from `<start_frame>`. In a project's export the number goes on through the tasks of a subset:
the frames of the tasks before are added (`_init_task_frame_offsets`).
"""

import itertools
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field

from avatx.data.annotations.fields import MAX_FRAME, Record, is_person
from avatx.errors import UserError, shown
from avatx.importing.actions import actions_of
from avatx.importing.imported import Imported
from avatx.importing.video_facts import Videos


@dataclass
class _Task:
    """A task, or a job of one.

    Attributes:
      video: id.
      frames: numbers of its frames in the video.
      offset: what the export adds to them.
      size: (height, width) in pixels.
      shapes: what is drawn of people, inside the video.
      hidden: (a, b): frames between which somebody is there without a box.
    """

    video: str
    frames: range
    offset: int
    size: tuple[int, int]
    shapes: "list[_Shape]" = field(default_factory=list)
    hidden: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class _Shape:
    """Attributes: `element` of XML and its attributes, `record`; its `frame`; `track` and `label`
    it is of; whether it says that the person left."""

    element: ElementTree.Element
    record: Record
    frame: int
    track: str
    label: str
    outside: bool


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
    root = _root(path)
    kinds = _attribute_kinds(root)
    tasks = _tasks(root, path, imported)
    _read_tracks(root, path, tasks, imported)
    for task in tasks.values():
        boxes = {shape.frame for shape in task.shapes if shape.element.tag == "box"}
        clock = videos.clock(task.video)
        wanted = imported.keyframes(task.video, boxes, task.frames, clock, task.hidden)
        for shape in task.shapes:
            seconds = clock.seconds(shape.frame)
            if shape.element.tag != "box":
                what = f"{shape.element.tag} shapes, which are no boxes"
                imported.somebody(task.video, seconds, what)
            elif shape.frame not in wanted:
                imported.between()
            else:
                kind = kinds.get(shape.label, {})
                _add(shape, task, seconds, kind, action_attributes, imported)
    for tag in root:
        if tag.tag not in ("version", "meta", "track"):
            imported.lost[f"<{tag.tag}> elements, which are no tracks"] += 1


def _root(path: str) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        # ValueError: bytes that are no text; LookupError: an encoding that Python does not know.
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
    return root


def _read_tracks(root, path: str, tasks: dict[str, _Task], imported: Imported) -> None:
    """Gives each task the shapes of its people."""
    labels = {track.get("label", "") for track in root.iter("track")}
    people = {label for label in labels if is_person(label)} or labels
    tracks: dict[str, list[list[_Shape]]] = {task_id: [] for task_id in tasks}
    for number, track in enumerate(root.iter("track")):
        name = track.get("id") or f"number {number}"
        where = f"{path}: track {shown(name)}"
        label = track.get("label", "")
        if label not in people:
            imported.lost[f"tracks of {label!r}, who is no person"] += 1
            continue
        task_id = track.get("task_id", "") if len(tasks) > 1 else next(iter(tasks))
        if task_id not in tasks:
            raise UserError(f"{where}: is of task {shown(task_id)}, which is absent")
        shapes = []
        for index, element in enumerate(track):
            frame = element.get("frame") or "absent"
            record = Record(f"{where}, {element.tag} {index} (frame {frame})", element.attrib)
            left = record.number("outside", 0) != 0
            shapes.append(_Shape(element, record, record.whole("frame"), name, label, left))
        tracks[task_id].append(sorted(shapes, key=lambda shape: shape.frame))
    for task_id, task in tasks.items():
        shapes = [shape for track in tracks[task_id] for shape in track]
        offset = task.offset if _is_offset(task, shapes) else 0
        for shape in shapes:
            shape.frame -= offset
        task.shapes = [shape for shape in shapes if not shape.outside]
        # CVAT writes each frame at which somebody is. Where a file of another origin has the frames
        # alone at which the box was drawn, the person is there after them, too, until she leaves.
        task.hidden = [
            (one.frame, following.frame if following else task.frames.stop)
            for track in tracks[task_id]
            for one, following in itertools.zip_longest(track, track[1:])
            if not one.outside
        ]


def _is_offset(task: _Task, shapes: list[_Shape]) -> bool:
    """Whether the task's frames are counted after those of the tasks before it."""
    plain = sum(task.frames.start <= shape.frame < task.frames.stop for shape in shapes)
    counted_on = sum(
        task.frames.start <= shape.frame - task.offset < task.frames.stop for shape in shapes
    )
    least = min((shape.frame for shape in shapes), default=0)
    return counted_on >= plain and least >= task.offset


def _add(shape: _Shape, task: _Task, seconds: float, kinds, action_attributes, imported) -> None:
    record = shape.record
    for name in ("occluded", "rotation"):
        if record.number(name, 0):
            imported.lost[f"{name} of a box"] += 1
    values = {one.get("name", ""): [one.text or ""] for one in shape.element.findall("attribute")}
    actions = actions_of(values, kinds, action_attributes, imported.lost, shape.label)
    left, top, right, bottom = (record.number(side) for side in ("xtl", "ytl", "xbr", "ybr"))
    box = (left, top, right, bottom)
    imported.person(task.video, seconds, box, task.size, actions, shape.track)


def _attribute_kinds(root) -> dict[str, dict[str, str]]:
    """Label -> attribute -> input type, as `select`."""
    return {
        label.findtext("name", ""): {
            one.findtext("name", ""): one.findtext("input_type", "")
            for one in label.iter("attribute")
        }
        for label in root.iter("label")
    }


def _tasks(root, path: str, imported: Imported) -> dict[str, _Task]:
    """Task id -> its video. A job's export has the same fields in <job>."""
    found: dict[str, _Task] = {}
    subset, offset = "", 0
    meta = root.find("meta")
    for element in [] if meta is None else [*meta.iter("task"), *meta.iter("job")]:
        task_id = element.findtext("id", "")
        task = Record(f"{path}: {element.tag} {shown(task_id)}", _texts(element))
        size = element.find("original_size")
        size = meta.find("original_size") if size is None else size
        if task.text("subset", "") != subset:
            subset, offset = task.text("subset", ""), 0
        frames, length = _frames(task)
        if size is not None:
            source = task.text("source", "") or meta.findtext("source") or task.text("name", "")
            video = os.path.splitext(os.path.basename(source))[0]
            found[task_id] = _Task(
                imported.only(video, source),
                frames,
                offset,
                Record(f"{task.where}: original_size", _texts(size)).size(),
            )
        offset += length
    if not found:
        raise UserError(
            f"{path}: says neither the size nor the name of its video (<meta><task>); export it as "
            '"CVAT for video 1.1"'
        )
    _check_shared_videos(found, path, imported)
    return found


def _check_shared_videos(tasks: dict[str, _Task], path: str, imported: Imported) -> None:
    """Tasks of one video are parts of it: of one frame size, and better of other frames."""
    before: dict[str, tuple[str, _Task]] = {}
    for other_id, other in sorted(tasks.items(), key=lambda task: task[1].frames.start):
        one_id, one = before.get(other.video, (other_id, other))
        if one is other or other.frames.stop > one.frames.stop:
            before[other.video] = other_id, other
        if one is other:
            continue
        both = f"tasks {shown(one_id)} and {shown(other_id)} are both of video {shown(one.video)}"
        if one.size != other.size:
            raise UserError(
                f"{path}: {both}, with frames of {one.size[1]} x {one.size[0]} and of "
                f"{other.size[1]} x {other.size[0]} pixels; give the two videos names of their own"
            )
        if other.frames.start < one.frames.stop:
            imported.notes.append(
                f"{both} and have frames in common: people of both are taken, so one who is "
                "annotated in both is there twice"
            )


def _frames(task: Record) -> tuple[range, int]:
    """A task's frames in the video, and by how much the next task's are counted on."""
    step = re.search(r"step\s*=\s*([1-9][0-9]{0,8})", task.text("frame_filter", ""))
    every = int(step[1]) if step else 1
    first = task.whole("start_frame", 0)
    size = task.whole("size", None)
    # An older export has no stop_frame. Where the two differ, what is in one alone may never have
    # been looked at; boxes there are kept all the same.
    ends = [task.whole("stop_frame", None), None if size is None else first + (size - 1) * every]
    last = min([end for end in ends if end is not None], default=first - 1)
    return range(first, min(last, MAX_FRAME) + 1, every), first + every * (size or 0)


def _texts(element) -> dict[str, str]:
    return {one.tag: one.text or "" for one in element}
