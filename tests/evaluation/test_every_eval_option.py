"""Each field of EvalOptions changes what an evaluation says, or is named with the test of it."""

import dataclasses
import pathlib

import pytest
from default_options import default

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation import evaluation_run
from avatx.training.options import EvalOptions

ROOT = pathlib.Path(__file__).parents[2]
BOX, NARROW = [0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.36]  # yxyx, IoU 0.65
NAMES = LabelMap({12: "stand", 14: "walk"})

# What the loop around an evaluation reads, not the score.
ELSEWHERE = {
    "batch_size": "tests/training/test_runs.py::test_evaluation_batch_smaller_than_the_replicas",
    "interval": "tests/training/test_runs.py::test_train_and_eval_fills_the_model_directory",
    "best_checkpoint_metric": "tests/training/test_runs.py",
    "num_visualizations": "tests/training/test_evaluation_pictures.py",
}


def evaluation(**options):
    """A stander found at IoU 0.65, and one at a keyframe of nobody, which scores higher."""
    groundtruth = AvaTable.from_columns(
        ["v"], [1.0], [BOX], [12], person_id=[1], empty_keyframes=[("v", 7.0)]
    )
    detections = AvaTable.from_columns(
        ["v", "v"], [1.0, 7.0], [NARROW, BOX], [12, 12], score=[0.5, 0.9]
    )
    evaluated = evaluation_run.Evaluated(groundtruth, detections, [("v", 1.0), ("v", 7.0)])
    return evaluation_run.score(evaluated, NAMES, default(EvalOptions, **options))


def scores(**options):
    return evaluation(**options).metrics


def findings(**options):
    return evaluation(**options).findings


def test_every_option_is_changed_here():
    for field in dataclasses.fields(EvalOptions):
        here = f"test_{field.name}" in globals()
        assert here != (field.name in ELSEWHERE), field.name
    for test in ELSEWHERE.values():
        path, _, function = test.partition("::")
        assert f"def {function}" in (ROOT / path).read_text()


def test_nothing_changed():
    found = scores()
    assert (found["mAP"], found["person_AP"], found["person_AP_75"]) == (0.5, 0.5, 0)
    assert found["protocol"] == "AVA_2020"
    (person,) = [one for one in found["per_class"].values() if one["num_groundtruth"]]
    assert (person["name"], person["num_detections"], person["num_true_positives"]) == (
        "stand",
        2,
        1,
    )


def test_protocol():
    found = scores(protocol="AVA_2018")
    assert found["protocol"] == "AVA_2018"


def test_protocol_decides_who_counts():
    """A detection on a keyframe that nothing names is ignored since 2020."""
    groundtruth = AvaTable.from_columns(["v"], [1.0], [BOX], [12], person_id=[1])
    detections = AvaTable.from_columns(["v", "v"], [1, 9], [BOX, BOX], [12, 12], score=[0.5, 0.9])
    evaluated = evaluation_run.Evaluated(groundtruth, detections, [("v", 1.0)])

    def of(protocol):
        metrics = evaluation_run.score(
            evaluated, NAMES, default(EvalOptions, protocol=protocol)
        ).metrics
        return metrics["mAP"], metrics["person_AP"]

    assert of("AVA_2020") == (1, 1)
    assert of("AVA_2019") == of("AVA_2018") == (0.5, 0.5)


@pytest.mark.parametrize("threshold, expected", [(0.64, 0.5), (0.66, 0)])
def test_iou_threshold(threshold, expected):
    found = scores(iou_threshold=threshold)
    assert found["mAP"] == expected and found["iou_threshold"] == threshold
    assert found["person_AP"] == 0.5  # has thresholds of its own


def test_groundtruth_path(tmp_path):
    (tmp_path / "truth.csv").write_text("v,0007,0.1,0.1,0.5,0.5,12,0\n")
    found = scores(groundtruth_path=str(tmp_path / "truth.csv"))
    assert (found["mAP"], found["person_AP_75"]) == (1, 1)


def test_what_was_not_evaluated_is_told_at_any_map(tmp_path):
    """The run had v,1 and v,7."""
    path = tmp_path / "truth.csv"
    for rows, told in (
        ("v,0007,0.1,0.1,0.5,0.5,12,0\n", []),
        (
            "v,0007,0.1,0.1,0.5,0.5,12,0\nv,0009,0.1,0.1,0.5,0.5,12,0\nw,0009\n",
            [
                f"2 of the 3 keyframes of {path} were not evaluated, the first is v,0009; their "
                "labels count as missed"
            ],
        ),
    ):
        path.write_text(rows)
        assert findings(groundtruth_path=str(path)) == told
    (tmp_path / "excluded.csv").write_text("v.mp4,0001\nv.mp4,0007\n")
    (told,) = findings(excluded_timestamps_path=str(tmp_path / "excluded.csv"))
    assert told.startswith("2 of the 2 excluded keyframes are in neither")


def test_excluded_timestamps_path(tmp_path):
    (tmp_path / "excluded.csv").write_text("v,0007\n")
    found = scores(excluded_timestamps_path=str(tmp_path / "excluded.csv"))
    assert (found["mAP"], found["person_AP"]) == (1, 1)


def test_metrics_set():
    assert "mAP" not in scores(metrics_set=("action_agnostic_localization",))
    assert "person_AP" not in scores(metrics_set=("ava_frame_map",))
