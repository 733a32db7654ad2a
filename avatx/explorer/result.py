"""What detect_video wrote, read back from its detections.json."""

import dataclasses
import json
import os
from typing import Any, NamedTuple

import numpy as np

from avatx import file_systems
from avatx.core.people import Action, Person
from avatx.errors import UserError, shown
from avatx.inference.linking import Linker

NAME = "detections.json"
_OF_MANY = "manifest.json"  # `inference.batch_manifest.NAME`, whose module imports TensorFlow


class Keyframe(NamedTuple):
    """The people of one keyframe, linked over time."""

    timestamp: float  # seconds from the video's first frame
    people: list[Person]


@dataclasses.dataclass(frozen=True)
class Result:
    """A run of detect_video.

    Attributes:
      path: its detections.json.
      facts: what it says beside classes and keyframes: "video", "saved_model", "every", ...
      class_names: class id to name.
      class_groups: class id to its label map's `label_type`; of an older result none.
      keyframes: in order of time.
    """

    path: str
    facts: dict[str, Any]
    class_names: dict[int, str]
    class_groups: dict[int, str]
    keyframes: list[Keyframe]


def read_result(path: str) -> Result:
    """The result in a folder, or of a detections.json.

    An older one, whose people have no numbers, is linked here.

    Raises:
      UserError: there is none, or it is not what detect_video writes.
    """
    file_path = path if file_systems.is_file(path) else os.path.join(path, NAME)
    try:
        with open(file_path, encoding="utf-8") as file:
            content = json.load(file)
    except OSError as error:
        if _is_of_many(_json_or_none(os.path.join(path, _OF_MANY))):
            raise UserError(f"{path}: holds a folder a video; give one of them") from error
        raise UserError(
            f"{path}: no {NAME} can be read there ({error.strerror}); give the output folder of "
            "tools/detect_video.py"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{file_path}: not JSON ({error}); run tools/detect_video.py again"
        ) from error
    if _is_of_many(content):
        raise UserError(f"{file_path}: lists a folder a video; give one of them")
    if not isinstance(content, dict):
        raise UserError(
            f"{file_path}: holds {shown(content)}; expected the object that tools/detect_video.py "
            "writes; run it again"
        )
    try:
        names = {int(key): str(name) for key, name in content.pop("classes").items()}
        groups = {int(key): str(of) for key, of in content.pop("groups", {}).items()}
        keyframes = [_keyframe(entry) for entry in content.pop("keyframes")]
        every = float(content["every"])
        if not 1e-3 <= every < float("inf"):
            raise ValueError(f"every is {every:g}, no number of seconds")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{file_path}: not what tools/detect_video.py writes ({type(error).__name__}: "
            f"{error}); run it again"
        ) from error
    if not keyframes:
        raise UserError(f"{file_path}: has no keyframe, so there is nothing to show")
    return Result(file_path, content, names, groups, _linked(keyframes, every))


def _json_or_none(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _is_of_many(content: Any) -> bool:
    """Whether it is the manifest of many results: records have one of that name, too."""
    return isinstance(content, dict) and isinstance(content.get("videos"), dict)


def _keyframe(entry: dict[str, Any]) -> Keyframe:
    people = [
        Person(
            np.array(person["box"], np.float32).reshape(4),
            tuple(
                Action(int(action["id"]), str(action["name"]), float(action["score"]))
                for action in person["actions"]
            ),
            person.get("track"),
        )
        for person in entry["people"]
    ]
    return Keyframe(float(entry["timestamp"]), people)


def _linked(keyframes: list[Keyframe], every: float) -> list[Keyframe]:
    if all(person.track is not None for keyframe in keyframes for person in keyframe.people):
        return keyframes
    linker = Linker(every)
    return [Keyframe(time, linker.link(time, people)) for time, people in keyframes]
