"""The fast frame-mAP against the plain one, and the rules of EVALUATION.md one by one."""

import json

import numpy as np
import pytest
from plain_frame_map import plain_evaluate

from avatx.data.annotations.ava_table import AvaTable, empty_table
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError
from avatx.evaluation.analysis import analyze
from avatx.evaluation.diagnosis import diagnose
from avatx.evaluation.frame_map import average_precision, evaluate
from avatx.evaluation.localization import evaluate_localization

LABEL_MAP = LabelMap({1: "bend", 3: "crouch", 12: "stand"})
BOX, FAR = (0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9)


def table(rows, last):
    boxed = [row for row in rows if row[2] is not None]
    columns = list(zip(*boxed, strict=True)) if boxed else [[], [], [], [], []]
    return AvaTable.from_columns(
        columns[0],
        columns[1],
        columns[2],
        columns[3],
        **{last: columns[4]},
        empty_keyframes=[row[:2] for row in rows if row[2] is None],
    )


def score(groundtruth, detections, **options):
    return evaluate(
        table(groundtruth, "person_id"), table(detections, "score"), LABEL_MAP, **options
    )


def ap_of_stand(groundtruth, detections, **options):
    return score(groundtruth, detections, **options)["per_class"]["12"]["ap"]


def random_case(seed):
    """A few crowded keyframes; coordinates and scores on a grid, so that everything ties."""
    rng = np.random.default_rng(seed)
    grid = rng.choice([3, 10])
    levels = rng.choice([4, 20, 10**6])
    classes = [0, 1, 3, 12, 12, 40]
    number_of_keyframes = rng.integers(1, 6)

    def box(valid):
        low, size = rng.integers(0, grid, 2), rng.integers(1 if valid else -1, grid, 2)
        return tuple((np.array([*low, *(low + size)]) / grid).tolist())

    def keyframe():
        return "ab"[rng.integers(2)], float(902 + rng.integers(number_of_keyframes))

    groundtruth = [
        (*keyframe(), box(rng.random() < 0.95), int(rng.choice(classes)), int(rng.integers(1, 4)))
        for _ in range(rng.integers(0, 25))
    ]
    groundtruth = [  # an inverted one is an error in the official evaluator
        row for row in groundtruth if row[2][0] <= row[2][2] and row[2][1] <= row[2][3]
    ]
    boxed = list(groundtruth)

    def detection():
        confidence = float(rng.integers(levels) / levels)
        if not boxed or rng.random() < 0.6:
            return (*keyframe(), box(False), int(rng.choice(classes)), confidence)
        row = boxed[rng.integers(len(boxed))]
        nearby = np.array(row[2]) + rng.integers(-1, 2, 4) * (rng.random() < 0.5) / grid
        return (*row[:2], tuple(nearby.tolist()), row[3], confidence)

    detections = [detection() for _ in range(rng.integers(0, 400))]
    groundtruth += [(*keyframe(), None, 0, 0) for _ in range(rng.integers(0, 3))]
    if rng.random() < 0.5:
        detections.sort(key=lambda row: row[:2])
    excluded = [keyframe() for _ in range(rng.integers(0, 2))]
    return groundtruth, detections, excluded


@pytest.mark.parametrize("protocol", ["AVA_2020", "AVA_2019"])
@pytest.mark.parametrize("iou_threshold", [0.5, 0.75, 1 / 3])
def test_fast_equals_plain_on_random_cases(protocol, iou_threshold):
    compared = 0
    for seed in range(60):
        groundtruth, detections, excluded = random_case(seed)
        result = score(
            groundtruth,
            detections,
            protocol=protocol,
            iou_threshold=iou_threshold,
            excluded=excluded,
        )
        plain = plain_evaluate(
            groundtruth,
            detections,
            list(LABEL_MAP.names),
            protocol=protocol,
            iou_threshold=iou_threshold,
            excluded=excluded,
        )
        for class_id, (ap, number, found, true) in plain.items():
            one = result["per_class"][str(class_id)]
            counts = one["num_groundtruth"], one["num_detections"], one["num_true_positives"]
            assert counts == (number, found, true), (seed, class_id)
            assert one["ap"] == (None if ap is None else pytest.approx(ap, abs=1e-12)), seed
            compared += true > 0
    assert compared > 30


def test_the_2018_rules_keep_every_row_and_drop_scores_from_minus_10_down():
    groundtruth = [("v", 902.0, BOX, 12, -1)]
    crowd = [("v", 902.0, FAR, 12, 0.9)] * 60 + [("v", 902.0, BOX, 12, 0.1)]
    assert ap_of_stand(groundtruth, crowd, protocol="AVA_2018") == pytest.approx(1 / 61)
    assert ap_of_stand(groundtruth, crowd, protocol="AVA_2019") == 0.0
    low = [("v", 902.0, BOX, 12, -10.0)]
    assert ap_of_stand(groundtruth, low, protocol="AVA_2018") == 0.0
    assert ap_of_stand(groundtruth, low, protocol="AVA_2019") == 1.0


def test_result_has_every_class_and_null_where_there_is_no_groundtruth():
    result = score(
        [("v", 902.0, BOX, 12, -1), ("v", 902.0, FAR, 1, -1)],
        [("v", 902.0, BOX, 12, 0.5), ("v", 902.0, BOX, 3, 0.5)],
    )
    assert result["mAP"] == 0.5 and result["num_classes_with_groundtruth"] == 2
    assert result["protocol"] == "AVA_2020" and result["iou_threshold"] == 0.5
    assert result["per_class"]["3"] == {
        "name": "crouch",
        "ap": None,
        "num_groundtruth": 0,
        "num_detections": 1,
        "num_true_positives": 0,
    }
    assert result["per_class"]["1"]["ap"] == 0.0


def test_without_any_groundtruth_the_mean_is_null():
    result = evaluate(empty_table(detections=False), empty_table(detections=True), LABEL_MAP)
    assert result["mAP"] is None and result["num_classes_with_groundtruth"] == 0


@pytest.mark.parametrize("protocol, expected", [("AVA_2020", 1.0), ("AVA_2019", 0.5)])
def test_false_positives_on_a_keyframe_that_the_groundtruth_does_not_name(protocol, expected):
    groundtruth = [("v", 902.0, BOX, 12, -1)]
    detections = [("v", 902.0, BOX, 12, 0.5), ("v", 903.0, BOX, 12, 0.9)]
    assert ap_of_stand(groundtruth, detections, protocol=protocol) == expected
    # A row of two columns, or the evaluation run's own list, makes the keyframe count.
    named = groundtruth + [("v", 903.0, None, 0, 0)]
    assert ap_of_stand(named, detections, protocol=protocol) == 0.5
    covered = {("v", 902.0), ("v", 903.0)}
    assert ap_of_stand(groundtruth, detections, protocol=protocol, keyframes=covered) == 0.5
    # An exclusion wins over both.
    for options in ({}, {"keyframes": covered}):
        assert (
            ap_of_stand(named, detections, protocol=protocol, excluded={("v", 903.0)}, **options)
            == 1.0
        )


def test_2020_with_every_keyframe_named_equals_2019_with_an_exclusion_list():
    for seed in range(20):
        groundtruth, detections, excluded = random_case(seed)
        covered = {row[:2] for row in groundtruth + detections}
        new = score(groundtruth, detections, excluded=excluded, keyframes=covered)
        old = score(groundtruth, detections, excluded=excluded, protocol="AVA_2019")
        assert new["per_class"] == old["per_class"]


def test_shuffling_rows_changes_nothing_where_no_scores_tie():
    groundtruth, detections, _ = random_case(3)
    rng = np.random.default_rng(0)
    detections = [(*row[:4], (i + 1) / 1000) for i, row in enumerate(detections)]
    expected = score(groundtruth, detections)
    assert expected["mAP"] > 0
    order = rng.permutation(len(detections))
    assert score(groundtruth, [detections[i] for i in order]) == expected


def test_timestamps_are_one_keyframe_to_six_decimals():
    groundtruth = [("v", 902.0000001, BOX, 12, -1), ("v", 903.25, BOX, 12, -1)]
    detections = [("v", 902.0, BOX, 12, 0.9), ("v", 903.250001, BOX, 12, 0.8)]
    assert ap_of_stand(groundtruth, detections) == 0.5


@pytest.mark.parametrize(
    "options, word",
    [
        ({"protocol": "AVA_2017"}, "AVA_2018"),
        ({"iou_threshold": 0.0}, "iou_threshold"),
        ({"iou_threshold": float("nan")}, "iou_threshold"),
    ],
)
def test_wrong_options_are_refused(options, word):
    with pytest.raises(UserError, match=word):
        score([], [], **options)


def test_average_precision_interpolates_over_all_points():
    assert average_precision(np.array([True, False, True, True]), 4) == 0.625
    assert average_precision(np.zeros(0, bool), 2) == 0.0
    assert average_precision(np.zeros(0, bool), 0) is None


@pytest.mark.parametrize(
    "left_id, right_id, right_first, expected",
    [(-1, -1, False, 0.5), (-1, -1, True, 0.5), (2, 5, False, 1.0), (5, 2, True, 0.5)],
)
def test_equal_overlaps_go_to_the_first_box_in_the_official_order(
    left_id, right_id, right_first, expected
):
    # Between two boxes, overlapping both alike; the second detection is the left box itself. The
    # official order is that of a heap: by person id downwards, then by coordinates.
    left, right, between = (0, 0, 0.5, 0.5), (0, 0.25, 0.5, 0.75), (0, 0.125, 0.5, 0.625)
    groundtruth = [("v", 902.0, left, 12, left_id), ("v", 902.0, right, 12, right_id)]
    if right_first:
        groundtruth.reverse()
    detections = [("v", 902.0, between, 12, 0.9), ("v", 902.0, left, 12, 0.8)]
    assert ap_of_stand(groundtruth, detections) == expected


def test_equal_scores_of_several_classes_at_the_border_of_the_cap():
    # 48 rows above, then three of one score for the last two places: the heap gives them to the
    # first to come; and when a higher score comes, the smallest class id leaves.
    above = [("v", 902.0, FAR, 3, 0.9 - i / 1000) for i in range(48)]
    border = [("v", 902.0, BOX, 12, 0.5), ("v", 902.0, BOX, 1, 0.5)]
    last = [("v", 902.0, BOX, 3, 0.5), ("v", 902.0, FAR, 3, 0.95)]
    groundtruth = [("v", 902.0, BOX, number, -1) for number in (1, 12)]
    result = score(groundtruth, above + border + last)
    plain = plain_evaluate(
        groundtruth, above + border + last, [1, 3, 12], protocol="AVA_2020", iou_threshold=0.5
    )
    for number, one in result["per_class"].items():
        assert (
            one["ap"],
            one["num_groundtruth"],
            one["num_detections"],
            one["num_true_positives"],
        ) == plain[int(number)]
    assert sum(one["num_detections"] for one in result["per_class"].values()) == 50
    assert result["per_class"]["1"]["num_true_positives"] == 0
    assert result["per_class"]["12"]["num_true_positives"] == 1


INF, NAN = float("inf"), float("nan")
HUGE = (0.0, 0.0, 1e200, 1e200)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("protocol", ["AVA_2020", "AVA_2019", "AVA_2018"])
@pytest.mark.parametrize(
    "truth, found, ap",
    [
        (BOX, (0.1, 0.1, INF, 0.5), 0.0),
        (BOX, (-INF, 0.1, INF, 0.5), 0.0),
        (BOX, (NAN,) * 4, 0.0),
        (BOX, HUGE, 0.0),
        (HUGE, BOX, 0.0),
        (HUGE, HUGE, 0.0),  # infinity in infinity is no number, and no number reaches a threshold
    ],
)
def test_boxes_without_an_area_are_no_warning_of_numpy(truth, found, ap, protocol):
    groundtruth = table([("v", 1, truth, 12, 0), ("v", 1, FAR, 12, 1)], "person_id")
    detections = table(
        [("v", 1, found, 12, 0.9), ("v", 1, found, 1, 0.8), ("v", 1, FAR, 12, 0.1)], "score"
    )
    result = evaluate(groundtruth, detections, LABEL_MAP, protocol=protocol)
    alone = {1: evaluate(groundtruth, detections.select([2]), LABEL_MAP)}  # FAR is found
    assert alone[1]["mAP"] == 0.5 and 0 < result["mAP"] <= 0.5
    assert result["per_class"]["12"]["num_true_positives"] == 1
    rules = {"protocol": protocol}
    people = evaluate_localization(groundtruth, detections, **rules)
    broken = analyze(groundtruth, detections, LABEL_MAP, **rules)
    json.dumps([result, people, broken], allow_nan=False)
    diagnose(result, groundtruth, detections, LABEL_MAP)
    nothing = evaluate(groundtruth, detections.select([0]), LABEL_MAP, **rules)
    diagnose(nothing, groundtruth, detections.select([0]), LABEL_MAP)
    assert nothing["mAP"] == ap
