"""Each usual mistake is made on purpose; the diagnosis names it, and nothing else."""

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable, empty_table
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.diagnosis import diagnose
from avatx.evaluation.frame_map import evaluate

LABEL_MAP = LabelMap({number: f"class {number}" for number in range(2, 12)})


def good_detections(seed=0):
    """Groundtruth of 200 keyframes with three tall people, and detections near all of it."""
    rng = np.random.default_rng(seed)
    number = 600
    corner = 0.15 + rng.random((number, 2)) * [0.25, 0.65]
    boxes = np.concatenate([corner, corner + [0.5, 0.15] + rng.random((number, 2)) * 0.05], axis=1)
    video = [f"v{i // 300}" for i in range(number)]
    seconds = 902.0 + np.arange(number) // 3 % 100
    classes = rng.integers(3, 11, number)
    groundtruth = AvaTable.from_columns(video, seconds, boxes, classes)
    near = np.clip(boxes + rng.normal(0, 0.005, boxes.shape), 0, 1)
    detections = AvaTable.from_columns(video, seconds, near, classes, score=rng.random(number))
    return groundtruth, detections


def diagnosis(groundtruth, detections, label_map=LABEL_MAP):
    result = evaluate(groundtruth, detections, label_map)
    return result["mAP"], diagnose(result, groundtruth, detections, label_map)


def test_good_detections_have_nothing_to_find():
    value, findings = diagnosis(*good_detections())
    assert value > 0.9 and findings == []


def shift(by):
    def change(table):
        table.class_id = table.class_id + by

    return change


def swap(table):
    table.boxes = table.boxes[:, [1, 0, 3, 2]]


def pixels(table):
    table.boxes = np.round(table.boxes * [360, 640, 360, 640])


def width_and_height(table):
    table.boxes[:, 2:] -= table.boxes[:, :2]


def other_keys(table):
    table.moments = table.moments._replace(timestamp=table.moments.timestamp - 900.5)


MISTAKES = [
    (shift(-1), "1 too low"),
    (shift(1), "1 too high"),
    (swap, "swapped"),
    (pixels, "not normalised"),
    (width_and_height, "width, height"),
    (other_keys, "v0,0001.5 in the detections, v0,0902"),
]


@pytest.mark.parametrize("change, words", MISTAKES, ids=lambda value: str(value)[:20])
def test_a_mistake_in_the_detections_is_named(change, words):
    groundtruth, detections = good_detections()
    change(detections)
    value, findings = diagnosis(groundtruth, detections)
    assert value < 0.01
    assert len(findings) == 1 and words in findings[0].replace("v0,1.5", "v0,0001.5")
    assert "\n" not in findings[0]


def test_groundtruth_in_pixels_is_named_as_such():
    groundtruth, detections = good_detections()
    pixels(groundtruth)
    _, findings = diagnosis(groundtruth, detections)
    assert len(findings) == 1 and findings[0].startswith("groundtruth boxes are not normalised")


@pytest.mark.parametrize("change", [None, swap])
def test_pixels_on_both_sides_are_named_at_any_map(change):
    groundtruth, detections = good_detections()
    for table in (groundtruth, detections):
        pixels(table)
    if change:
        change(detections)
    value, findings = diagnosis(groundtruth, detections)
    assert (value < 0.1) == bool(change) and len(findings) == 1 + bool(change)
    assert findings[-1].startswith("boxes are not normalised on either side: groundtruth reaches")


def test_one_box_that_is_wrong_is_no_file_of_pixels():
    groundtruth, detections = good_detections()
    for table in (groundtruth, detections):
        table.boxes[0] *= 100
    assert diagnosis(groundtruth, detections)[1] == []


def test_boxes_are_checked_apart_from_classes():
    groundtruth, detections = good_detections()
    swap(detections)
    detections.class_id = np.random.default_rng(1).permutation(detections.class_id) % 2 + 20
    _, findings = diagnosis(groundtruth, detections)
    assert len(findings) == 2 and "swapped" in findings[0] and "persons" in findings[0]
    assert "class ids 20 to 21" in findings[1] and "class ids 2 to 11" in findings[1]


def test_a_high_threshold_and_no_detections():
    groundtruth, detections = good_detections()
    few = detections.select(np.argsort(detections.score)[-3:])
    value, findings = diagnosis(groundtruth, few)
    assert value < 0.01 and len(findings) == 1 and "threshold" in findings[0]
    assert "3 detections for 600" in findings[0]
    _, findings = diagnosis(groundtruth, empty_table(detections=True))
    assert len(findings) == 1 and "not a single detection" in findings[0]


def test_noise_is_not_explained_away():
    groundtruth, detections = good_detections()
    rng = np.random.default_rng(2)
    detections.boxes = np.sort(rng.random((len(detections), 2, 2)), axis=1).reshape(-1, 4) * 0.3
    value, findings = diagnosis(groundtruth, detections)
    assert value < 0.01 and findings == []


def test_a_label_map_of_other_classes():
    groundtruth, detections = good_detections()
    value, findings = diagnosis(groundtruth, detections, LabelMap({99: "other"}))
    assert value is None and len(findings) == 1 and "label map" in findings[0]


def test_keyframes_without_a_label_are_not_blamed_on_the_label_map():
    _, detections = good_detections()
    nobody = empty_table(detections=False, empty_keyframes=detections.keyframes())
    value, (finding,) = diagnosis(nobody, detections)
    assert value is None and "holds no label" in finding and "different data" not in finding


def test_shifted_ids_are_named_although_chance_hits_some():
    """A person with a label and the one before it still has a match when ids are shifted."""
    groundtruth, detections = good_detections()
    rows = np.concatenate([np.arange(len(groundtruth)), np.arange(100)])
    groundtruth, detections = groundtruth.select(rows), detections.select(rows)
    groundtruth.class_id[-100:] -= 1
    detections.class_id = groundtruth.class_id - 1
    value, findings = diagnosis(groundtruth, detections)
    assert 0.01 < value < 0.1 and len(findings) == 1 and "1 too low" in findings[0]


def test_everything_excluded_is_not_blamed_on_the_label_map():
    groundtruth, detections = good_detections()
    excluded = groundtruth.keyframes()
    result = evaluate(groundtruth, detections, LABEL_MAP, excluded=excluded)
    (finding,) = diagnose(result, groundtruth, detections, LABEL_MAP, excluded=excluded)
    assert result["mAP"] is None and "excluded" in finding and "different data" not in finding


def test_a_run_of_our_own_is_told_when_it_is_scored_against_another_part():
    """The run's keyframes are all in its detections; those of the groundtruth are others."""
    groundtruth, detections = good_detections()
    other = groundtruth.select(slice(None))
    other_keys(other)
    rules = {"keyframes": detections.keyframes()}
    result = evaluate(other, detections, LABEL_MAP, **rules)
    (finding,) = diagnose(result, other, detections, LABEL_MAP, **rules)
    assert finding.startswith("not one of 600 detections lies on a keyframe that the groundtruth")
