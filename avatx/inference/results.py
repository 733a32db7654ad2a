"""What a Python program gets of a detection: plain objects, without TensorFlow or NumPy in them."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from avatx.core.people import Person, merge_people
from avatx.errors import UserError
from avatx.inference.detector import ClipDetections

if TYPE_CHECKING:
    import pandas

COLUMNS = (
    "video",
    "time",
    "person",
    "track",
    "ymin",
    "xmin",
    "ymax",
    "xmax",
    "label",
    "score",
)


@dataclasses.dataclass(frozen=True)
class DetectedPerson:
    """One person at one keyframe.

    Attributes:
      box: (ymin, xmin, ymax, xmax), fractions of the frame.
      scores: label to score in [0, 1], by descending score; labels below the threshold are absent.
      track: the number that this person has at other keyframes too, or None where people were not
        followed over time.
    """

    box: tuple[float, float, float, float]
    scores: dict[str, float]
    track: int | None = None

    @property
    def label(self) -> str:
        """The label of the highest score."""
        return next(iter(self.scores))


@dataclasses.dataclass(frozen=True)
class DetectedKeyframe:
    """Who was found at one moment.

    Attributes:
      time: seconds from the video's first frame.
      people: by descending score of their best label.
    """

    time: float
    people: tuple[DetectedPerson, ...]


@dataclasses.dataclass(frozen=True)
class LiveKeyframe(DetectedKeyframe):
    """A keyframe of a camera.

    Attributes:
      latency: seconds from the moment of the keyframe to its result.
      skipped: keyframes left out since the one before, for the model was busy.
    """

    latency: float
    skipped: int


@dataclasses.dataclass(frozen=True)
class VideoResult:
    """What was found in one video: a sequence of its keyframes.

    Attributes:
      video: the file's name without extension, as detections.csv calls it.
      keyframes: in order of time, those without people too.
      labels: all labels that the model knows, by class id.
      stopped: why reading ended before the video did, in one phrase, else None.
      notes: what should be known of the video (damage, a clock that starts again), a line each.
    """

    video: str
    keyframes: tuple[DetectedKeyframe, ...]
    labels: tuple[str, ...]
    stopped: str | None = None
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[DetectedKeyframe]:
        return iter(self.keyframes)

    def __len__(self) -> int:
        return len(self.keyframes)

    def __getitem__(self, index):
        """A keyframe by its number, from 0; of a slice a tuple of them."""
        return self.keyframes[index]

    def to_pandas(self) -> "pandas.DataFrame":
        """A row for each label of each person.

        Columns: video, time (seconds), person (its number in the keyframe, from 0), track (a
        number, or missing), ymin, xmin, ymax, xmax (fractions of the frame), label, score.

        Raises:
          UserError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise UserError(
                "to_pandas needs the package pandas, which is not installed: pip install pandas"
            ) from error
        rows = [
            (self.video, keyframe.time, number, person.track, *person.box, label, score)
            for keyframe in self.keyframes
            for number, person in enumerate(keyframe.people)
            for label, score in person.scores.items()
        ]
        frame = pandas.DataFrame(rows, columns=list(COLUMNS))
        numbers = dict.fromkeys(("time", "ymin", "xmin", "ymax", "xmax", "score"), float)
        return frame.astype({"track": "Int64", "person": "int64", **numbers})


def people_of(
    detections: ClipDetections,
    class_names: dict[int, str],
    link: Callable[[list[Person]], list[Person]] = lambda people: people,
) -> tuple[DetectedPerson, ...]:
    """The people of one clip, by descending score; see `avatx.core.people.merge_people`.

    Args:
      detections: of the clip.
      class_names: class id to name.
      link: numbers them over time; see `avatx.inference.linking.Linker`.
    """
    people = []
    for person in link(merge_people(*detections, class_names)):
        scores: dict[str, float] = {}
        for action in person.actions:
            scores.setdefault(action.name, float(action.score or 0.0))
        ymin, xmin, ymax, xmax = (float(value) for value in person.box)
        people.append(DetectedPerson((ymin, xmin, ymax, xmax), scores, person.track))
    return tuple(people)
