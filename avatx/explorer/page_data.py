"""What the page knows from the start: everything but attention, as one script."""

import json
import unicodedata
from typing import Any

import numpy as np

from avatx.core.people import Person
from avatx.data.times import to_microseconds
from avatx.explorer.result import Result
from avatx.explorer.smoothing import smooth_scores
from avatx.pictures.boxes import short_name
from avatx.pictures.colours import OTHER_ACTION, class_colours
from avatx.pictures.keyframe_pictures import annotated_people, none_of_it

_HEAT_STEPS = 64
_JOINERS = "\u200c\u200d"  # which letters of some scripts, and emoji, are made with


def page_data(result: Result, groundtruth: str | None = None) -> dict[str, Any]:
    """JSON-able.

    Args:
      result: of detect_video.
      groundtruth: AVA annotation csv whose rows of this video are shown, too.

    Raises:
      UserError: the csv cannot be read.
    """
    facts = result.facts
    notes = [str(note) for note in facts.get("notes") or ()]
    if facts.get("stopped"):
        notes.insert(0, f"detection stopped early: {facts['stopped']}")
    truth = None
    if groundtruth is not None:
        video_id = facts.get("video_id", "")
        truth = annotated_people(groundtruth, video_id, result.class_names)
        if not truth:
            notes = list(dict.fromkeys([*notes, none_of_it(groundtruth, video_id)]))
    smooth = smooth_scores(result.keyframes)
    names = dict(result.class_names)
    colours = class_colours(names, result.class_groups)
    keyframes = []
    for keyframe, smoothed in zip(result.keyframes, smooth, strict=True):
        entry: dict[str, Any] = {
            "t": keyframe.timestamp,
            "people": [
                {
                    "track": person.track,
                    "box": _box(person),
                    "actions": [
                        [a.class_id, round(a.score or 0, 4), round(of_person[a.class_id], 4)]
                        for a in person.actions
                    ],
                }
                for person, of_person in zip(keyframe.people, smoothed, strict=True)
            ],
        }
        names.update({a.class_id: a.name for p in keyframe.people for a in p.actions})
        if truth is not None:
            annotated = truth.get(int(to_microseconds(keyframe.timestamp)))
            # null: nobody looked at this keyframe; []: somebody did, and nobody is in it
            entry["truth"] = (
                None
                if annotated is None
                else [
                    {"box": _box(person), "classes": [a.class_id for a in person.actions]}
                    for person in annotated
                ]
            )
            names.update({a.class_id: a.name for p in annotated or () for a in p.actions})
        keyframes.append(entry)
    return {
        "title": facts.get("video_id") or "video",
        "every": facts["every"],
        "score_threshold": facts.get("score_threshold", 0),
        "notes": notes,
        "has_truth": truth is not None,
        "classes": {
            str(class_id): {
                "name": shown,
                "short": short_name(shown),
                "colour": colours.get(class_id, OTHER_ACTION),
            }
            for class_id, shown in ((i, in_a_line(name, i)) for i, name in sorted(names.items()))
        },
        "heat": heat_colours(),
        "keyframes": keyframes,
    }


def data_script(data: dict[str, Any]) -> str:
    """A script that sets it; nothing in a name can end it, for all but ASCII is escaped."""
    return f"var avatxData = {json.dumps(data, separators=(',', ':'))};\n"


def in_a_line(name: str, class_id: int) -> str:
    """A class's name as it can stand before its score: one line, none of whose signs turns round
    what follows; "class 7" where nothing is left."""
    kinds = [(sign, "" if sign in _JOINERS else unicodedata.category(sign)) for sign in name]
    kept = (" " if kind == "Cc" else "" if kind == "Cf" else sign for sign, kind in kinds)
    return " ".join("".join(kept).split()) or f"class {class_id}"


def heat_colours() -> list[str]:
    """The colours of `avatx.pictures.attention.overlay`, from no attention to most."""
    from matplotlib import colormaps

    strength = np.linspace(0, 1, _HEAT_STEPS)
    return [_hex(np.rint(c[:3] * 255)) for c in colormaps["inferno"](0.25 + 0.75 * strength)]


def _box(person: Person) -> list[float]:
    return [round(float(value), 5) for value in person.box]


def _hex(colour) -> str:
    return "#" + "".join(f"{int(value):02x}" for value in colour)
