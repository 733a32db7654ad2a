"""The official evaluator's values.

Those in tests/golden/ava (75 micro cases and a made-up set; where they come from: its README) are
tested everywhere; those of larger sets and of real annotations where ../shared/data/ava is.
"""

import gzip
import json
import pathlib

import pytest

from avatx.data.annotations.ava_csv import (
    read_annotations,
    read_detections,
    read_excluded_timestamps,
)
from avatx.data.annotations.label_map import read_label_map
from avatx.errors import UserError
from avatx.evaluation.frame_map import evaluate

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "ava"
AVA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "ava"
needs_shared = pytest.mark.skipif(not AVA.is_dir(), reason="../shared/data/ava is not there")

# What ours does where the official evaluator of the protocol stops with an error: None for a
# UserError, else the AP of "stand". Blank lines are read over, an inverted groundtruth box counts
# and is never found, and the older protocols read timestamps with a fraction and empty keyframes.
OURS_WHERE_OFFICIAL_FAILS = {
    "inverted_gt_with_det_same_class": (0.5, 0.5, 0.5),
    "person_id_underscore": (None, None, None),
    "class_float_spelling": (None, None, None),
    "blank_line_at_end": (1.0, 1.0, 1.0),
    "header_line": (None, None, None),
    "nine_columns": (None, None, None),
    "six_columns": (None, None, None),
    "comment_line": (None, None, None),
    "det_key_two_column_gt": (0.5, 0.5, 0.5),
    "two_column_det": (1.0, 1.0, 1.0),
    "ts_0902_902_902.0": (1.0, 1.0, 1.0),
    "ts_gt_float": (1.0, 1.0, 1.0),
    "ts_micro": (1.0, 1.0, 1.0),
    "ts_half": (1.0, 0.5, 0.5),
}

# 50 equal scores, which numpy's default sort leaves in an order of its own (EVALUATION.md, "Equal
# scores"); ours is that of a stable sort.
OURS_WHERE_ORDER_IS_NOT_DEFINED = {("cap_tie_evict_smallest_tuple", "v_2018"): 0.5}


def label_map():
    return read_label_map(GOLDEN / "label_map.pbtxt")


def micro_cases():
    return json.loads((GOLDEN / "micro_cases.json").read_text())


@pytest.mark.parametrize("case", micro_cases(), ids=lambda case: case["name"])
@pytest.mark.parametrize("version", ["official", "v_2019", "v_2018"])
def test_micro_case(case, version, tmp_path):
    for name in ("gt", "det", "excl"):
        (tmp_path / name).write_bytes((case[name] or "").encode())
    protocol = {"official": "AVA_2020", "v_2019": "AVA_2019", "v_2018": "AVA_2018"}[version]
    # The latest official evaluator reads no list of excluded keyframes.
    excluded = case["excl"] and version != "official"

    def ours():
        return evaluate(
            read_annotations(tmp_path / "gt"),
            read_detections(tmp_path / "det"),
            label_map(),
            protocol=protocol,
            excluded=read_excluded_timestamps(tmp_path / "excl") if excluded else None,
        )

    expected = case["results"][version]
    if "error" in expected:
        place = ["official", "v_2019", "v_2018"].index(version)
        wanted = OURS_WHERE_OFFICIAL_FAILS[case["name"]][place]
        if wanted is None:
            with pytest.raises(UserError, match="line 1: "):
                ours()
        else:
            assert ours()["per_class"]["12"]["ap"] == wanted
        return
    result = ours()
    found = {r["name"]: r["ap"] for r in result["per_class"].values() if r["ap"] is not None}
    if (case["name"], version) in OURS_WHERE_ORDER_IS_NOT_DEFINED:
        assert result["mAP"] == OURS_WHERE_ORDER_IS_NOT_DEFINED[case["name"], version]
        return
    assert found == pytest.approx(expected["AP"], abs=1e-9)
    if found:
        assert result["mAP"] == pytest.approx(expected["mAP"], abs=1e-9)
    else:
        assert result["mAP"] is None


def expected_sets():
    return json.loads((AVA / "expected.json").read_text())["sets"]


def assert_ap(result, expected_ap, expected_map):
    found = {r["name"]: r["ap"] for r in result["per_class"].values() if r["ap"] is not None}
    assert found == pytest.approx(expected_ap, rel=0, abs=1e-9)
    assert result["mAP"] == pytest.approx(expected_map, rel=0, abs=1e-9)


def assert_counts(result, classes):
    keys = ("num_groundtruth", "num_detections", "num_true_positives")
    found = {r["name"]: tuple(r[key] for key in keys) for r in result["per_class"].values()}
    assert found == {
        name: (one["num_gt"], one["num_det"], one["num_tp"]) for name, one in classes.items()
    }


def assert_set(folder, case, iou_threshold, stable=None):
    result = evaluate(
        read_annotations(folder / case["gt"]),
        read_detections(folder / case["det"]),
        label_map(),
        iou_threshold=iou_threshold,
    )
    values = case.get(f"iou_{iou_threshold}".replace(".", "_"))
    if stable is not None:
        assert_ap(result, stable["AP"], stable["mAP"])
    else:
        known = {c: one["ap"] for c, one in values["classes"].items() if one["ap"] is not None}
        assert_ap(result, known, values["mAP"])
    if values is not None:
        assert_counts(result, values["classes"])


@pytest.mark.parametrize("iou_threshold", [0.5, 0.75])
def test_tiny_set(iou_threshold):
    assert_set(GOLDEN, json.loads((GOLDEN / "expected_tiny.json").read_text()), iou_threshold)


@needs_shared
@pytest.mark.parametrize("iou_threshold", [0.5, 0.75])
@pytest.mark.parametrize("name", ["small", "adv_noties", "adv_ties"])
def test_set(name, iou_threshold):
    case, stable = expected_sets()[name], None
    if name == "adv_ties":
        suffix = "" if iou_threshold == 0.5 else "_iou_0_75"
        stable = case["variants"]["argsort_kind_stable" + suffix]
    assert_set(AVA, case, iou_threshold, stable)


@needs_shared
@pytest.mark.parametrize(
    "variant, protocol, with_excluded",
    [
        ("head_no_exclusion_support", "AVA_2020", False),
        ("v2019_with_e", "AVA_2019", True),
        ("v2019_without_e", "AVA_2019", False),
        ("v2018_with_e_no_cap", "AVA_2018", True),
        ("v2018_without_e_no_cap", "AVA_2018", False),
    ],
)
def test_older_versions(variant, protocol, with_excluded):
    case = expected_sets()["adv_noties_int"]
    result = evaluate(
        read_annotations(AVA / case["gt"]),
        read_detections(AVA / case["det"]),
        label_map(),
        protocol=protocol,
        excluded=read_excluded_timestamps(AVA / case["excluded"]) if with_excluded else None,
    )
    assert_ap(result, case["variants"][variant]["AP"], case["variants"][variant]["mAP"])


@needs_shared
def test_real_annotations_are_read_whole():
    table = read_annotations(AVA / "gt_pose_v2.1.csv.gz")
    assert len(table) == 93_400 and len(table.video_names) == 64
    assert len(table.keyframes()) == 50_029
    with gzip.open(AVA / "gt_pose_v2.1.csv.gz", "rt") as file:
        video, timestamp, x1, y1, x2, y2, class_id = file.readline().strip().split(",")
    assert table.video_id[0] == video and table.timestamp[0] == float(timestamp)
    assert table.boxes[0].tolist() == [float(y1), float(x1), float(y2), float(x2)]
    assert table.class_id[0] == int(class_id)
