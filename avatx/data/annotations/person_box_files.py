"""Reads boxes of people from what detectors write.

    NAME.csv, NAME.csv.gz   AVA's detections: video, seconds, x1, y1, x2, y2, class or nothing,
                            score; a row of two columns: nobody was seen at that moment
    NAME.json               COCO: {"images": [...], "annotations": [...]}, or results ([...]) with
                            the images in a file of their own
    NAME.txt                MOT Challenge: frame, id, left, top, width, height, score, ...

The first is normalised, the others are in pixels. A class, where there is one, is not looked at,
but in COCO, where `category_id` 1 is a person. A COCO image tells its video and time by `video`
and `time` (seconds), or by a `file_name` VIDEO/SECONDS.jpg or VIDEO_SECONDS.jpg. A MOT sequence
has its `seqinfo.ini` beside the file or in the folder above: name, frameRate, imWidth, imHeight;
frame 1 is second 0, and a keyframe takes the nearest frame.
"""

import configparser
import contextlib
import glob
import json
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from avatx import file_systems
from avatx.data.annotations import ava_csv
from avatx.data.annotations.person_boxes import PersonBoxes, Rows, gather
from avatx.errors import UserError, shown

_PERSON = 1  # COCO's
_IMAGE_NAME = re.compile(r"(.+)[/_](\d+(?:\.\d+)?)\.\w+")
_LARGEST = 2.0  # of a normalised coordinate; detectors reach a little beyond the frame
_SEQUENCE = "seqinfo.ini"


def read_person_boxes(
    paths: Sequence[str],
    score_threshold: float = 0.0,
    max_number_of_boxes: int = 64,
    coco_images_path: str = "",
) -> PersonBoxes:
    """Reads files of the formats above.

    Args:
      paths: files, or patterns of local ones; formats may be mixed.
      score_threshold: boxes of a lower score are left out.
      max_number_of_boxes: of each moment those of highest score are kept.
      coco_images_path: the COCO file whose images are those of COCO results.

    Raises:
      UserError: a file is missing, of no known format, or a row of it is wrong.
    """
    files = [file for path in paths for file in _matching(path)]
    parts = []
    for file in files:
        lower = file.lower()
        if lower.endswith((".csv", ".csv.gz")):
            parts.append(read_csv(file))
        elif lower.endswith(".json"):
            parts.append(read_coco(file, coco_images_path))
        elif lower.endswith(".txt"):
            parts.append(read_mot(file))
        else:
            raise UserError(
                f"{file}: boxes of people are read from NAME.csv (AVA's detections), NAME.json "
                "(COCO) or NAME.txt (MOT Challenge), by the name's ending"
            )
    source = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    return gather(parts, source, score_threshold, max_number_of_boxes)


def _matching(path: str) -> list[str]:
    found = [path] if "://" in path or os.path.exists(path) else sorted(glob.glob(path))
    if not found:
        raise UserError(f"{path}: no such file; expected boxes of people (csv, COCO json, MOT txt)")
    return found


def read_csv(path: str) -> Rows:
    """AVA's detection format; of a row without a score it is 1."""
    videos, seconds, boxes, scores, looked_at = [], [], [], [], []
    for row in ava_csv.parsed_rows(path, _detection):
        if row.box is None:
            looked_at.append((row.video_id, row.timestamp))
            continue
        videos.append(row.video_id)
        seconds.append(row.timestamp)
        boxes.append(row.box)
        scores.append(row.last)
    return Rows(videos, *_arrays(seconds, boxes, scores), looked_at=looked_at)


def _detection(fields: list[str]) -> ava_csv.Row:
    if len(fields) >= 7 and not fields[6].strip():
        fields[6] = "0"
    row = ava_csv.parse_row(fields, ava_csv.DETECTIONS)
    if row.box is None:
        return row
    if not np.isfinite(row.box).all():
        raise ValueError("has a coordinate that is not finite")
    if max(map(abs, row.box)) > _LARGEST:
        raise ValueError(
            f"has a coordinate of {max(map(abs, row.box)):g}, as of pixels; expected "
            "x1, y1, x2, y2 as parts of the frame, 0 to 1"
        )
    if not 0 <= row.last <= 1:
        hint = " (is this an annotation file with person ids?)" if row.last > 1 else ""
        raise ValueError(f"score is {row.last:g}; expected 0 to 1{hint}")
    return row


def read_coco(path: str, images_path: str = "") -> Rows:
    """COCO's annotations with scores, or results."""
    content = _json(path)
    if isinstance(content, dict):
        images = content.get("images")
        found = content.get("annotations")
        where = path
    else:
        if not images_path:
            raise UserError(
                f"{path}: COCO results name images by number; give the file that has them as "
                "coco_images_path (an object with `images`)"
            )
        where, found = images_path, content
        of_images = _json(images_path)
        images = of_images.get("images") if isinstance(of_images, dict) else None
    if not isinstance(images, list):
        raise UserError(f"{where}: has no list `images`; expected a COCO file")
    if not isinstance(found, list):
        raise UserError(f"{path}: has no list `annotations`; expected a COCO file or results")
    by_id = {}
    for index, image in enumerate(images):
        name = f"{where}, images[{index}]"
        by_id[_field(image, "id", name)] = (*_moment(image, name), *_size(image, name))
    videos, seconds, boxes, scores = [], [], [], []
    for index, one in enumerate(found):
        name = f"{path}, entry {index}"
        image_id = _field(one, "image_id", name)
        if image_id not in by_id:
            raise UserError(
                f"{name}: image_id is {shown(image_id)}, which is none of the images of {where}"
            )
        if one.get("category_id", _PERSON) != _PERSON:
            continue
        video, time, height, width = by_id[image_id]
        box = _field(one, "bbox", name)
        score = one.get("score", 1.0)
        if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
            raise UserError(f"{name}: bbox is {shown(box)}; expected [x, y, width, height], pixels")
        if not (_is_number(score) and 0 <= score <= 1):
            raise UserError(f"{name}: score is {shown(score)}; expected 0 to 1")
        x, y, w, h = box
        videos.append(video)
        seconds.append(time)
        boxes.append((y / height, x / width, (y + h) / height, (x + w) / width))
        scores.append(score)
    looked_at = [(video, time) for video, time, _, _ in by_id.values()]
    return Rows(videos, *_arrays(seconds, boxes, scores), looked_at=looked_at)


def read_mot(path: str) -> Rows:
    """MOT Challenge's detections or tracks; a score of -1 is none, and so is 1."""
    sequence = _sequence(path)
    name, rate, height, width = sequence
    seconds, boxes, scores = [], [], []
    for fields in ava_csv.parsed_rows(path, _mot_numbers):
        score = fields[6] if len(fields) > 6 and fields[6] != -1 else 1.0
        frame, _, x, y, w, h = fields[:6]
        seconds.append((frame - 1) / rate)
        boxes.append((y / height, x / width, (y + h) / height, (x + w) / width))
        scores.append(score)
    return Rows(
        [name] * len(scores), *_arrays(seconds, boxes, scores), tolerance={name: 0.5 / rate}
    )


def _mot_numbers(fields: list[str]) -> list[float]:
    with contextlib.suppress(ValueError):
        numbers = [float(field) for field in fields[:7]]
        if len(numbers) >= 6 and np.isfinite(numbers).all():
            return numbers
    raise ValueError("expected frame, id, left, top, width, height, score")


def _sequence(path: str) -> tuple[str, float, float, float]:
    """Of seqinfo.ini: name, frames a second, height and width in pixels."""
    folder = os.path.dirname(path)
    for place in (folder, os.path.dirname(folder)):
        info = os.path.join(place, _SEQUENCE)
        if os.path.exists(info):
            break
    else:
        raise UserError(
            f"{path}: there is no {_SEQUENCE} beside it or in the folder above; a MOT file needs "
            "one, [Sequence] with name, frameRate, imWidth and imHeight"
        )
    parser = configparser.ConfigParser()
    try:
        parser.read(info, "utf-8")
        section = parser["Sequence"]
        numbers = [float(section[key]) for key in ("frameRate", "imHeight", "imWidth")]
        if not all(0 < number < 1e9 for number in numbers):
            raise ValueError
        return section["name"], numbers[0], numbers[1], numbers[2]
    except (configparser.Error, KeyError, ValueError, OSError):
        raise UserError(
            f"{info}: expected [Sequence] with name, and frameRate, imWidth and imHeight, numbers "
            "over 0"
        ) from None


def _json(path: str) -> Any:
    try:
        with file_systems.open_binary(path) as file:
            content = json.loads(file.read())
    except (OSError, ValueError) as error:  # JSON's and UTF-8's errors are ValueErrors
        raise UserError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict | list):
        raise UserError(f"{path}: holds {shown(content)}; expected COCO's object or list")
    return content


def _field(entry: Any, field: str, name: str) -> Any:
    if not isinstance(entry, dict) or field not in entry:
        raise UserError(f"{name}: has no `{field}`; expected a COCO file")
    value = entry[field]
    if field.endswith("id") and not isinstance(value, int | str):
        raise UserError(f"{name}: {field} is {shown(value)}; expected a number or a text")
    return value


def _moment(image: dict, name: str) -> tuple[str, float]:
    if isinstance(image.get("video"), str) and _is_number(image.get("time")):
        return image["video"], image["time"]
    match = _IMAGE_NAME.fullmatch(str(image.get("file_name", "")))
    if not match:
        raise UserError(
            f"{name}: does not tell its video and time; expected `video` and `time` (seconds), or "
            f"file_name VIDEO/SECONDS.jpg, is {shown(image.get('file_name'))}"
        )
    return match[1], float(match[2])


def _size(image: dict, name: str) -> tuple[float, float]:
    height, width = image.get("height", 0), image.get("width", 0)
    if not all(_is_number(one) and one > 0 for one in (height, width)):
        raise UserError(f"{name}: height and width are {shown((height, width))}; expected pixels")
    return height, width


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)


def _arrays(seconds, boxes, scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array(seconds, np.float64),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array(scores, np.float64),
    )
