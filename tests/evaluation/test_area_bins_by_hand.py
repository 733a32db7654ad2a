"""Which bin of area a detection belongs to, by hand."""

import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation import breakdowns
from avatx.evaluation.matching import match_detections
from avatx.evaluation.people import find_people
from avatx.evaluation.protocol import get_protocol

NAMES = LabelMap({1: "a"})
SMALL, LARGE = [0.0, 0.0, 0.2, 0.4], [0.0, 0.5, 1.0, 1.0]  # areas 0.08 and 0.5


def bins(boxes, scores, edges, iou_threshold=0.5, truth=(SMALL, LARGE)):
    groundtruth = AvaTable.from_columns(
        ["v"] * len(truth),
        [1.0] * len(truth),
        list(truth),
        [1] * len(truth),
        person_id=list(range(len(truth))),
    )
    count = len(boxes)
    detections = AvaTable.from_columns(["v"] * count, [1.0] * count, boxes, [1] * count, scores)
    rules = get_protocol("AVA_2020")
    matched = match_detections(groundtruth, detections, NAMES, rules, iou_threshold)
    people = find_people(matched, groundtruth, NAMES)
    return breakdowns.by_area(matched, people, detections, NAMES, iou_threshold, edges)


def counts(found):
    return [
        (one["num_groundtruth"], one["num_detections"], one["num_true_positives"]) for one in found
    ]


def test_a_bound_detection_is_in_the_bin_of_its_groundtruth():
    """Found a little too large (0.11): by its own area it would be in the next bin."""
    larger = [0.0, 0.0, 0.22, 0.5]  # IoU 0.08 / 0.11 = 0.73
    found = bins([larger], [0.9], [0.0, 0.1, None])
    assert counts(found) == [(1, 1, 1), (1, 0, 0)]
    assert [one["mAP"] for one in found] == [1, 0]


def test_an_unbound_detection_is_in_the_bin_of_its_own_area():
    far = [0.3, 0.0, 0.9, 0.4]  # 0.24, overlaps nobody
    near = [0.0, 0.0, 0.2, 0.85]  # 0.17, IoU 0.47 with the small one, under the threshold
    found = bins([far, near], [0.9, 0.8], [0.0, 0.1, 0.2, None])
    assert counts(found) == [(1, 0, 0), (0, 1, 0), (1, 1, 0)]


def test_the_threshold_is_the_evaluation_s():
    near = [0.0, 0.0, 0.2, 0.85]
    assert counts(bins([near], [0.9], [0.0, 0.1, None], 0.4)) == [(1, 1, 1), (1, 0, 0)]


def test_an_edge_belongs_to_the_bin_above():
    half = [0.0, 0.0, 0.5, 0.5]
    found = bins([half], [0.9], [0.0, 0.25, None], truth=[half])
    assert counts(found) == [(0, 0, 0), (1, 1, 1)]
    assert [(one["low"], one["high"], one["num_people"]) for one in found] == [
        (0.0, 0.25, 0),
        (0.25, None, 1),
    ]


@pytest.mark.parametrize(
    "areas, number, expected",
    [
        ([0.1, 0.4, 0.2, 0.8], 2, [0, 0.3, None]),
        ([0.1, 0.2, 0.4, 0.8, 0.9, 1.0], 3, [0, 0.3, 0.85, None]),
        ([0.5], 4, [0, None]),
    ],
)
def test_edges_lie_midway_between_neighbours(areas, number, expected):
    import numpy as np

    found = breakdowns.equal_count_edges(np.array(areas), number)
    assert found[-1] is None and found[:-1] == pytest.approx(expected[:-1])
