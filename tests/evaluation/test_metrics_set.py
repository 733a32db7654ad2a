"""What an evaluation run computes, writes and prints, by eval_config.metrics_set."""

import json

import pytest
from default_options import default

from avatx.data.annotations.ava_table import AvaTable
from avatx.data.annotations.label_map import LabelMap
from avatx.evaluation import evaluation_run
from avatx.training.options import EvalOptions

BOX = [0.1, 0.1, 0.5, 0.5]
ALL = ["mAP", "person_AP", "person_AP_75"]


@pytest.mark.parametrize(
    "metrics_set, names, iou_threshold",
    [
        (None, ALL, 0.5),
        (None, ALL, 0.9),
        (("ava_frame_map",), ALL[:1], 0.5),
        (("action_agnostic_localization",), ALL[1:], 0.5),
    ],
)
@pytest.mark.parametrize("table", [True, False])
def test_only_what_was_asked_for(tmp_path, capfd, metrics_set, names, iou_threshold, table):
    groundtruth = AvaTable.from_columns(["v"], [1.0], [BOX], [12], person_id=[1])
    off = [0.1, 0.1, 0.5, 0.36]  # IoU 0.65
    detections = AvaTable.from_columns(["v", "v"], [1, 1], [off, off], [12, 14], [0.9, 0.8])
    evaluated = evaluation_run.Evaluated(groundtruth, detections, [("v", 1.0)])
    options = {"metrics_set": metrics_set} if metrics_set else {}
    scores = evaluation_run.score(
        evaluated,
        LabelMap({12: "stand", 14: "walk"}),
        default(EvalOptions, iou_threshold=iou_threshold, **options),
    )
    # Person AP has IoU thresholds of its own.
    expected = {"mAP": float(iou_threshold < 0.65), "person_AP": 1.0, "person_AP_75": 0.0}
    assert scores.headline() == {name: expected[name] for name in names}
    evaluation_run.write_results(str(tmp_path), evaluated, scores, step=3)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert [name for name in ALL if name in written] == names and written["step"] == 3
    evaluation_run.print_results(scores, table)
    said = "".join(capfd.readouterr())
    assert ("mAP@" in said) == ("mAP" in names)
    assert ("0.0000 at IoU 0.75" in said) == ("person_AP" in names)


def test_every_set_of_the_options_is_known():
    assert default(EvalOptions).metrics_set == tuple(evaluation_run.METRICS_SETS)
