"""Orders that only ties and missing person ids decide, and the rules of an analysis, by hand."""

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation.analysis import analyze
from avatx.evaluation.matching import match_detections
from avatx.evaluation.protocol import get_protocol

LEFT, RIGHT, BETWEEN = [0.0, 0.0, 0.5, 0.5], [0.0, 0.25, 0.5, 0.75], [0.0, 0.125, 0.5, 0.625]


@pytest.mark.parametrize(
    "person_ids, order",
    [
        # The official evaluator sorts by the person id, where a detection has its score; a row
        # without one has 1.
        ([0, -1], [1, 0]),
        ([2, -1], [0, 1]),
        ([3, 5], [1, 0]),
        ([-1, -1], [0, 1]),  # a tie: by box
    ],
)
def test_groundtruth_without_a_person_id_counts_as_person_1(person_ids, order):
    groundtruth = AvaTable.from_columns(
        ["v"] * 2, [1.0] * 2, [LEFT, RIGHT], [1, 1], person_id=person_ids
    )
    # As near to either: the first one is found.
    detections = AvaTable.from_columns(["v"], [1.0], [BETWEEN], [1], score=[0.5])
    matched = match_detections(
        groundtruth, detections, LabelMap({1: "a"}), get_protocol("AVA_2020"), 0.5
    )
    assert matched.groundtruth_row.tolist() == order
    assert matched.groundtruth_row[matched.best_groundtruth[0]] == order[0]


def test_the_correlation_of_ranks_shares_the_ranks_of_ties():
    """Class i at second i: AP 1, 1, 1 / 2 and 0; trained 10, 20, 20 and 30 times."""
    seconds = [1.0, 2.0, 3.0, 4.0]
    groundtruth = AvaTable.from_columns(
        ["v"] * 4, seconds, [LEFT] * 4, [1, 2, 3, 4], person_id=[0] * 4
    )
    far = [0.6, 0.6, 0.9, 0.9]
    detections = AvaTable.from_columns(
        ["v"] * 4,
        [1.0, 2.0, 3.0, 3.0],
        [LEFT, LEFT, far, LEFT],
        [1, 2, 3, 3],
        score=[0.5, 0.5, 0.9, 0.5],
    )
    counts = {1: 10, 2: 20, 3: 20, 4: 30}
    classes = [class_id for class_id, count in counts.items() for _ in range(count)]
    training = AvaTable.from_columns(
        ["v"] * 80, np.arange(80.0), [LEFT] * 80, classes, person_id=[0] * 80
    )
    names = LabelMap({class_id: f"class {class_id}" for class_id in counts})
    found = analyze(groundtruth, detections, names, training=training)
    assert [row["ap"] for row in sorted(found["by_class"], key=lambda row: row["id"])] == [
        1,
        1,
        0.5,
        0,
    ]
    expected = np.corrcoef([3.5, 3.5, 2, 1], [1, 2.5, 2.5, 4])[0, 1]
    assert found["rank_correlation"] == pytest.approx(expected)
    assert analyze(groundtruth, detections, names)["rank_correlation"] is None


def test_what_is_evaluated_is_what_is_analysed():
    """A detection at a second that nothing names: every number heeds protocol and exclusions."""
    names = LabelMap({1: "a"})
    groundtruth = AvaTable.from_columns(["v"], [1.0], [LEFT], [1], person_id=[0])
    detections = AvaTable.from_columns(["v"] * 2, [1.0, 7.0], [LEFT] * 2, [1, 1], score=[0.5, 0.9])

    def numbers(**rules):
        found = analyze(groundtruth, detections, names, **rules)
        return found["mAP"], found["person_AP"], found["person_AP_75"], found["num_detections"]

    assert numbers() == (1, 1, 1, 1)
    assert numbers(protocol="AVA_2019") == (0.5, 0.5, 0.5, 2)
    assert numbers(protocol="AVA_2019", excluded=[("v", 7.0)]) == (1, 1, 1, 1)
