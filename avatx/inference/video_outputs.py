"""What detect_video writes: detections as AVA csv and as JSON, and with numbers over time."""

import csv
import json
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from avatx.atomic_file import atomic_text_file
from avatx.core.people import Person
from avatx.data.annotations import ava_csv
from avatx.data.annotations.ava_table import AvaTable
from avatx.inference.detector import ClipDetections

# All that a run may write.
RESULTS = (
    "detections.json",
    "detections.csv",
    "tracks.csv",
    "annotated.mp4",
    "contact_sheet.jpg",
    "attention.jpg",
)
TRACK_COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "score", "track_id"]
NOTE = ".done.json"  # beside them: what they were made from, if they are one of many videos'


class KeyframeDetections(NamedTuple):
    """What was found at one keyframe."""

    timestamp: float  # seconds from the video's first frame
    detections: ClipDetections
    people: Sequence[Person] = ()  # the same detections, gathered and linked


def name_video(video: str) -> str:
    """The csv's video id: the file's name without extension, or the folder's name."""
    path = video.rstrip("/")
    name = os.path.basename(path)
    if not os.path.isdir(path):
        name = os.path.splitext(name)[0]
    # What no csv can hold: its own signs, and bytes of a name that are no UTF-8.
    return re.sub(r'[,"\r\n\ud800-\udfff]', "_", name) or "video"


def write_csv(path: str, video_id: str, keyframes: list[KeyframeDetections]) -> None:
    """Writes AVA's detection csv: video, second, x1, y1, x2, y2, class id, score."""
    counts = [len(keyframe.detections.scores) for keyframe in keyframes]
    timestamps = np.repeat([keyframe.timestamp for keyframe in keyframes], counts)
    parts = [keyframe.detections for keyframe in keyframes]
    table = AvaTable.from_columns(
        [video_id] * len(timestamps),
        timestamps,
        np.concatenate([part.boxes for part in parts] or [np.zeros([0, 4])]),
        np.concatenate([part.classes for part in parts] or [np.zeros([0])]),
        score=np.concatenate([part.scores for part in parts] or [np.zeros([0])]),
    )
    ava_csv.write_detections(path, table)


def write_tracks(path: str, video_id: str, keyframes: list[KeyframeDetections]) -> None:
    """Writes a row an action of a person, with the person's number over time, under a header.

    A file of its own: AVA's detection csv has no place for a number, and its evaluator refuses
    a ninth column.
    """
    with atomic_text_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TRACK_COLUMNS)
        for keyframe in keyframes:
            for person in keyframe.people:
                ymin, xmin, ymax, xmax = (f"{float(value):.6f}" for value in person.box)
                for action in person.actions:
                    writer.writerow(
                        [video_id, f"{keyframe.timestamp:.12g}", xmin, ymin, xmax, ymax]
                        + [action.class_id, f"{action.score:.6f}", person.track]
                    )


def write_json(
    path: str,
    keyframes: list[KeyframeDetections],
    class_names: dict[int, str],
    class_groups: dict[int, str],
    **facts,
) -> None:
    """Writes people with their actions, a keyframe each, after the `facts` about the run.

    {..facts.., "box_format": "...", "classes": {"1": "bend"}, "groups": {"1": "PERSON_MOVEMENT"},
    "keyframes": [{"timestamp": 0.0, "people": [{"track": 1, "box": [ymin, xmin, ymax, xmax],
    "actions": [{"id", "name", "score"}]}]}]}; `groups` are the label map's, if it has any.
    """
    content = {
        **facts,
        "box_format": "ymin, xmin, ymax, xmax; fractions of the frame",
        "classes": {str(class_id): name for class_id, name in class_names.items()},
        "groups": {str(class_id): group for class_id, group in class_groups.items()},
        "keyframes": [
            {
                "timestamp": keyframe.timestamp,
                "people": [
                    {
                        "track": person.track,
                        "box": [round(float(value), 6) for value in person.box],
                        "actions": [
                            {
                                "id": action.class_id,
                                "name": action.name,
                                "score": round(action.known_score, 6),
                            }
                            for action in person.actions
                        ],
                    }
                    for person in keyframe.people
                ],
            }
            for keyframe in keyframes
        ],
    }
    with atomic_text_file(path) as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")
