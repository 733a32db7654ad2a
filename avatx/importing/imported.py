"""What an importer gathers, whatever tool the annotations are of."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError

_NEAR = 1e-6


@dataclass
class Imported:
    """People at moments of videos, gathered box by box.

    Attributes:
      every: seconds between the keyframes that are kept of annotations of every frame; 0 keeps all.
      lost: what AVA's csv has no place for, in words -> how often it was there.
      notes: what the user should know.
    """

    every: float = 1.0
    lost: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _rows: list[tuple] = field(default_factory=list)
    _moments: dict[tuple[str, float], bool] = field(default_factory=dict)
    _people: dict[tuple[str, object], int] = field(default_factory=dict)

    def keyframes(self, first: int, last: int, frame_rate: float) -> dict[int, float]:
        """{frame: seconds} of the keyframes among the frames from `first` to `last`."""
        if self.every <= 0:
            return {frame: frame / frame_rate for frame in range(first, last + 1)}
        found = {}
        for number in range(
            math.ceil(first / frame_rate / self.every - _NEAR),
            math.floor(last / frame_rate / self.every + _NEAR) + 1,
        ):
            frame = round(number * self.every * frame_rate)
            if first <= frame <= last:
                found[frame] = frame / frame_rate
        return found

    def moment(self, video: str, seconds: float) -> None:
        """A moment that was annotated, whether or not somebody is there."""
        self._moments.setdefault((video, round(seconds, 6)), False)

    def person(
        self,
        video: str,
        seconds: float,
        box: tuple[float, float, float, float],
        size: tuple[float, float],
        actions: Iterable[str],
        person: object = None,
    ) -> None:
        """One person at a moment.

        Args:
          video: id.
          seconds: from the video's first frame.
          box: left, top, right, bottom in pixels; what is outside the frame is cut off.
          size: (height, width) of the frame in pixels.
          actions: names of what the person does; a person without any is counted as lost.
          person: whatever tells one from another in the video; None where it is not known.
        """
        self.moment(video, seconds)
        height, width = size
        x1, x2 = (min(max(value / width, 0.0), 1.0) for value in (box[0], box[2]))
        y1, y2 = (min(max(value / height, 0.0), 1.0) for value in (box[1], box[3]))
        # As written with three decimals there has to be a box.
        if round(x2, 3) <= round(x1, 3) or round(y2, 3) <= round(y1, 3):
            self.lost["boxes without area, or wholly outside the frame"] += 1
            return
        names = list(dict.fromkeys(actions))
        if not names:
            self.lost["people at a keyframe without an action"] += 1
            return
        number = -1
        if person is not None:
            ids = self._people
            number = ids.setdefault((video, person), sum(1 for key in ids if key[0] == video) + 1)
        key = (video, round(seconds, 6))
        self._moments[key] = True
        self._rows += [(*key, (y1, x1, y2, x2), name, number) for name in names]

    def table(self, label_map: LabelMap | None = None) -> tuple[AvaTable, LabelMap]:
        """The rows, in order of video and time, and their classes.

        Args:
          label_map: ids of the names; by default names get ids in alphabetical order.

        Raises:
          UserError: there is no row.
        """
        names = sorted({row[3] for row in self._rows})
        if not self._rows:
            why = "; ".join(f"{count} {what}" for what, count in self.lost.items())
            raise UserError(
                "annotations: no person with an action is in there"
                + (f" ({why})" if why else "")
                + "; expected boxes with action attributes"
            )
        if label_map is None:
            label_map = LabelMap(dict(enumerate(names, start=1)))
        ids = {name: class_id for class_id, name in label_map.names.items()}
        for name in names:
            if name not in ids:
                count = sum(1 for row in self._rows if row[3] == name)
                self.lost[f"labels {name!r}, which the label map lacks"] += count
        rows = sorted(
            (row for row in self._rows if row[3] in ids),
            key=lambda row: (row[0], row[1], row[4], row[2], ids[row[3]]),
        )
        empty = sorted(key for key, filled in self._moments.items() if not filled)
        table = AvaTable.from_columns(
            [row[0] for row in rows],
            [row[1] for row in rows],
            [row[2] for row in rows],
            [ids[row[3]] for row in rows],
            person_id=[row[4] for row in rows],
            empty_keyframes=empty,
        )
        return table, label_map
