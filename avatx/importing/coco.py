"""COCO with track ids: `images` that are frames of videos, `annotations` with `track_id`.

    image: {id, file_name, width?, height?, video_id?, frame_index or frame_id?}
    annotation: {image_id, category_id, bbox: [x, y, width, height], track_id?, attributes?}

Without a field a frame's number is the last one in its file name, `film/000123.jpg`. Whether
numbers begin with 0 or 1: `avatx.importing.frame_numbers`.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from avatx.data.annotations.fields import MAX_FRAME, Record
from avatx.errors import UserError, shown
from avatx.importing.actions import LIST, actions_of, is_true
from avatx.importing.frame_numbers import FILE_NAME, INDEX, Numbers, first_numbers
from avatx.importing.imported import Imported
from avatx.importing.via import read_json
from avatx.importing.video_facts import Videos

_INDEX_FIELDS = (INDEX, "frame_id", "frame")


class _Image(NamedTuple):
    """Attributes:
    video: id.
    frame: its number, counted from 0 or from 1.
    field: where that is from: FILE_NAME, or one of _INDEX_FIELDS.
    rate: frames a second, None where the file does not say.
    size: (height, width) in pixels.
    """

    video: str
    frame: int
    field: str
    rate: float | None
    size: tuple[int, int]


def read_coco(
    path: str, imported: Imported, videos: Videos, action_attributes: Sequence[str] = ()
) -> None:
    """Adds what a file holds.

    Args:
      path: JSON.
      imported: gets it.
      videos: frame rates, where the file does not say.
      action_attributes: which of an annotation's `attributes` are actions; by default all that can
        be. Where there is none, a category that is no person is the action.

    Raises:
      UserError: it is no such file.
    """
    data = read_json(path)
    expected = "images", "annotations", "categories"
    if not isinstance(data, Mapping) or any(name not in data for name in expected):
        raise UserError(f"{path}: is no COCO file; expected {', '.join(expected)}")
    file = Record(path, data)
    categories = {key: one.text("name") for key, one in _by_id(file.records("categories"))}
    named = dict(_by_id(file.records("videos", [])))
    alone = videos.alone()
    images = {
        key: _image(one, named, imported, alone, videos)
        for key, one in _by_id(file.records("images"))
    }
    images = _from_zero(images, imported, videos)
    annotations = file.records("annotations")
    wanted = _keyframes(images, annotations, imported, videos)
    for one in annotations:
        image = _found(one, "image_id", images)
        category = _found(one, "category_id", categories)
        if image.frame not in wanted[image.video]:
            imported.between()
            continue
        seconds = wanted[image.video][image.frame]
        crowd = one.value("iscrowd")
        if crowd if isinstance(crowd, bool) else one.number("iscrowd", 0):
            imported.somebody(image.video, seconds, "crowds (iscrowd)")
            continue
        for name in ("segmentation", "keypoints"):
            if one.value(name):
                imported.lost[name] += 1
        attributes = one.record("attributes", {})
        values, kinds = _values(attributes, imported.lost)
        if any(map(is_true, values.get("outside", ()))):
            continue
        actions = actions_of(
            values, kinds, action_attributes, imported.lost, category, bookkeeping=True
        )
        x, y, width, height = one.numbers("bbox", 4)
        who = one.key("track_id", attributes.key("track_id", None))
        box = (x, y, x + width, y + height)
        imported.person(image.video, seconds, box, image.size, actions, who)


def _keyframes(
    images: Mapping[Hashable, _Image],
    annotations: list[Record],
    imported: Imported,
    videos: Videos,
) -> dict[str, dict[int, float]]:
    """Video -> {frame: seconds} of its keyframes."""
    people: defaultdict[str, set[int]] = defaultdict(set)
    for one in annotations:
        image = _found(one, "image_id", images)
        people[image.video].add(image.frame)
    listed: defaultdict[str, set[int]] = defaultdict(set)
    rates: dict[str, float | None] = {}
    for image in images.values():
        listed[image.video].add(image.frame)
        rates.setdefault(image.video, image.rate)
    return {
        video: imported.keyframes(
            video, people[video], sorted(frames), videos.clock(video, rates[video])
        )
        for video, frames in listed.items()
    }


def _from_zero(
    images: Mapping[Hashable, _Image], imported: Imported, videos: Videos
) -> dict[Hashable, _Image]:
    """The images, their frames counted from 0."""
    numbers = {key: Numbers(image.video, image.field) for key, image in images.items()}
    frames = ((numbers[key], image.frame) for key, image in images.items())
    first = first_numbers(frames, videos, imported.notes)
    return {
        key: image._replace(frame=max(image.frame - first[numbers[key]], 0))
        for key, image in images.items()
    }


def _by_id(records: list[Record]) -> Iterator[tuple[Hashable, Record]]:
    known = set()
    for one in records:
        key = one.key("id")
        if key in known:
            raise one.refused("id", "an id that no record before it has")
        known.add(key)
        yield key, one


def _found(record: Record, name: str, among: Mapping) -> Any:
    """What the key in a field stands for."""
    key = record.key(name)
    if key not in among:
        raise record.refused(name, "one of the file's ids")
    return among[key]


def _values(attributes: Record, lost: Counter) -> tuple[dict[str, list[str]], dict[str, str]]:
    """(Attribute -> what it says, attribute -> kind); a tool may write several values as a list."""
    values: dict[str, list[str]] = {}
    kinds = {}
    for name in attributes.names():
        value = attributes.value(name)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            values[name], kinds[name] = value, LIST
        elif isinstance(value, (bool, str, int, float)):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            values[name] = [text]
            if text in ("true", "false"):
                kinds[name] = "checkbox"
        elif value is not None:
            lost[f"attribute {name!r}"] += 1
    return values, kinds


def _image(
    image: Record,
    named: Mapping[Hashable, Record],
    imported: Imported,
    alone: str | None,
    videos: Videos,
) -> _Image:
    """An image of one of the `named` videos, of its folder's, or of the one that is `alone`."""
    folder, file = os.path.split(image.text("file_name"))
    key = image.key("video_id", None)
    entry = named.get(key, Record(image.where, {}))
    name = entry.text("name", "") or entry.text("file_name", "") or os.path.basename(folder)
    stem, extension = os.path.splitext(os.path.basename(name))
    video = stem if re.fullmatch(r"\.[A-Za-z]\w{1,4}", extension) else os.path.basename(name)
    if not video and alone:
        note = f"images without a video's name are taken for frames of {shown(alone)}, the only one"
        video = alone
        if note not in imported.notes:
            imported.notes.append(note)
    if not video:
        raise UserError(
            f"{image.where}: of which video {shown(image.text('file_name'))} is says neither a "
            "`video_id` nor a folder in its name; expected VIDEO/000123.jpg, or one video alone in "
            "`videos`"
        )
    if entry.names():
        imported.only(video, f"{name} (video_id {key})", "entry")
    else:
        imported.only(video, folder, "folder")
    field = next((name for name in _INDEX_FIELDS if name in image), None)
    if field:
        number = image.whole(field)
    else:
        digits = re.findall(r"[0-9]{1,18}", os.path.splitext(file)[0])
        number = int(digits[-1]) if digits else -1
        if not 0 <= number <= MAX_FRAME:
            raise image.refused("file_name", "the number of a frame, or a `frame_index` beside it")
    rate = entry.frame_rate("fps") or entry.frame_rate("frame_rate")
    stated = "width" in image or "height" in image
    size = image.size() if stated else videos.size(video)
    return _Image(video, number, field or FILE_NAME, rate, size)
