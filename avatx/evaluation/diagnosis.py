"""Why mAP is near 0, or what else is odd: the usual mistakes, each tried out before it is named.

A hypothesis is applied to the detections and they are scored again; it is reported only if
that makes the score clearly better.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from avatx.data.annotations.ava_csv import format_timestamp
from avatx.data.annotations.ava_table import AvaTable, Keyframe
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.frame_map import evaluate
from avatx.evaluation.keyframe_index import index_keyframes
from avatx.evaluation.localization import evaluate_person

NEAR_ZERO = 0.1  # not less: neighbouring ids match by chance where people have both labels
_CLEARLY_BETTER = (5.0, 0.02)  # times as high, and at least this much
_ROWS = 200_000  # enough to see a mistake by
_NORMALISED = 2.0  # normalised boxes may reach a little out of the frame, but not so far


@np.errstate(over="ignore", invalid="ignore")  # of boxes infinite or huge, which others report
def diagnose(
    result: dict[str, Any],
    groundtruth: AvaTable,
    detections: AvaTable,
    label_map: LabelMap,
    *,
    excluded: Iterable[Keyframe] | None = None,
    keyframes: Iterable[Keyframe] | None = None,
) -> list[str]:
    """Says what the data shows when `result["mAP"]` is near 0, and what no mAP shows.

    Args:
      result: of `evaluate`.
      groundtruth: as given to `evaluate`.
      detections: as given to `evaluate`.
      label_map: as given to `evaluate`.
      excluded: as given to `evaluate`.
      keyframes: as given to `evaluate`.

    Returns:
      One sentence a mistake found, the gravest first; if mAP is not near 0, only that boxes are in
      pixels on both sides, which IoU does not show.
    """
    causes = _why_near_zero(result, groundtruth, detections, label_map, excluded, keyframes)
    return causes + _pixels_on_both_sides(groundtruth, detections)


def _why_near_zero(result, groundtruth, detections, label_map, excluded, keyframes) -> list[str]:
    if result["mAP"] is None:
        if np.isin(groundtruth.class_id, list(label_map.names)).any():
            return ["all groundtruth of the label map's classes lies on excluded keyframes"]
        if not len(groundtruth):
            return ["the groundtruth names keyframes only and holds no label: nobody is annotated"]
        return [
            "no class of the label map has groundtruth: label map and groundtruth belong to "
            f"different data ({_class_ids(groundtruth)} against {_ids(label_map.names)})"
        ]
    if result["mAP"] >= NEAR_ZERO:
        return []
    if not len(detections):
        return [
            "there is not a single detection: the score threshold is too high, or the "
            "detector has not learned anything yet"
        ]
    findings = []
    shared = _on_same_keyframes(detections, groundtruth)
    if not shared.any():  # whatever an evaluation of our own covered: what it scores against is odd
        return [_no_common_keyframe(groundtruth, detections, shared)]
    if keyframes is not None:
        shared = _on_same_keyframes(detections, groundtruth, keyframes)
    share = shared.mean()
    if share < 0.5:
        findings.append(
            f"only {share:.1%} of the detections lie on keyframes that the groundtruth names; "
            f"an example of another: {_example(detections, np.flatnonzero(~shared)[0])}"
        )
    last = _outside_label_map(detections, label_map) + _few_detections(result, detections)
    groundtruth, detections = _sample(groundtruth, detections, np.flatnonzero(shared))

    def score(changed: AvaTable, by=evaluate) -> float:
        classes = (label_map,) if by is evaluate else ()
        scored = by(
            groundtruth,
            changed,
            *classes,
            protocol=result["protocol"],
            iou_threshold=result["iou_threshold"],
            excluded=excluded,
        )
        return scored["mAP"] or 0.0

    base = {evaluate: score(detections), evaluate_person: score(detections, evaluate_person)}
    for by in (evaluate, evaluate_person):
        better = []
        for sentence, change in _hypotheses(groundtruth, detections):
            value = score(change(detections), by)
            if value >= max(base[by] * _CLEARLY_BETTER[0], base[by] + _CLEARLY_BETTER[1]):
                better.append((value, sentence))
        if better:
            value, sentence = max(better)
            measure = "mAP" if by is evaluate else "the AP of persons whatever they do"
            findings.append(
                f"{sentence} (corrected, {measure} goes from {base[by]:.4f} to {value:.4f})"
            )
            break  # what mends the actions is the better explanation
    return findings + last


def _hypotheses(
    groundtruth: AvaTable, detections: AvaTable
) -> Iterator[tuple[str, Callable[[AvaTable], AvaTable]]]:
    """What may be wrong, as a sentence and a function that mends it."""
    yield "class ids are 1 too low: the first class has id 1, not 0", _shifted(1)
    yield "class ids are 1 too high", _shifted(-1)
    yield (
        "x and y are swapped: AVA csv has x1, y1, x2, y2",
        _with_boxes(lambda boxes: boxes[:, [1, 0, 3, 2]]),
    )
    yield (
        "boxes are x, y, width, height: AVA csv has x1, y1, x2, y2",
        _with_boxes(
            lambda boxes: np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        ),
    )
    for table, other, name, factor in (
        (detections, groundtruth, "detection", 1.0),
        (groundtruth, detections, "groundtruth", -1.0),
    ):
        sizes = _pixel_sizes(table, other)
        for height, width in sizes:
            scale = np.array([height, width, height, width], np.float64) ** -factor
            yield (
                f"{name} boxes are not normalised: they reach {np.nanmax(table.boxes):g} and "
                f"look like pixels of a {width:g} x {height:g} picture",
                _with_boxes(lambda boxes, scale=scale: boxes * scale),
            )


def _pixel_sizes(table: AvaTable, other: AvaTable) -> list[tuple[float, float]]:
    """(height, width) that boxes in pixels may be of; none if they are normalised."""
    largest, normalised = _reach(table), _reach(other)
    if largest.max() <= _NORMALISED or normalised.max() > _NORMALISED:
        return []
    sizes = [tuple(np.ceil(largest)), tuple(largest / np.maximum(normalised, 1e-3))]
    sizes += [(side, side) for side in (100.0, 224.0, 256.0, 400.0, 1000.0)]
    common = ((480.0, 640.0), (360.0, 640.0), (720.0, 1280.0), (1080.0, 1920.0))
    return sizes + [size for size in common if np.all(np.array(size) >= largest * 0.8)]


def _reach(table: AvaTable, measure=np.max) -> np.ndarray:
    """[2] the largest lower edge and right edge, or another measure of them; 0 of no boxes."""
    finite = table.boxes[np.isfinite(table.boxes).all(axis=1)]
    return measure(finite[:, 2:], axis=0) if len(finite) else np.zeros(2)


def _pixels_on_both_sides(groundtruth: AvaTable, detections: AvaTable) -> list[str]:
    # The median: one box that is wrong does not make a file one of pixels.
    if any(_reach(table, np.median).max() <= _NORMALISED for table in (groundtruth, detections)):
        return []
    largest = [f"{_reach(table).max():g}" for table in (groundtruth, detections)]
    return [
        f"boxes are not normalised on either side: groundtruth reaches {largest[0]}, detections "
        f"{largest[1]}; if both are pixels of one picture size, no score changes, but AVA csv has "
        "fractions of the frame"
    ]


def _shifted(by: int) -> Callable[[AvaTable], AvaTable]:
    def change(table: AvaTable) -> AvaTable:
        table = table.select(slice(None))
        table.class_id = table.class_id + np.int32(by)
        return table

    return change


def _with_boxes(change_boxes) -> Callable[[AvaTable], AvaTable]:
    def change(table: AvaTable) -> AvaTable:
        table = table.select(slice(None))
        table.boxes = change_boxes(table.boxes)
        return table

    return change


def _on_same_keyframes(table: AvaTable, other: AvaTable, keyframes=()) -> np.ndarray:
    """[N] bool, rows of `table` on keyframes that `other`, or the list, names."""
    index = index_keyframes((table, other), (other.empty_keyframes, keyframes or ()))
    named = np.zeros(len(index.video_id), bool)
    for numbers in (index.runs_of_tables[1].number, *index.of_lists):
        named[numbers] = True
    runs = index.runs_of_tables[0]
    return runs.of_rows(named[runs.number])


def _sample(
    groundtruth: AvaTable, detections: AvaTable, rows: np.ndarray
) -> tuple[AvaTable, AvaTable]:
    """Those detections; the first keyframes of both, if too many rows to score many times."""
    if len(rows) <= _ROWS:
        return groundtruth, detections.select(rows)
    detections = detections.select(rows[:_ROWS])
    kept = _on_same_keyframes(groundtruth, detections)
    return groundtruth.select(np.flatnonzero(kept)), detections


def _example(table: AvaTable, row: int) -> str:
    video, seconds = table.moment(row)
    return f"{video},{format_timestamp(seconds)}"


def _no_common_keyframe(groundtruth: AvaTable, detections: AvaTable, shared) -> str:
    if len(groundtruth):
        wanted = _example(groundtruth, 0)
    else:
        video, seconds = groundtruth.keyframes()[0]
        wanted = f"{video},{format_timestamp(seconds)}"
    return (
        f"not one of {len(shared)} detections lies on a keyframe that the groundtruth names: "
        f"{_example(detections, 0)} in the detections, {wanted} in the groundtruth"
    )


def _outside_label_map(detections: AvaTable, label_map: LabelMap) -> list[str]:
    outside = ~np.isin(detections.class_id, list(label_map.names))
    if outside.mean() < 0.5:
        return []
    return [
        f"{outside.mean():.1%} of the detections are of classes outside the label map: they have "
        f"{_class_ids(detections)}, it has {_ids(label_map.names)}"
    ]


def _few_detections(result: dict[str, Any], detections: AvaTable) -> list[str]:
    wanted = sum(one["num_groundtruth"] for one in result["per_class"].values())
    if len(detections) >= 0.1 * wanted:
        return []
    lowest = ""
    if detections.score is not None:
        lowest = f", the lowest score is {np.nanmin(detections.score):.3g}"
    return [
        f"{len(detections)} detections for {wanted} groundtruth labels{lowest}: the score "
        "threshold is too high (average precision wants the low scores too, so use 0)"
    ]


def _ids(ids: Iterable[int]) -> str:
    ids = sorted(ids)
    return f"class ids {ids[0]} to {ids[-1]}" if ids else "no class ids"


def _class_ids(table: AvaTable) -> str:
    return _ids(np.unique(table.class_id).tolist())
