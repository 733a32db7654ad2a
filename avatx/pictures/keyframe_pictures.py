"""The still pictures of a run: a contact sheet of keyframes and a sheet of attention."""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from avatx.core.cell_view import evenly
from avatx.core.people import Person, box_iou, merge_people
from avatx.data.times import to_microseconds
from avatx.data.video.keyframe_clips import KeyframeClip
from avatx.pictures.attention import attention_sheet
from avatx.pictures.boxes import Colours, draw_people, upscale
from avatx.pictures.contact_sheet import Tile, contact_sheet

MAX_KEYFRAMES = 12  # on a contact sheet
_TILE_SHORTER_SIDE = 360
_JPEG_QUALITY = 90


class _Shown(NamedTuple):
    timestamp: float
    frame: np.ndarray
    people: list[Person]


class _Best(NamedTuple):
    """The person whose first action has the highest score so far."""

    clip: KeyframeClip
    person: Person


class Pictures:
    """Gathers what the pictures need while a video runs by; its memory is bounded.

    Args:
      class_names: class id to name.
      colours: of `avatx.pictures.colours.class_colours`.
      video_id: as in the groundtruth csv.
      groundtruth: AVA annotation csv to show beside the detections.
      attend: clip -> (ClipDetections, ClipAttention) of `avatx.inference.detector`; None draws no
        attention sheet.

    Attributes:
      notes: what a user should know of them, a line each.

    Raises:
      UserError: the csv cannot be read.
    """

    def __init__(
        self,
        class_names: dict[int, str],
        colours: Colours,
        video_id: str,
        groundtruth: str | None = None,
        attend: Callable[..., tuple] | None = None,
    ):
        self._video_id = video_id
        self._colours = colours
        self._annotated = None
        self.notes: list[str] = []
        if groundtruth is not None:
            self._annotated = annotated_people(groundtruth, video_id, class_names)
            if not self._annotated:
                self.notes.append(none_of_it(groundtruth, video_id))
        self._attend = attend
        self._step = 1
        self._count = 0
        self._shown: list[_Shown] = []
        self._best: _Best | None = None

    def add(self, clip: KeyframeClip, people: list[Person]) -> None:
        """Takes a keyframe. Of a long video every 2nd, 4th, ... is kept, evenly spread."""
        if self._count % self._step == 0:
            frame = upscale(clip.keyframe[..., :3], _TILE_SHORTER_SIDE)
            self._shown.append(_Shown(clip.timestamp, frame, people))
            if len(self._shown) >= 2 * MAX_KEYFRAMES:
                self._shown = self._shown[::2]
                self._step *= 2
        self._count += 1
        if self._attend and people:
            score = people[0].actions[0].known_score
            if self._best is None or score > self._best.person.actions[0].known_score:
                self._best = _Best(clip, people[0])

    def write(self, folder: str) -> None:
        """Writes contact_sheet.jpg and, where asked for and anyone was found, attention.jpg."""
        _save(self._contact_sheet(), os.path.join(folder, "contact_sheet.jpg"))
        if self._attend is not None and self._best is not None:
            sheet = self._attention_sheet(*self._best, *self._attend(self._best.clip))
            _save(sheet, os.path.join(folder, "attention.jpg"))

    def _contact_sheet(self) -> np.ndarray:
        number = min(MAX_KEYFRAMES, len(self._shown))
        chosen = np.unique(np.linspace(0, len(self._shown) - 1, number).round().astype(int))
        tiles = []
        for i in chosen:
            timestamp, frame, people = self._shown[i]
            tiles.append(
                Tile(draw_people(frame, people, self._colours), f"{timestamp:g} s: detections")
            )
            if self._annotated is not None:
                annotated = self._annotated.get(int(to_microseconds(timestamp)))
                tile = draw_people(frame, annotated or [], self._colours)
                note = "groundtruth" if annotated is not None else "not annotated"
                tiles.append(Tile(tile, f"{timestamp:g} s: {note}"))
        return contact_sheet(tiles, 4 if self._annotated is not None else 3, title=self._video_id)

    def _attention_sheet(
        self, clip: KeyframeClip, person: Person, detections, attention
    ) -> np.ndarray:
        # The very detection that was drawn: the box and class of the best.
        index = max(
            (
                i
                for i in range(len(detections.scores))
                if detections.classes[i] == person.actions[0].class_id
            ),
            key=lambda i: box_iou(detections.boxes[i], person.box),
        )
        action = person.actions[0]
        frames = clip.frames[..., :3]
        maps, cells = attention.maps[index], attention.cells
        title = (
            f"{self._video_id}, {clip.timestamp:g} s: attention of the last layer for "
            f"{action.name} (share of it in each frame)"
        )
        if cells is None:
            cells = evenly(maps.shape[2:], len(frames))
            title += "; place and time are rough: an older export, see docs/figures.md"
        return attention_sheet(
            frames,
            clip.seconds,
            person,
            maps,
            cells,
            title=title,
        )


def none_of_it(groundtruth: str, video_id: str) -> str:
    """What to say where a csv has no row of a video."""
    return f"{groundtruth}: has no row of the video {video_id!r}, so no annotation is shown"


def annotated_people(
    path: str, video_id: str, class_names: dict[int, str]
) -> dict[int, list[Person]]:
    """Groundtruth people of one video by keyframe time in microseconds."""
    from avatx.data.annotations import ava_csv

    table = ava_csv.read_annotations(path)
    rows = np.flatnonzero(table.video_id == video_id)
    times = to_microseconds(table.timestamp[rows])
    people: dict[int, list[Person]] = {
        int(to_microseconds(timestamp)): []
        for name, timestamp in table.empty_keyframes
        if name == video_id
    }
    for time in np.unique(times):
        at = rows[times == time]
        # Groundtruth boxes of one person are equal; of two people they never are.
        people[int(time)] = merge_people(
            table.boxes[at], table.class_id[at], None, class_names, iou_threshold=0.999
        )
    return people


def _save(picture: np.ndarray, path: str) -> None:
    Image.fromarray(picture).save(path, quality=_JPEG_QUALITY)
