"""Reads boxes of people from what detectors write.

    NAME.csv, NAME.csv.gz   AVA's detections: video, seconds, x1, y1, x2, y2, class or nothing,
                            score; a row of two columns: nobody was seen at that moment
    NAME.json               COCO: {"images": [...], "annotations": [...]}, or results ([...]) with
                            the images in a file of their own
    NAME.txt                MOT Challenge: frame, id, left, top, width, height, score, ...

The first is normalised, the others are in pixels, MOT Challenge's counted from 1. A class of
a csv is not looked at. In COCO a person is the category of that name where the file has categories,
else `category_id` 1; of MOT Challenge's classes those that are nobody are left out. A COCO image
tells its video and time by `video` and `time` (seconds), or by a `file_name` VIDEO/SECONDS.jpg or
VIDEO_SECONDS.jpg. A MOT sequence has its `seqinfo.ini` beside the file or in the folder above:
name, frameRate, imWidth, imHeight; frame 1 is second 0, and a keyframe takes the nearest frame.
"""

import glob
import json
import os
import re
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from avatx import file_systems
from avatx.data.annotations import ava_csv
from avatx.data.annotations.fields import Record, as_number, is_person
from avatx.data.annotations.mot_files import (
    SEQUENCE,
    find_sequence,
    read_labels,
    read_rows,
    read_sequence,
)
from avatx.data.annotations.person_boxes import MAX_TIME, PersonBoxes, Rows, gather
from avatx.errors import UserError, shown

_PERSON = 1  # COCO's
_IMAGE_NAME = re.compile(r"(.+)[/_](\d+(?:\.\d+)?)\.\w+")
_LARGEST = 2.0  # of a normalised coordinate; detectors reach a little beyond the frame
# MOT Challenge's classes that are nobody: vehicles, distractors, occluders, reflections, crowds.
_NOBODY = (3, 4, 5, 6, 8, 9, 10, 11, 12, 13)


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
    highest = max((part.scores.max() for part in parts if len(part.scores)), default=None)
    if highest is not None and highest < score_threshold:
        raise UserError(
            f"{source}: no box reaches score_threshold {score_threshold:g}; the highest score is "
            f"{highest:.3g}"
        )
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
    if not abs(row.timestamp) <= MAX_TIME:
        raise ValueError(
            f"time is {row.timestamp:g} s; expected seconds of a video, 25 days at most"
        )
    if row.box is None:
        return row
    if not np.isfinite(row.box).all():
        raise ValueError("has a coordinate that is not finite")
    if max(map(abs, row.box)) > _LARGEST:
        raise ValueError(
            f"has a coordinate of {max(map(abs, row.box)):g}, as of pixels; expected "
            "x1, y1, x2, y2 as parts of the frame, 0 to 1"
        )
    if row.box[2] < row.box[0] or row.box[3] < row.box[1]:
        raise ValueError("has a box that ends before it begins; expected x1, y1, x2, y2")
    if not 0 <= row.last <= 1:
        hint = " (is this an annotation file with person ids?)" if row.last > 1 else ""
        raise ValueError(f"score is {row.last:g}; expected 0 to 1{hint}")
    return row


def read_coco(path: str, images_path: str = "") -> Rows:
    """COCO's annotations with scores, or results."""
    content = _json(path)
    where, of_images = path, content
    if isinstance(content, list):
        if not images_path:
            raise UserError(
                f"{path}: holds a list of {len(content)} entries, as COCO's results, whose images "
                "are in another file; expected an object with `images` and `annotations`, or, in a "
                "pipeline.config, the file with the images as coco_images_path"
            )
        where, of_images = images_path, _json(images_path)
    if not isinstance(of_images, dict) or not isinstance(of_images.get("images"), list):
        raise UserError(f"{where}: has no list `images`; expected a COCO file")
    if isinstance(content, dict) and not isinstance(content.get("annotations"), list):
        raise UserError(f"{path}: has no list `annotations`; expected a COCO file or results")
    file = Record(where, of_images)
    person = _person_id(file)
    by_id: dict[Hashable, tuple[str, float, tuple[int, int]]] = {}
    for image in file.records("images"):
        key = image.key("id")
        if key in by_id:
            raise image.refused("id", "an id that no image before it has")
        by_id[key] = (*_moment(image), image.size())
    videos, seconds, boxes, scores, others, longest = [], [], [], [], set(), 0.0
    for index, entry in enumerate(content if isinstance(content, list) else content["annotations"]):
        one = Record(f"{path}: entry {index}", entry)
        image_id = one.key("image_id")
        if image_id not in by_id:
            raise one.refused("image_id", f"one of the images of {where}")
        category = one.key("category_id", person)
        if category != person:
            others.add(category)
            continue
        video, time, (height, width) = by_id[image_id]
        x, y, w, h = one.numbers("bbox", 4)
        if w < 0 or h < 0:
            raise one.refused("bbox", "x, y, width and height in pixels")
        longest = max(longest, w, h)
        videos.append(video)
        seconds.append(time)
        boxes.append((y / height, x / width, (y + h) / height, (x + w) / width))
        scores.append(one.number("score", 1.0, 0, 1))
    if others and not boxes:
        raise UserError(
            f"{path}: holds no person, category id {shown(person)}; its rows are of category ids "
            f"{shown(', '.join(sorted(map(str, others))))}"
        )
    _check_pixels(path, longest, len(boxes))
    looked_at = [(video, time) for video, time, _ in by_id.values()]
    return Rows(videos, *_arrays(seconds, boxes, scores), looked_at=looked_at)


def _person_id(file: Record) -> Hashable:
    """The id of the category of people."""
    names = {one.key("id"): one.text("name", "") for one in file.records("categories", [])}
    if not names:
        return _PERSON
    people = [key for key, name in names.items() if name.strip().lower() == "person"]
    people = people or [key for key, name in names.items() if is_person(name)]
    if len(people) != 1:
        raise UserError(
            f"{file.where}: of its categories {shown(', '.join(map(str, names.values())))} "
            f"{len(people)} are people; expected one, called person"
        )
    return people[0]


def read_mot(path: str) -> Rows:
    """MOT Challenge's detections or tracks; a score of -1 is none, and so is 1."""
    info = find_sequence(path)
    if info is None:
        raise UserError(
            f"{path}: there is no {SEQUENCE} beside it or in the folder above; a MOT file needs "
            "one, [Sequence] with name, frameRate, imWidth and imHeight"
        )
    name, rate, (height, width) = read_sequence(info)
    labels = read_labels(path)
    people = [number for number, label in enumerate(labels, 1) if is_person(label)]
    seconds, boxes, scores, others, longest = [], [], [], set(), 0.0
    for row in read_rows(path, labels, with_ids=False):
        if row.kind not in people if people else not labels and row.kind in _NOBODY:
            others.add(row.kind)
            continue
        left, top, right, bottom = row.box
        longest = max(longest, right - left, bottom - top)
        seconds.append(row.frame / rate)
        boxes.append((top / height, left / width, bottom / height, right / width))
        scores.append(1.0 if row.confidence in (None, -1) else row.confidence)
    if others and not boxes:
        raise UserError(f"{path}: holds no person; its rows are of classes {sorted(others)}")
    _check_pixels(path, longest, len(boxes))
    return Rows(
        [name] * len(scores), *_arrays(seconds, boxes, scores), tolerance={name: 0.5 / rate}
    )


def _check_pixels(path: str, longest: float, number: int) -> None:
    """Raises UserError where boxes in pixels must be parts of the frame."""
    if number and longest <= 1:
        raise UserError(
            f"{path}: none of its {number:,} boxes is longer than a pixel, the longest side is "
            f"{longest:g}; expected pixels, not parts of the frame"
        )


def _json(path: str) -> Any:
    try:
        with file_systems.open_binary(path) as file:
            content = json.loads(file.read())
    except (OSError, ValueError, RecursionError) as error:  # JSON's and UTF-8's are ValueErrors
        raise UserError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict | list):
        raise UserError(f"{path}: holds {shown(content)}; expected COCO's object or list")
    return content


def _moment(image: Record) -> tuple[str, float]:
    if "video" in image and "time" in image:
        return image.text("video"), image.number("time", None, -MAX_TIME, MAX_TIME)
    match = _IMAGE_NAME.fullmatch(image.text("file_name", ""))
    seconds = match and as_number(match[2])
    if not match or seconds is None or seconds > MAX_TIME:
        raise image.refused(
            "file_name",
            "VIDEO/SECONDS.jpg, or `video` and `time` (seconds) beside it",
        )
    return match[1], seconds


def _arrays(seconds, boxes, scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array(seconds, np.float64),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array(scores, np.float64),
    )
