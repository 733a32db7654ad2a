"""How much of a person's attention falls on whom the label concerns (paper, figure 4), as numbers.

For each label that is about another person (watched, listened to, talked to, waved at): the share
of the last layer's attention inside that person's box, beside the shares inside the boxes of other
people, of its own, and beside the area of each, which is what even attention would give.

Attention is taken as a density: every place of the frame has the weight of the cell that looks
nearest to it, as in the pictures, and the boxes are the keyframe's at all times of the clip. The
query is that of the annotated box, so that no detection takes part.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from avatx.core.cell_view import CellView
from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.concerned_csv import Concern
from avatx.data.input.clip_source import Moment, moment
from avatx.errors import UserError
from avatx.trained.attention_model import AttentionModel


class LabelShares(NamedTuple):
    """Of one label: shares of each head's attention and of the frame's area, in [0, 1]."""

    label: Concern
    concerned: np.ndarray  # [heads] inside the box of the person concerned
    own: np.ndarray  # [heads] inside the box of who carries the label
    others: np.ndarray  # [heads] inside the box of anybody else, the mean of them; NaN: nobody else
    concerned_area: float
    own_area: float
    others_area: float  # likewise


def share_inside(maps: np.ndarray, cells: CellView, box: np.ndarray) -> np.ndarray:
    """The share of attention inside a box, at all times.

    Args:
      maps: [..., T', H', W'] float, not negative.
      cells: where the T' x H' x W' look.
      box: [4] yxyx, normalised.

    Returns:
      [...] float64 in [0, 1]. Even attention gives the part of the box's area in the frame.
    """
    in_frame = np.asarray(maps, np.float64).sum(axis=-3)  # [..., H', W']
    rows_columns = in_frame.shape[-2:]
    inside = cells.inside(box, *rows_columns)
    everywhere = cells.inside(np.array([0.0, 0.0, 1.0, 1.0]), *rows_columns)
    return (in_frame * inside).sum(axis=(-2, -1)) / (in_frame * everywhere).sum(axis=(-2, -1))


def measure(
    model: AttentionModel,
    groundtruth: AvaTable,
    concerns: Sequence[Concern],
    source,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> list[LabelShares]:
    """The shares of every label whose person and concerned person both have a box.

    Args:
      model: whose attention.
      groundtruth: the boxes, with the ids of people.
      concerns: the labels.
      source: `VideoClips` or `RecordClips`, of the frames around the keyframes.
      progress: called with keyframes done and their number.

    Raises:
      UserError: no label has both boxes; a keyframe's frames are not there.
    """
    from avatx.data.video.clip_sampling import wanted_times

    boxes = _boxes(groundtruth)
    by_keyframe: dict[Moment, list[Concern]] = {}
    for concern in concerns:
        key = moment(concern.video_id, concern.timestamp)
        if {concern.person_id, concern.concerned_id} <= boxes.get(key, {}).keys():
            by_keyframe.setdefault(key, []).append(concern)
    if not by_keyframe:
        raise UserError(
            f"concerned: of its {len(concerns)} rows none is of two people who have a box at that "
            "keyframe in `groundtruth`; give the two files of one data set"
        )
    clip_shape = model.trained.clip
    offsets = wanted_times(0, clip_shape.num_frames, clip_shape.frame_rate)
    source.prepare(by_keyframe, offsets)
    shares = []
    for done, (key, labels) in enumerate(by_keyframe.items(), 1):
        people = boxes[key]
        carriers = sorted({label.person_id for label in labels})
        frames = source.clip(*key, offsets).frames
        maps, cells = model.attend(frames, np.stack([people[person] for person in carriers]))
        of_person = dict(zip(carriers, maps, strict=True))
        shares += [_shares(label, people, of_person[label.person_id], cells) for label in labels]
        progress(done, len(by_keyframe))
    return shares


def summarize(
    shares: Sequence[LabelShares], num_labels: int, class_names: dict[int, str]
) -> dict[str, Any]:
    """Means by class and over all, for JSON.

    Args:
      shares: of `measure`.
      num_labels: given to it; the rest had no box.
      class_names: class id to name.

    Returns:
      {"num_labels", "num_without_box", "all": {..}, "classes": {"80": {"name", ..}}, "labels":
      [..]}. Each {..} holds "labels", how many, and means of them of each head and over the heads
      ("heads": [..]); "beside_others" the same of the labels with somebody else in the frame.
    """
    by_class: dict[int, list[LabelShares]] = {}
    for share in shares:
        by_class.setdefault(share.label.class_id, []).append(share)
    return {
        "num_labels": num_labels,
        "num_without_box": num_labels - len(shares),
        "all": _means(shares),
        "classes": {
            str(class_id): {"name": class_names.get(class_id, f"class {class_id}"), **_means(some)}
            for class_id, some in sorted(by_class.items())
        },
        "labels": [_in_words(share) for share in shares],
    }


def table(summary: dict[str, Any]) -> Iterator[str]:
    """The summary as lines of text."""
    yield (
        f"{'':40}{'labels':>7} {'concerned':>10}{'(area)':>8}{'own':>8}{'(area)':>8}"
        f"  |{'labels':>7} {'concerned':>10}{'(area)':>8}{'another':>9}{'(area)':>8}"
    )
    for row in [*summary["classes"].values(), {"name": "all", **summary["all"]}]:
        yield _line(row["name"], row)
    for number, head in enumerate(summary["all"]["heads"], 1):
        yield _line(f"all, head {number}", head)
    yield (
        "Shares of the last layer's attention (mean over its heads) inside the box of the person "
        "concerned, of the one who carries the label, and, on the right, of the labels with "
        "somebody else in the frame, of another person. (area): what even attention gives."
    )
    if summary["num_without_box"]:
        yield (
            f"{summary['num_without_box']} of {summary['num_labels']} labels are left out: the "
            "person concerned has no box."
        )


def _boxes(groundtruth: AvaTable) -> dict[Moment, dict[int, np.ndarray]]:
    """Keyframe to person id to box [4]."""
    boxes: dict[Moment, dict[int, np.ndarray]] = {}
    person_ids = groundtruth.person_id
    if person_ids is None or (person_ids < 0).all():
        raise UserError(
            "groundtruth: has no ids of people; expected an eighth column, as in AVA v2.2"
        )
    for video_id, timestamp, person, box in zip(
        groundtruth.video_id,
        groundtruth.timestamp,
        person_ids.tolist(),
        groundtruth.boxes,
        strict=True,
    ):
        boxes.setdefault(moment(video_id, timestamp), {})[person] = box
    return boxes


def _shares(label, people, maps, cells) -> LabelShares:
    """Of maps [heads, T', H', W'] and the boxes of the keyframe's people, by id."""
    whole = np.ones_like(maps[0])
    areas = {person: float(share_inside(whole, cells, box)) for person, box in people.items()}
    inside = {person: share_inside(maps, cells, box) for person, box in people.items()}
    others = people.keys() - {label.person_id, label.concerned_id}
    nobody = np.full(len(maps), np.nan)
    return LabelShares(
        label=label,
        concerned=inside[label.concerned_id],
        own=inside[label.person_id],
        others=np.mean([inside[person] for person in others], axis=0) if others else nobody,
        concerned_area=areas[label.concerned_id],
        own_area=areas[label.person_id],
        others_area=float(np.mean([areas[person] for person in others])) if others else np.nan,
    )


def _means(shares: Sequence[LabelShares]) -> dict[str, Any]:
    def of_heads(heads) -> dict[str, Any]:
        return {
            **_mean(shares, heads, ("concerned", "own")),
            "beside_others": _mean(
                [share for share in shares if not np.isnan(share.others_area)],
                heads,
                ("concerned", "others"),
            ),
        }

    heads = range(len(shares[0].concerned))
    return {**of_heads([*heads]), "heads": [of_heads([head]) for head in heads]}


def _mean(shares: Sequence[LabelShares], heads: list[int], kinds: Iterable[str]) -> dict[str, Any]:
    means: dict[str, Any] = {"labels": len(shares)}
    for kind in kinds if shares else ():
        of_kind = np.array([getattr(share, kind) for share in shares])  # [labels, heads]
        means[kind] = round(float(of_kind[:, heads].mean()), 6)
        areas = [getattr(share, f"{kind}_area") for share in shares]
        means[f"{kind}_area"] = round(float(np.mean(areas)), 6)
    return means


def _in_words(share: LabelShares) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        kind: np.round(getattr(share, kind), 6).tolist() for kind in ("concerned", "own", "others")
    }
    for kind in ("concerned_area", "own_area", "others_area"):
        numbers[kind] = round(getattr(share, kind), 6)
    if np.isnan(share.others_area):  # JSON has no NaN
        numbers["others"] = numbers["others_area"] = None
    return {**share.label._asdict(), **numbers}


def _line(name: str, row: dict[str, Any]) -> str:
    def cell(values, kind, width):
        return f"{values[kind]:{width}.1%}" if kind in values else f"{'-':>{width}}"

    beside = row["beside_others"]
    return (
        f"{name[:38]:40}{row['labels']:7d} {cell(row, 'concerned', 10)}"
        f"{cell(row, 'concerned_area', 8)}{cell(row, 'own', 8)}{cell(row, 'own_area', 8)}"
        f"  |{beside['labels']:7d} {cell(beside, 'concerned', 10)}"
        f"{cell(beside, 'concerned_area', 8)}{cell(beside, 'others', 9)}"
        f"{cell(beside, 'others_area', 8)}"
    )
