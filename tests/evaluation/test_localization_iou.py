"""Person AP on either side of its thresholds, and what counts as one person."""

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.evaluation import localization

WIDTH = 0.5


def table(rows, **columns):
    """Rows are (second, [ymin, xmin, ymax, xmax], class id)."""
    return AvaTable.from_columns(
        ["v"] * len(rows),
        [second for second, _, _ in rows],
        np.array([box for _, box, _ in rows], float).reshape(-1, 4),
        [class_id for _, _, class_id in rows],
        **columns,
    )


def shifted(iou):
    """A box that overlaps [0, 0, 0.5, 0.4] with this IoU: as large, moved to the right."""
    by = 0.4 * (1 - iou) / (1 + iou)
    return [0.0, by, WIDTH, 0.4 + by]


TRUTH = [(1, [0.0, 0.0, WIDTH, 0.4], 12)]


@pytest.mark.parametrize(
    "iou, at_50, at_75",
    [(0.49, 0, 0), (0.51, 1, 0), (0.72, 1, 0), (0.74, 1, 0), (0.76, 1, 1)],
)
def test_one_detection(iou, at_50, at_75):
    found = localization.evaluate_localization(
        table(TRUTH), table([(1, shifted(iou), 80)], score=[0.9])
    )
    assert found == {"person_AP": at_50, "person_AP_75": at_75}


def test_thresholds_are_the_paper_s():
    assert localization.IOU_THRESHOLDS == {"person_AP": 0.5, "person_AP_75": 0.75}
    assert localization.MERGING_IOU == 0.5


def test_evaluate_person_takes_its_threshold():
    def at(threshold):
        result = localization.evaluate_person(
            table(TRUTH), table([(1, shifted(0.6), 80)], score=[0.9]), iou_threshold=threshold
        )
        assert result["iou_threshold"] == threshold
        return result["mAP"]

    assert (at(0.59), at(0.61)) == (1, 0)
    assert localization.evaluate_person(table(TRUTH), table([(1, shifted(0.6), 80)]))["mAP"] == 1


@pytest.mark.parametrize("iou, kept", [(0.49, [0.9, 0.3]), (0.51, [0.9])])
def test_two_detections_over_half_alike_are_one_person(iou, kept):
    found = localization.merge_detections(
        table([(1, shifted(iou), 3), (1, [0.0, 0.0, WIDTH, 0.4], 4)], score=[0.3, 0.9])
    )
    assert found.score.tolist() == kept
    assert set(found.class_id.tolist()) == {1}


def test_the_same_box_a_second_later_is_another_person():
    box = [0.0, 0.0, WIDTH, 0.4]
    found = localization.merge_detections(
        table([(1, box, 3), (2, box, 3), (1, box, 5)], score=[0.3, 0.2, 0.4])
    )
    assert list(zip(found.timestamp, found.score, strict=True)) == [(1, 0.4), (2, 0.2)]


def test_a_dropped_detection_suppresses_nobody():
    """A over B over C, A and C apart: A and C stay."""
    row = [[0.0, x, WIDTH, x + 0.4] for x in (0.0, 0.1, 0.2)]
    found = localization.merge_detections(
        table([(1, box, 1) for box in row], score=[0.9, 0.8, 0.7]), iou_threshold=0.5
    )
    assert found.score.tolist() == [0.9, 0.7]  # IoU 0.6, 0.6, 0.33


def test_boxes_without_an_area_are_left_out():
    boxes = [
        [0.2, 0.1, 0.2, 0.5],
        [0.2, 0.5, 0.9, 0.5],
        [0.9, 0.1, 0.2, 0.5],
        [0.2, 0.5, 0.9, 0.1],
        [np.nan, 0.1, 0.2, 0.5],
        [0.2, 0.1, 0.9, 0.5],
    ]
    found = localization.merge_detections(table([(1, box, 1) for box in boxes]))
    np.testing.assert_array_equal(found.boxes, boxes[-1:])


def test_groundtruth_is_merged_by_box_and_keyframe():
    box, other = [0.0, 0.1, 0.5, 0.4], [0.0, 0.1, 0.5, 0.41]
    rows = [(2, other, 3), (1, box, 7), (1, other, 3), (1, box, 3), (2, other, 9)]
    merged = localization.merge_groundtruth(table(rows, person_id=[4, 5, 6, 7, 8]))
    assert merged.timestamp.tolist() == [2, 1, 1]  # in the order of their first appearance
    np.testing.assert_array_equal(merged.boxes, [other, box, other])
    assert merged.class_id.tolist() == [1, 1, 1]
    assert merged.person_id.tolist() == [-1, -1, -1]


def test_zero_and_minus_zero_are_one_box():
    rows = [(1, [0.0, 0.1, 0.5, 0.4], 3), (1, [-0.0, 0.1, 0.5, 0.4], 4)]
    assert len(localization.merge_groundtruth(table(rows))) == 1


@pytest.mark.parametrize(
    "function, name",
    [
        (localization.evaluate_localization, "person_AP"),
        (localization.evaluate_localization, "person_AP_75"),
        (localization.evaluate_person, "mAP"),
    ],
)
def test_excluded_and_covered_keyframes_reach_the_metric(function, name):
    """A false person of a keyframe that only the list names halves the precision."""
    found = table([(1, TRUTH[0][1], 80), (7, TRUTH[0][1], 80)], score=[0.5, 0.9])

    def score(**which):
        return function(table(TRUTH), found, **which)[name]

    assert score() == 1
    assert score(keyframes=[("v", 7.0)]) == 0.5
    assert score(protocol="AVA_2019") == 0.5
    assert score(protocol="AVA_2019", excluded=[("v", 7.0)]) == 1
    assert score(excluded=[("v", 1.0)]) is None
