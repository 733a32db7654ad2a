"""Action-agnostic localisation: classes merged, duplicates suppressed, AP at two IoUs."""

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable, empty_table
from avatx.evaluation.localization import (
    best_of_repeats,
    evaluate_localization,
    evaluate_person,
    merge_detections,
    merge_groundtruth,
)

BOX, FAR = (0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9)


def table(rows, last):
    columns = list(zip(*rows, strict=True)) if rows else [[], [], [], [], []]
    return AvaTable.from_columns(*columns[:4], **{last: columns[4]})


def person_ap(groundtruth, detections, **options):
    result = evaluate_person(table(groundtruth, "person_id"), table(detections, "score"), **options)
    return result["mAP"]


def iou(first, second):
    height = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    width = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return height * width / (sum(area) - height * width)


def plain_suppression(rows, threshold):
    """One keyframe after the other, one detection after the other."""
    kept = []
    for keyframe in sorted({row[:2] for row in rows}):
        of_keyframe = [row for row in rows if row[:2] == keyframe]
        stayed = []
        for row in sorted(of_keyframe, key=lambda row: -row[4]):
            if all(iou(row[2], other[2]) <= threshold for other in stayed):
                stayed.append(row)
        kept += stayed
    return kept


@pytest.mark.parametrize("in_a_row", [1, 8])  # classes of one box, as many files have them
@pytest.mark.parametrize("seed", range(6))
def test_merging_equals_the_plain_suppression(seed, in_a_row):
    rng = np.random.default_rng(seed)
    grid = 4 if seed % 2 else 1000  # the coarse one gives equal boxes and equal scores
    rows = []
    for _ in range(300):
        low = rng.integers(0, grid, 2) / grid
        high = low + rng.integers(1, grid, 2) / grid
        place = "ab"[rng.integers(2)], float(rng.integers(5)), (*low.tolist(), *high.tolist())
        for _ in range(rng.integers(1, in_a_row + 1)):
            score = float(rng.integers(1, 20 if seed < 3 else 10**6))
            rows.append((*place, int(rng.integers(1, 81)), score))
    merged = merge_detections(table(rows, "score"), 0.5)
    expected = plain_suppression(rows, 0.5)
    videos = {name: number for number, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    expected.sort(key=lambda row: (videos[row[0]], row[1]))
    found = list(
        zip(merged.video_id, merged.timestamp, map(tuple, merged.boxes), merged.score, strict=True)
    )
    assert found == [(row[0], row[1], row[2], row[4]) for row in expected]
    assert set(merged.class_id) == {1} and 20 < len(merged) < 300


def test_of_a_box_in_a_row_the_first_of_the_highest_score_is_the_best():
    nan = float("nan")
    boxes = np.array([BOX, BOX, BOX, FAR, BOX, BOX, FAR, FAR, FAR, BOX])
    group = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
    score = np.array([0.1, 0.3, 0.3, 0.9, 0.3, 0.3, nan, 0.2, nan, nan])
    assert best_of_repeats(boxes, group, score).tolist() == [1, 3, 4, 5, 7, 8, 9]


def test_a_person_of_many_rows_counts_once():
    groundtruth = [("v", 902.0, BOX, 12, 1), ("v", 902.0, BOX, 1, 1), ("v", 902.0, FAR, 40, 2)]
    # One box in two classes; a class-specific box beside it (IoU 0.95); one more person.
    beside = (0.1, 0.1, 0.5, 0.48)
    detections = [
        ("v", 902.0, BOX, 3, 0.2),
        ("v", 902.0, BOX, 12, 0.9),
        ("v", 902.0, beside, 80, 0.8),
        ("v", 902.0, FAR, 1, 0.5),
    ]
    result = evaluate_person(table(groundtruth, "person_id"), table(detections, "score"))
    assert result["mAP"] == 1.0
    assert result["per_class"] == {
        "1": {
            "name": "person",
            "ap": 1.0,
            "num_groundtruth": 2,
            "num_detections": 2,
            "num_true_positives": 2,
        }
    }
    # The merged box has the highest of its scores: a false one between 0.2 and 0.9 ranks below.
    detections.insert(0, ("v", 902.0, (0.0, 0.6, 0.1, 0.9), 12, 0.6))
    assert person_ap(groundtruth[:2], detections) == 1.0


def test_the_highest_score_decides_which_box_stays():
    loose = (0.1, 0.1, 0.5, 0.4)  # IoU 0.75 with BOX, below 0.8
    rows = [("v", 902.0, loose, 12, 0.9), ("v", 902.0, BOX, 3, 0.8)]
    assert person_ap([("v", 902.0, BOX, 12, 1)], rows, iou_threshold=0.5) == 1.0
    assert person_ap([("v", 902.0, BOX, 12, 1)], rows, iou_threshold=0.8) == 0.0


def test_merging_goes_no_further_than_the_keyframe():
    rows = [("v", 902.0, BOX, 12, 0.9), ("v", 903.0, BOX, 12, 0.8), ("w", 902.0, BOX, 12, 0.7)]
    assert len(merge_detections(table(rows, "score"))) == 3
    assert len(merge_groundtruth(table(rows, "person_id"))) == 3
    assert len(merge_groundtruth(table([*rows, *rows], "person_id"))) == 3


def test_one_keyframe_spelled_in_two_ways_is_one():
    rows = [("v", 902.0, BOX, 12, 1), ("v", 902.0000001, BOX, 80, 1), ("v", 902.000001, BOX, 80, 1)]
    assert merge_groundtruth(table(rows, "person_id")).timestamp.tolist() == [902.0, 902.000001]


@pytest.mark.parametrize("right, people", [(0.31, 1), (0.29, 2)])  # IoU 0.525 and 0.475
def test_detections_are_one_person_above_an_overlap_of_a_half(right, people):
    rows = [("v", 902.0, BOX, 12, 0.9), ("v", 902.0, (0.1, 0.1, 0.5, right), 80, 0.8)]
    assert len(merge_detections(table(rows, "score"))) == people


def test_both_thresholds():
    groundtruth = table([("v", 902.0, BOX, 12, 1)], "person_id")
    off = (0.1, 0.1, 0.5, 0.36)  # IoU 0.65
    found = evaluate_localization(groundtruth, table([("v", 902.0, off, 3, 0.9)], "score"))
    assert found == {"person_AP": 1.0, "person_AP_75": 0.0}


def test_nothing_detected_and_nothing_there():
    groundtruth = table([("v", 902.0, BOX, 12, 1)], "person_id")
    nothing = empty_table(detections=True)
    assert evaluate_localization(groundtruth, nothing) == {"person_AP": 0.0, "person_AP_75": 0.0}
    nobody = empty_table(detections=False, empty_keyframes=[("v", 902.0)])
    detections = table([("v", 902.0, BOX, 3, 0.9)], "score")
    assert evaluate_localization(nobody, detections) == {"person_AP": None, "person_AP_75": None}


def test_boxes_of_no_area_are_left_out():
    rows = [
        ("v", 902.0, (0.1, 0.1, 0.1, 0.5), 12, 0.9),
        ("v", 902.0, (0.5, 0.1, 0.1, 0.5), 12, 0.9),
        ("v", 902.0, (np.nan, 0.1, 0.3, 0.5), 12, 0.9),
        ("v", 902.0, BOX, 12, 0.1),
    ]
    merged = merge_detections(table(rows, "score"))
    assert merged.boxes.tolist() == [list(BOX)]
