"""COCO with track ids: `images` that are frames of videos, `annotations` with `track_id`.

    image: {id, file_name, width, height, video_id?, frame_index or frame_id?}
    annotation: {image_id, category_id, bbox: [x, y, width, height], track_id?, attributes?}

Without `frame_index` a frame's number is the last one in its file name: `film/000123.jpg`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from avatx.errors import UserError
from avatx.importing.actions import actions_of, is_person
from avatx.importing.imported import Imported
from avatx.importing.via import read_json
from avatx.importing.video_facts import Videos

_INDEX_FIELDS = ("frame_index", "frame_id", "frame")


def read_coco(
    path: str, imported: Imported, videos: Videos, action_attributes: Sequence[str] = ()
) -> None:
    """Adds what a file holds.

    Args:
      path: JSON.
      imported: gets it.
      videos: frame rates, where the file does not say.
      action_attributes: which of an annotation's `attributes` are actions; by default all that can
        be. Without attributes a category that is no person is the action.

    Raises:
      UserError: it is no such file.
    """
    data = read_json(path)
    try:
        categories = {one["id"]: str(one["name"]) for one in data["categories"]}
        named = {one["id"]: one for one in data.get("videos", [])}
        frames = {one["id"]: _frame(one, named, videos) for one in data["images"]}
        annotations = data["annotations"]
        wanted: dict[str, dict[int, float]] = {}
        for video in {video for video, _, _, _ in frames.values()}:
            own = [(frame, rate) for name, frame, rate, _ in frames.values() if name == video]
            numbers = [frame for frame, _ in own]
            wanted[video] = imported.keyframes(min(numbers), max(numbers), own[0][1])
        for video, frame, _, _ in frames.values():
            if frame in wanted[video]:
                imported.moment(video, wanted[video][frame])
        for one in annotations:
            video, frame, _, size = frames[one["image_id"]]
            if frame not in wanted[video]:
                imported.lost["boxes between the keyframes"] += 1
                continue
            if one.get("iscrowd"):
                imported.lost["crowds (iscrowd)"] += 1
                continue
            for name in ("segmentation", "keypoints"):
                if one.get(name):
                    imported.lost[name] += 1
            category = categories[one["category_id"]]
            values = {str(key): _text(value) for key, value in one.get("attributes", {}).items()}
            kinds = {key: "checkbox" for key, value in values.items() if value in ("true", "false")}
            actions = actions_of(values, kinds, action_attributes, imported.lost)
            if not actions and not is_person(category):
                actions = [category]
            x, y, width, height = (float(value) for value in one["bbox"])
            who = one.get("track_id", one.get("attributes", {}).get("track_id"))
            seconds = wanted[video][frame]
            imported.person(video, seconds, (x, y, x + width, y + height), size, actions, who)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path}: is no COCO file ({type(error).__name__}: {error}); expected images, "
            "annotations with image_id, category_id and bbox, and categories"
        ) from error


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _frame(
    image: Mapping[str, Any], named: Mapping[Any, Any], videos: Videos
) -> tuple[str, int, float, tuple[int, int]]:
    """(Video id, number of the frame from 0, frames a second, (height, width))."""
    folder, file = os.path.split(str(image["file_name"]))
    entry = named.get(image.get("video_id"), {})
    name = str(entry.get("name") or entry.get("file_name") or os.path.basename(folder))
    stem, extension = os.path.splitext(os.path.basename(name))
    video = stem if re.fullmatch(r"\.[A-Za-z]\w{1,4}", extension) else os.path.basename(name)
    if not video:
        raise UserError(
            f"image {image['id']}, {image['file_name']}: of which video it is says neither a "
            "`video_id` nor a folder in its name"
        )
    number = next((image[key] for key in _INDEX_FIELDS if key in image), None)
    if number is None:
        digits = re.findall(r"\d+", os.path.splitext(file)[0])
        if not digits:
            raise UserError(f"image {image['id']}, {image['file_name']}: has no frame number")
        number = digits[-1]
    rate = entry.get("fps") or entry.get("frame_rate") or videos.frame_rate(video)
    return video, int(number), float(rate), (int(image["height"]), int(image["width"]))
