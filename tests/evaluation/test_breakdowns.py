"""Breakdowns against the golden values, and that bins partition everything."""

import json
import pathlib

import numpy as np
import pytest

from avatx.data.annotations.ava_csv import read_annotations, read_detections
from avatx.data.annotations.ava_table import AvaTable, empty_table
from avatx.data.annotations.label_map import LabelMap, read_label_map
from avatx.evaluation import breakdowns
from avatx.evaluation.action_groups import find_groups
from avatx.evaluation.frame_map import per_class_results
from avatx.evaluation.matching import match_detections
from avatx.evaluation.people import find_people
from avatx.evaluation.protocol import get_protocol

AVA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "ava"
LABEL_MAP = LabelMap({1: "a", 2: "b", 5: "c"})
COUNTS = ("num_groundtruth", "num_detections", "num_true_positives")


def matching(groundtruth, detections, label_map=LABEL_MAP, protocol="AVA_2020"):
    matched = match_detections(groundtruth, detections, label_map, get_protocol(protocol), 0.5)
    return matched, find_people(matched, groundtruth, label_map)


@pytest.fixture(scope="module")
def golden():
    if not AVA.is_dir():
        pytest.skip("../shared/data/ava is not there")
    label_map = read_label_map(AVA / "ava_action_list_v2.1_for_activitynet_2018.pbtxt.txt")
    groundtruth = read_annotations(AVA / "gt_small.csv.gz")
    detections = read_detections(AVA / "det_small.csv.gz")
    expected = json.loads((AVA / "breakdown_small.json").read_text())
    return (*matching(groundtruth, detections, label_map), detections, label_map, expected)


def agree(found, expected):
    counts = [expected[name] for name in ("num_gt", "num_det", "num_tp")]
    assert [found[name] for name in COUNTS] == counts
    assert found["mAP"] == pytest.approx(expected["mAP"], abs=1e-9)
    known = {one["name"]: one["ap"] for one in found["per_class"].values() if one["ap"] is not None}
    assert known == pytest.approx(expected["AP"], abs=1e-9)
    assert found["num_classes_with_groundtruth"] == len(expected["AP"])


@pytest.mark.parametrize("table", ["area_quantile5", "area_width5"])
def test_golden_values_by_area(golden, table):
    matched, people, detections, label_map, expected = golden
    expected = expected[table]
    edges = None if table == "area_quantile5" else expected["edges"]
    bins = breakdowns.by_area(matched, people, detections, label_map, 0.5, edges)
    assert [one["low"] for one in bins] + [bins[-1]["high"]] == expected["edges"]
    for found, wanted in zip(bins, expected["bins"], strict=True):
        assert found["num_people"] == wanted["n_boxes"]
        agree(found, wanted["own_area"])


def test_golden_values_by_number_of_people(golden):
    matched, people, _, label_map, expected = golden
    bins = breakdowns.by_people(matched, people, label_map)
    for found, wanted in zip(bins, expected["gt_box_count"], strict=True):
        assert found["low"] == wanted["gt_boxes"][0]
        assert found["num_keyframes"] == wanted["n_keyframes"]
        agree(found, wanted)


def random_tables(seed):
    """Keyframes of 0 to 7 people with 0 to 3 labels each, and detections on and beside them."""
    rng = np.random.default_rng(seed)
    groundtruth, detections = [], []
    for second in range(40):
        for _ in range(rng.integers(0, 8)):
            low = rng.random(2) * 0.6
            box = [*low, *(low + 0.02 + rng.random(2) * 0.3)]
            for class_id in rng.choice([1, 2, 5, 9], rng.integers(1, 4), replace=False):
                groundtruth.append(("v", second, box, class_id))
            for _ in range(3):
                near = np.array(box) + rng.normal(0, 0.03, 4)
                detections.append(("v", second, near, rng.choice([1, 2, 5]), rng.random()))
    return (
        AvaTable.from_columns(*zip(*groundtruth, strict=True), person_id=[-1] * len(groundtruth)),
        AvaTable.from_columns(*zip(*detections, strict=True)),
    )


@pytest.mark.parametrize("seed, protocol", [(0, "AVA_2020"), (1, "AVA_2019"), (2, "AVA_2018")])
def test_bins_of_area_partition_groundtruth_and_detections(seed, protocol):
    groundtruth, detections = random_tables(seed)
    matched, people = matching(groundtruth, detections, protocol=protocol)
    everything = breakdowns.part(matched, LABEL_MAP)
    bins = breakdowns.by_area(matched, people, detections, LABEL_MAP, 0.5)
    assert len(bins) == breakdowns.NUMBER_OF_AREA_BINS and everything["num_true_positives"] > 20
    for name in COUNTS:
        assert sum(one[name] for one in bins) == everything[name]
    sizes = [one["num_people"] for one in bins]
    assert max(sizes) - min(sizes) <= 1 and sum(sizes) == people.labelled.sum()


@pytest.mark.parametrize("protocol", ["AVA_2020", "AVA_2019", "AVA_2018"])
def test_numbers_of_people_partition_the_keyframes_with_people(protocol):
    groundtruth, detections = random_tables(3)
    matched, people = matching(groundtruth, detections, protocol=protocol)
    bins = breakdowns.by_people(matched, people, LABEL_MAP)
    everything = breakdowns.part(matched, LABEL_MAP)
    for name in COUNTS:
        assert sum(one[name] for one in bins) == everything[name]
    keyframes = {
        (row[0], row[1]) for row in zip(groundtruth.video_id, groundtruth.timestamp, strict=True)
    }
    assert sum(one["num_keyframes"] for one in bins) == len(keyframes)
    assert bins[-1]["high"] is None and bins[-1]["num_keyframes"] > 0


def test_people_are_counted_by_different_boxes_whatever_they_do():
    first, second = (0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)
    rows = [
        ("v", 1, first, 1),
        ("v", 1, first, 2),
        ("v", 1, second, 9),  # 9: not in the label map
        ("v", 2, first, 1),
        ("v", 2, first, 5),
    ]
    groundtruth = AvaTable.from_columns(*zip(*rows, strict=True), person_id=[-1] * len(rows))
    matched, people = matching(groundtruth, empty_table(detections=True))
    one, two, *more = breakdowns.by_people(matched, people, LABEL_MAP)
    assert (one["num_keyframes"], two["num_keyframes"]) == (1, 1)
    assert (one["num_groundtruth"], two["num_groundtruth"]) == (2, 2)
    assert not any(part["num_keyframes"] for part in more)


def test_few_or_equal_areas_make_fewer_bins():
    assert breakdowns.equal_count_edges(np.array([0.1, 0.3]), 5) == [0.0, 0.2, None]
    assert breakdowns.equal_count_edges(np.full(9, 0.5), 5) == [0.0, 0.5, None]
    assert breakdowns.equal_count_edges(np.zeros(0), 5) == [0.0, None]


def test_without_detections_all_is_zero_and_without_groundtruth_nothing_is_known():
    groundtruth, detections = random_tables(4)
    matched, people = matching(groundtruth, empty_table(detections=True))
    for one in breakdowns.by_area(matched, people, empty_table(detections=True), LABEL_MAP, 0.5):
        assert one["mAP"] == 0.0 and one["num_detections"] == 0
    empty = empty_table(detections=False, empty_keyframes=[("v", float(i)) for i in range(40)])
    matched, people = matching(empty, detections)
    (one,) = breakdowns.by_area(matched, people, detections, LABEL_MAP, 0.5)
    assert one["mAP"] is None and one["num_detections"] == len(matched.row) > 0
    assert all(one["mAP"] is None for one in breakdowns.by_people(matched, people, LABEL_MAP))


def test_classes_are_ordered_by_training_labels():
    groundtruth, detections = random_tables(5)
    matched, _ = matching(groundtruth, detections)
    per_class = per_class_results(matched, LABEL_MAP)
    training = groundtruth.select(np.flatnonzero(groundtruth.class_id != 2))
    rows = breakdowns.by_class(per_class, training, {})
    assert rows[0]["id"] == 2 and rows[0]["num_training_labels"] == 0
    assert rows[1]["num_training_labels"] <= rows[2]["num_training_labels"]
    by_groundtruth = breakdowns.by_class(per_class, None, {1: "pose"})
    counts = [row["num_groundtruth"] for row in by_groundtruth]
    assert counts == sorted(counts) and by_groundtruth[0]["num_training_labels"] is None
    assert {row["group"] for row in by_groundtruth} == {"pose", None}


def test_groups_mean_over_their_classes_with_groundtruth():
    per_class = {
        key: {"ap": ap, "num_groundtruth": 1, "num_detections": 2, "num_true_positives": 1}
        for key, ap in (("1", 0.5), ("2", None), ("5", 0.1))
    }
    first, second = breakdowns.by_group(per_class, {1: "pose", 2: "pose", 5: "person"})
    assert (first["group"], first["mAP"], first["num_classes_with_groundtruth"]) == ("pose", 0.5, 1)
    assert (second["mAP"], second["num_detections"]) == (0.1, 2)


def test_groups_come_from_the_label_map_or_from_ava_ids_alone():
    own = LabelMap({1: "x", 2: "y"}, {1: "FIRST"})
    assert find_groups(own) == {1: "FIRST"}
    ava = LabelMap(
        {
            80: "watch (a person)",
            12: "stand",
            14: "walk",
            15: "answer phone",
            63: "write",
            64: "fight/hit (a person)",
        }
    )
    assert find_groups(ava) == {
        12: "PERSON_MOVEMENT",
        14: "PERSON_MOVEMENT",
        15: "OBJECT_MANIPULATION",
        63: "OBJECT_MANIPULATION",
        64: "PERSON_INTERACTION",
        80: "PERSON_INTERACTION",
    }
    assert find_groups(LabelMap({12: "jump", 14: "walk"})) == {}
    assert find_groups(LabelMap({3: "jump"})) == {}
