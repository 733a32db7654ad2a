"""What an importer gathers, whatever tool the annotations are of."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.fields import checked_video
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError, shortened, shown
from avatx.importing.keyframes import choose_keyframes
from avatx.importing.video_facts import Clock

_BETWEEN = "boxes between the keyframes"


@dataclass
class Imported:
    """People at moments of videos, gathered box by box.

    Attributes:
      path: the export, for messages.
      every: seconds between the keyframes that are kept of annotations of every frame; 0 keeps all.
      lost: what AVA's csv has no place for, in words -> how often it was there.
      notes: what the user should know.
    """

    path: str
    every: float = 1.0
    lost: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _rows: list[tuple] = field(default_factory=list)
    _moments: set[tuple[str, float]] = field(default_factory=set)
    _occupied: set[tuple[str, float]] = field(default_factory=set)
    _people: dict[tuple[str, object], int] = field(default_factory=dict)
    _counts: Counter = field(default_factory=Counter)
    _sources: dict[tuple[str, str], str] = field(default_factory=dict)
    _short: dict[str, str] = field(default_factory=dict)

    def only(self, video: str, source: str, kind: str = "") -> str:
        """The video's id, if all that is called so is one video.

        Args:
          video: id.
          source: what tells that video from others, as the export calls it.
          kind: of source, where there are several; those of one kind are compared.

        Raises:
          UserError: another one has that id already, so that their people would be mixed.
        """
        first = self._sources.setdefault((video, kind), source)
        if first != source:
            raise UserError(
                f"{self.path}: {shown(first)} and {shown(source)} would both be video "
                f"{shown(video)}; give them names of their own, here and in the folder of videos"
            )
        return video

    def keyframes(
        self,
        video: str,
        people: Collection[int],
        listed: Sequence[int],
        clock: Clock,
        hidden: Iterable[tuple[int, int]] = (),
    ) -> dict[int, float]:
        """{frame: seconds} of a video's keyframes, each a moment that was annotated.

        Args:
          video: id.
          people: frames with somebody in a box.
          listed: frames that the export has, in ascending order.
          clock: when its frames are shown.
          hidden: (a, b): between frames a and b somebody is there without a box.

        Raises:
          UserError: the video has more frames than can be.
        """
        checked_video(self.path, video)
        try:
            chosen, trusted = choose_keyframes(
                people,
                listed,
                clock.frame_rate,
                self.every,
                hidden,
                None if clock.times is None else clock.seconds,
            )
        except ValueError as error:
            raise UserError(f"{self.path}: video {shown(video)}: has {error}") from error
        if not trusted and len(listed) > len(people):
            self.notes.append(
                f"video {video!r}: people are annotated at {len(people):,} of its {len(listed):,} "
                "frames; the others are not taken for moments at which nobody is"
            )
        last = max([*people, *chosen], default=-1)
        if clock.frames is not None and last >= clock.frames:
            self.too_short(video, f"frame {last + 1:,} of {clock.frames:,}")
        found = {frame: clock.seconds(frame) for frame in chosen}
        self._moments.update((video, round(seconds, 6)) for seconds in found.values())
        return found

    def too_short(self, video: str, how: str) -> None:
        """A video ends before its annotations do: it may not be the one that was annotated."""
        self._short.setdefault(video, how)

    def between(self) -> None:
        """Counts a box that is at no keyframe."""
        self.lost[_BETWEEN] += 1

    def somebody(self, video: str, seconds: float, what: str) -> None:
        """Somebody at a moment who cannot be written: `what` is counted as lost."""
        self.lost[what] += 1
        self._occupied.add((video, round(seconds, 6)))

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
          size: (height, width) of the frame in pixels, above 0.
          actions: names of what the person does; a person without any is counted as lost.
          person: whatever tells one from another in the video; None where it is not known.

        Raises:
          UserError: no csv can hold the video's id.
        """
        key = (checked_video(self.path, video), round(seconds, 6))
        self._moments.add(key)
        height, width = size
        x1, x2 = (min(max(value / width, 0.0), 1.0) for value in (box[0], box[2]))
        y1, y2 = (min(max(value / height, 0.0), 1.0) for value in (box[1], box[3]))
        # As written with three decimals there has to be a box.
        if round(x2, 3) <= round(x1, 3) or round(y2, 3) <= round(y1, 3):
            if x2 > x1 and y2 > y1:  # somebody is there all the same
                self.somebody(video, seconds, "boxes too small for AVA's three decimals")
            else:
                self.lost["boxes without area, or wholly outside the frame"] += 1
            return
        names = list(dict.fromkeys(actions))
        if not names:
            self.somebody(video, seconds, "people at a keyframe without an action")
            return
        number = -1
        if person is not None:
            if (video, person) not in self._people:
                self._counts[video] += 1
                self._people[video, person] = self._counts[video]
            number = self._people[video, person]
        self._occupied.add(key)
        self._rows += [(*key, (y1, x1, y2, x2), name, number) for name in names]

    def table(
        self, label_map: LabelMap | None = None, called: str = "the label map"
    ) -> tuple[AvaTable, LabelMap]:
        """The rows, in order of video and time, and their classes.

        Args:
          label_map: ids of the names; by default names get ids in alphabetical order.
          called: the label map, in a message.

        Raises:
          UserError: there is no row, or none whose action is in the label map.
        """
        if self._short:
            each = ", ".join(f"{shown(video)} ({how})" for video, how in self._short.items())
            self.notes.append(
                f"videos that end before their annotations do: {shortened(each, 300)}; are they "
                "those that were annotated?"
            )
        names = sorted({row[3] for row in self._rows})
        if not self._rows:
            raise UserError(self._why_nothing())
        if label_map is None:
            label_map = LabelMap(dict(enumerate(names, start=1)))
        ids = {name: class_id for class_id, name in label_map.names.items()}
        rows = sorted(
            (row for row in self._each_once() if row[3] in ids),
            key=lambda row: (row[0], row[1], row[4], row[2], ids[row[3]]),
        )
        if not rows:
            raise UserError(
                f"{self.path}: none of its actions, {_list(names)}, is in {called}, which has "
                f"{_list(list(ids))}; give another `label_map`, or none"
            )
        for name, count in Counter(row[3] for row in self._rows if row[3] not in ids).items():
            self.lost[f"labels {name!r}, which the label map lacks"] += count
        # People are at these moments, of whom no row is left: as keyframes without people they
        # would teach that nobody is there.
        left_out = (self._moments & self._occupied) - {(row[0], row[1]) for row in rows}
        if left_out:
            self.lost["moments at which no person has an action that can be written"] += len(
                left_out
            )
        empty = sorted(self._moments - self._occupied)
        table = AvaTable.from_columns(
            [row[0] for row in rows],
            [row[1] for row in rows],
            [row[2] for row in rows],
            [ids[row[3]] for row in rows],
            person_id=[row[4] for row in rows],
            empty_keyframes=empty,
        )
        return table, label_map

    def _each_once(self) -> list[tuple]:
        """The rows that are not written as one before them: a csv with such is refused."""
        written: dict[tuple, tuple] = {}
        for row in self._rows:
            box = tuple(f"{value:.3f}" for value in row[2])
            written.setdefault((*row[:2], box, *row[3:]), row)
        if twice := len(self._rows) - len(written):
            self.lost["labels of a box that is there twice"] += twice
        return list(written.values())

    def _why_nothing(self) -> str:
        why = "; ".join(f"{count} {what}" for what, count in self.lost.items())
        advice = "expected boxes with action attributes, which `action_attributes` can name"
        if self.lost[_BETWEEN]:
            advice = "a smaller `every` keeps more of the boxes, and 0 all"
        there = f" ({why})" if why else ""
        return f"{self.path}: no person with an action is in there{there}; {advice}"


def _list(names: list[str]) -> str:
    return shortened(", ".join(shown(name) for name in names) or "nothing", 300)
