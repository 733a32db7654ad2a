"""The best true detections and the worst mistakes of each class (paper, figures 6 and 7).

Works on anybody's detections csv. What is true, and what kind of mistake the rest is, are the
metric's and the analysis's own decisions (`avatx.evaluation.matching`, `.false_positives`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from avatx.core.people import box_iou
from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.annotations.label_map import LabelMap
from avatx.data.times import MICROSECONDS, to_microseconds
from avatx.errors import UserError
from avatx.evaluation import action_groups, false_positives
from avatx.evaluation.matching import MatchedDetections, match_detections
from avatx.evaluation.people import best_people, find_people
from avatx.evaluation.protocol import get_protocol

# A keyframe this near in time, and a box this near in place, is the same person's before or after.
_NEIGHBOUR_SECONDS = 2.0
_NEIGHBOUR_IOU = 0.3

TRUE = "true_positive"
# The kinds of `false_positives.KINDS` in words for a caption.
KINDS_IN_WORDS = {
    TRUE: "true",
    "duplicate": "found twice: a higher score has this person already",
    "similar_action": "similar action: the person does another of the same group",
    "other_action": "other action: the person does not do this",
    "localization": "poorly localised: too little overlap with a person who does this",
    "box_and_action": "poorly localised, and the person does not do this",
    "background": "nobody is annotated there",
}


class Example(NamedTuple):
    """One detection, and the annotated person that decides about it."""

    video_id: str
    keyframe: int  # microseconds
    class_id: int
    score: float
    box: np.ndarray  # [4] float64, yxyx
    kind: str  # a key of `KINDS_IN_WORDS`
    truth_box: np.ndarray | None  # [4] of that person; None where nobody is
    truth_classes: tuple[int, ...]  # evaluated labels of that person
    iou: float  # with that person
    people: np.ndarray  # [P, 4] of everybody who is annotated in the keyframe
    # Figure 7's (b): somebody else in the keyframe does it.
    somebody_else: bool = False
    # Figure 7's (c): seconds at which the groundtruth says so at this place, within two seconds.
    at_other_time: float | None = None


class ClassExamples(NamedTuple):
    """Of one class, each by descending score."""

    class_id: int
    top: list[Example]
    mistakes: list[Example]


def find_examples(
    groundtruth: AvaTable,
    detections: AvaTable,
    label_map: LabelMap,
    count: int,
    *,
    classes: Sequence[int] = (),
    protocol: str = "AVA_2020",
    iou_threshold: float = 0.5,
    excluded: Iterable[Keyframe] | None = None,
) -> list[ClassExamples]:
    """The `count` highest-scoring true detections and mistakes of each class.

    So that a sheet shows as many scenes, each video gives its best; where there are fewer
    videos than `count`, further keyframes of theirs fill up, each with its best.

    Args:
      groundtruth: as of `avatx.evaluation.frame_map.evaluate`.
      detections: as of `evaluate`.
      label_map: as of `evaluate`.
      count: examples of each class and kind.
      classes: ids; all of the label map's that have detections if empty.
      protocol: as of `evaluate`.
      iou_threshold: as of `evaluate`.
      excluded: as of `evaluate`.

    Raises:
      UserError: a class is not in the label map, or no detection counts.
    """
    unknown = [class_id for class_id in classes if class_id not in label_map.names]
    if unknown:
        known = ", ".join(map(str, label_map.names))
        raise UserError(f"classes: {unknown[0]} is not in the label map; it has {known}")
    matched = match_detections(
        groundtruth, detections, label_map, get_protocol(protocol), iou_threshold, excluded
    )
    if not len(matched.row):
        if not len(detections):
            raise UserError("the detections csv is empty: there is nothing to show")
        found = sorted(set(detections.class_id.tolist()))
        if not set(found) & set(label_map.names):
            raise UserError(
                f"no detection is of a class of the label map: class ids {found[0]} to {found[-1]} "
                f"there, {min(label_map.names)} to {max(label_map.names)} in the label map"
            )
        raise UserError(
            "no detection lies on a keyframe of the groundtruth: do both csv files speak of the "
            "same videos and times?"
        )
    finder = _Finder(groundtruth, detections, label_map, matched, iou_threshold)
    found = []
    for class_id in classes or label_map.names:
        begin, end = np.searchsorted(matched.class_id, [class_id, class_id + 1])
        if begin == end and not classes:
            continue
        rows, true = np.arange(begin, end), matched.true_positive[begin:end]
        top, mistakes = (
            [finder.example(i) for i in _best_scenes(part, matched, count)]
            for part in (rows[true], rows[~true])
        )
        found.append(ClassExamples(class_id, top, mistakes))
    return found


class _Finder:
    """Looks up what the groundtruth says of a detection."""

    def __init__(
        self,
        groundtruth: AvaTable,
        detections: AvaTable,
        label_map: LabelMap,
        matched: MatchedDetections,
        iou_threshold: float,
    ):
        self._groundtruth, self._detections, self._matched = groundtruth, detections, matched
        self._people = find_people(matched, groundtruth, label_map)
        self._person, _ = best_people(matched, self._people, detections)
        groups = action_groups.find_groups(label_map)
        self._kinds = false_positives.kinds_of_detections(
            matched, self._people, detections, label_map, groups, iou_threshold
        )

    def example(self, i: int) -> Example:
        """Detection `i` of the matched ones."""
        matched, people = self._matched, self._people
        box, class_id = self._detections.boxes[matched.row[i]], int(matched.class_id[i])
        kind = list(false_positives.KINDS)[self._kinds[i]]
        person = int(self._person[i])
        if kind in (TRUE, "duplicate", "localization"):  # decided by somebody who does it
            person = int(people.of_groundtruth[matched.best_groundtruth[i]])
        elif kind == "background":
            person = -1
        truth_box, truth_classes, iou = None, (), 0.0
        if person >= 0:
            truth_box = people.boxes[person]
            truth_classes = tuple(np.flatnonzero(people.labels[person]).tolist())
            iou = box_iou(box, truth_box)
        index, number = matched.keyframes, int(matched.keyframe[i])
        video_id, seconds = str(index.video_id[number]), float(index.timestamp[number])
        keyframe = int(to_microseconds(seconds))
        wrong = kind in ("similar_action", "other_action", "box_and_action", "background")
        return Example(
            video_id,
            keyframe,
            class_id,
            float(matched.score[i]),
            box,
            kind,
            truth_box,
            truth_classes,
            iou,
            people.boxes[people.keyframe == number],
            somebody_else=wrong and bool(matched.best_groundtruth[i] >= 0),
            at_other_time=self._other_time(video_id, keyframe, class_id, box) if wrong else None,
        )

    def _other_time(self, video_id, keyframe, class_id, box) -> float | None:
        table, seconds = self._groundtruth, keyframe / MICROSECONDS
        timestamps = table.timestamp
        if video_id not in table.video_names:
            return None
        rows = np.flatnonzero(
            (table.video_index == table.video_names.index(video_id))
            & (table.class_id == class_id)
            & (np.abs(timestamps - seconds) <= _NEIGHBOUR_SECONDS)
        )
        # The keyframe's own rows may spell its time with more than six decimals.
        rows = rows[to_microseconds(timestamps[rows]) != keyframe]
        near = [row for row in rows if box_iou(box, table.boxes[row]) >= _NEIGHBOUR_IOU]
        times = sorted(timestamps[near].tolist(), key=lambda time: abs(time - seconds))
        return times[0] if times else None


def _best_scenes(rows: np.ndarray, matched: MatchedDetections, count: int) -> list[int]:
    """The first `count` of different videos, filled up by the first of different keyframes."""
    of_videos: list[int] = []
    of_keyframes: list[int] = []
    seen: set[int | str] = set()
    for i in rows.tolist():
        keyframe = int(matched.keyframe[i])
        video_id = matched.keyframes.video_id[keyframe]
        if keyframe in seen or len(of_videos) == count:
            continue
        (of_keyframes if video_id in seen else of_videos).append(i)
        seen |= {keyframe, video_id}
    return sorted((of_videos + of_keyframes)[:count])  # rows are ranked
