"""A false positive of each kind, made by hand, and the confusion of actions."""

import json

import numpy as np
import pytest

from avatx.data.annotations.ava_table import AvaTable, empty_table
from avatx.data.annotations.label_map import LabelMap
from avatx.errors import UserError
from avatx.evaluation.analysis import analyze
from avatx.evaluation.false_positives import describe_kinds

LABEL_MAP = LabelMap(
    {11: "sit", 12: "stand", 17: "carry", 79: "talk to"},
    {11: "POSE", 12: "POSE", 17: "OBJECT", 79: "PERSON"},
)
PERSON, OTHER, NOWHERE = (0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9), (0.9, 0.0, 1.0, 0.1)
LOOSE = (0.0, 0.0, 0.4, 0.1)  # IoU 0.25 with PERSON
# PERSON stands and talks, OTHER stands.
GROUNDTRUTH = [("v", 1.0, PERSON, 12), ("v", 1.0, PERSON, 79), ("v", 1.0, OTHER, 12)]


def groundtruth_table(rows=GROUNDTRUTH):
    return AvaTable.from_columns(*zip(*rows, strict=True), person_id=[-1] * len(rows))


def analysis(detections, groundtruth=GROUNDTRUTH, label_map=LABEL_MAP, **options):
    rows = [("v", 1.0, *row) for row in detections]
    table = (
        AvaTable.from_columns(*zip(*rows, strict=True)) if rows else empty_table(detections=True)
    )
    result = analyze(groundtruth_table(groundtruth), table, label_map, **options)
    json.dumps(result, allow_nan=False)
    return result


@pytest.mark.parametrize(
    "box, class_id, kind",
    [
        (PERSON, 12, "duplicate"),  # found by the true positive before it
        (LOOSE, 12, "localization"),
        (LOOSE, 79, "localization"),
        (PERSON, 11, "similar_action"),  # stands, does not sit
        (OTHER, 79, "other_action"),  # does nothing with other people
        (PERSON, 17, "other_action"),
        (LOOSE, 17, "box_and_action"),
        (NOWHERE, 12, "background"),
        (NOWHERE, 17, "background"),
    ],
)
def test_a_false_positive_of_each_kind(box, class_id, kind):
    result = analysis([(PERSON, 12, 0.9), (box, class_id, 0.5)])["false_positives"]
    counts = result["all"]
    assert {name: count for name, count in counts.items() if count} == {"true_positive": 1, kind: 1}
    # Doing what the neighbour does: only "talk to" on the person who does not.
    neighbour = (box, class_id) == (OTHER, 79)
    assert result["confused_with_neighbour"] == int(neighbour)


def test_a_threshold_below_a_tenth_is_the_least_overlap_too():
    barely = (0.0, 0.0, 0.4, 0.03)  # IoU 0.075 with PERSON
    for threshold, kind in ((0.1, "background"), (0.05, "other_action")):
        result = analysis([(barely, 17, 0.5)], iou_threshold=threshold)
        assert result["false_positives"]["all"][kind] == 1
    sliver = (0.0, 0.0, 0.4, 0.01)  # IoU 0.025
    result = analysis([(sliver, 17, 0.5)], iou_threshold=0.05)["false_positives"]["all"]
    assert result["background"] == 1
    words = describe_kinds(0.05)
    assert words["localization"] == "IoU of 0.05 to 0.05 with a box of the class"
    assert words["background"] == "no person with an IoU of 0.05"
    assert describe_kinds(0.5)["localization"] == "IoU of 0.1 to 0.5 with a box of the class"


def test_a_right_box_is_confusion_even_if_it_overlaps_someone_who_does_it():
    beside = (0.0, 0.1, 0.4, 0.5)  # IoU 0.6 with PERSON
    groundtruth = [("v", 1.0, PERSON, 12), ("v", 1.0, beside, 79)]
    off = (0.0, 0.0, 0.4, 0.2)  # IoU 0.5 with PERSON, 0.2 with the one beside
    counts = analysis([(off, 79, 0.9)], groundtruth)["false_positives"]["all"]
    assert counts["other_action"] == 1


def test_only_the_best_n_count_at_the_top():
    detections = [(NOWHERE, 12, 0.9), (PERSON, 12, 0.8), (OTHER, 12, 0.7), (PERSON, 11, 0.6)]
    result = analysis(detections)["false_positives"]
    assert result["per_class"]["12"]["top"]["background"] == 1
    assert result["per_class"]["12"]["top"]["true_positive"] == 1  # N is 2
    assert sum(result["top"].values()) == 2  # nobody sits, nobody carries, no talk was detected
    assert sum(result["all"].values()) == 4


def test_without_groups_no_action_is_similar():
    label_map = LabelMap(LABEL_MAP.names | {12: "idle"})
    result = analysis([(PERSON, 11, 0.5)], label_map=label_map)
    assert result["false_positives"]["all"]["other_action"] == 1 and result["by_group"] == []


def test_a_person_with_labels_of_other_data_alone_is_a_person():
    groundtruth = [*GROUNDTRUTH, ("v", 1.0, NOWHERE, 50)]
    result = analysis([(NOWHERE, 12, 0.5)], groundtruth)
    assert result["false_positives"]["all"]["other_action"] == 1
    assert result["num_people"] == 2


def test_confusion_shares_a_missed_label_among_what_took_its_place():
    # PERSON (2 labels): best two are stand and carry, so talk was taken for carry.
    # OTHER (1 label): sit, so stand was taken for sit; the second sit is the same class again.
    detections = [
        (PERSON, 12, 0.9),
        (PERSON, 17, 0.8),
        (PERSON, 79, 0.7),
        (OTHER, 11, 0.9),
        (OTHER, 11, 0.8),
        (OTHER, 12, 0.1),
        (NOWHERE, 17, 1.0),
    ]
    result = analysis(detections)["confusion"]
    assert result["class_ids"] == [11, 12, 17, 79] and result["num_people"] == [0, 2, 0, 1]
    assert result["matrix"] == [None, [0.5, 0.5, 0, 0, 0], None, [0, 0, 1.0, 0, 0]]
    assert result["pairs"] == [
        {"label": 12, "taken_for": 11, "people": 1.0, "share": 0.5},
        {"label": 79, "taken_for": 17, "people": 1.0, "share": 1.0},
    ]
    assert (result["num_matched_people"], result["num_unmatched_people"]) == (2, 0)


def test_confusion_names_what_was_not_detected():
    result = analysis([(PERSON, 12, 0.9)])["confusion"]
    assert result["matrix"] == [None, [0, 1.0, 0, 0, 0], None, [0, 0, 0, 0, 1.0]]
    assert (result["num_matched_people"], result["num_unmatched_people"]) == (1, 1)
    assert result["pairs"] == []


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_confusion_add_up_to_one(seed):
    rng = np.random.default_rng(seed)
    boxes = [(0.1 * i, 0.0, 0.1 * i + 0.1, 0.5) for i in range(9)]
    ids = list(LABEL_MAP.names)
    groundtruth = [
        ("v", 1.0, box, int(c))
        for box in boxes
        for c in rng.choice(ids, rng.integers(1, 4), replace=False)
    ]
    detections = [(boxes[rng.integers(9)], int(rng.choice(ids)), rng.random()) for _ in range(25)]
    result = analysis(detections, groundtruth)["confusion"]
    rows = [row for row in result["matrix"] if row is not None]
    np.testing.assert_allclose(np.sum(rows, axis=1), 1.0, atol=1e-12)
    assert result["num_matched_people"] + result["num_unmatched_people"] == 9
    wrong = np.nan_to_num(np.array(rows, float))[:, :-1].sum()
    assert wrong > 1


def test_nothing_detected():
    result = analysis([])
    assert result["mAP"] == 0.0 and result["person_AP"] == 0.0
    assert not any(result["false_positives"]["all"].values())
    assert result["confusion"]["matrix"] == [None] * 4
    assert result["confusion"]["num_unmatched_people"] == 2
    by_class = {row["id"]: row["ap"] for row in result["by_class"]}
    assert by_class == {11: None, 17: None, 79: 0.0, 12: 0.0}


def test_training_frequency_and_its_correlation():
    groundtruth = [("v", 1.0, PERSON, 12), ("v", 1.0, PERSON, 79), ("v", 1.0, OTHER, 17)]
    training = groundtruth_table([("t", 1.0, PERSON, c) for c in (12, 12, 12, 79, 79, 17)])
    detections = [(PERSON, 12, 0.9), (NOWHERE, 79, 0.9), (PERSON, 79, 0.8)]
    result = analysis(detections, groundtruth, training=training)
    assert [row["id"] for row in result["by_class"]] == [11, 17, 79, 12]
    assert [row["num_training_labels"] for row in result["by_class"]] == [0, 1, 2, 3]
    assert [row["ap"] for row in result["by_class"]] == [None, 0.0, 0.5, 1.0]
    assert result["rank_correlation"] == pytest.approx(1.0)
    assert analysis(detections, groundtruth)["rank_correlation"] is None


def test_wrong_options_are_refused():
    with pytest.raises(UserError, match="protocol 'AVA' is unknown"):
        analysis([], protocol="AVA")
    with pytest.raises(UserError, match="iou_threshold is 0"):
        analysis([], iou_threshold=0.0)


def overlap(first, second):
    height = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    width = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return height * width / (sum(areas) - height * width)


@pytest.mark.parametrize("seed", range(4))
def test_kinds_equal_those_found_one_by_one(seed):
    rng = np.random.default_rng(seed)
    ids = list(LABEL_MAP.names)

    def box():
        low = rng.random(2) * 0.6
        return (*low, *(low + 0.1 + rng.random(2) * 0.3))

    boxes = [box() for _ in range(6)]
    labels = {
        one: set(rng.choice(ids, rng.integers(1, 4), replace=False).tolist()) for one in boxes
    }
    groundtruth = [("v", 1.0, one, label) for one in boxes for label in labels[one]]
    detections = []
    for _ in range(45):
        near = np.array(boxes[rng.integers(6)]) + rng.normal(0, 0.05, 4)
        if np.all(near[:2] < near[2:]):
            detections.append((tuple(near), int(rng.choice(ids)), rng.random()))
    counted = analysis(detections, groundtruth)["false_positives"]["all"]

    expected, claimed = dict.fromkeys(counted, 0), set()
    for found, label, _ in sorted(detections, key=lambda row: -row[2]):
        of_class = max(
            ((overlap(found, b), b) for b in boxes if label in labels[b]), default=(0, 0)
        )
        iou, person = max((overlap(found, b), b) for b in boxes)
        group = {other for other in ids if LABEL_MAP.groups[other] == LABEL_MAP.groups[label]}
        if of_class[0] >= 0.5:
            key = (of_class[1], label)
            expected["duplicate" if key in claimed else "true_positive"] += 1
            claimed.add(key)
        elif iou >= 0.5:
            expected["similar_action" if labels[person] & group else "other_action"] += 1
        elif of_class[0] >= 0.1:
            expected["localization"] += 1
        else:
            expected["box_and_action" if iou >= 0.1 else "background"] += 1
    assert counted == expected and sum(count > 0 for count in counted.values()) >= 5
