"""An export of an older commit runs, its checkpoint exports to the same; likewise a classifier."""

import json
import pathlib

import numpy as np
import pytest
import reading_artefacts as reading
from comparing import assert_same_json, assert_same_rows

CLASSES = {1: "stand", 2: "walk", 4: "talk to (e.g., self)", 5: "wave"}


@pytest.fixture(scope="module")
def expected():
    """The two clips that the export was run on, and its outputs."""
    with np.load(reading.MADE / "expected" / "export.npz") as arrays:
        return dict(arrays)


def assert_same_outputs(outputs, expected):
    outputs.pop("clip_keys", None)  # newer than what was stored
    assert set(outputs) <= set(expected)
    for name, values in outputs.items():
        values = values[:, : expected[name].shape[1]] if name == "detection_attention" else values
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_the_export_runs(expected):
    outputs = reading.run_export("export/saved_model", "serving_attention", expected["clips"])
    assert "detection_attention" in outputs
    assert_same_outputs(outputs, expected)


def test_its_checkpoint_exports_to_the_same(expected):
    reading.tool("exporter_main")(
        "--pipeline_config_path",
        "detector_momentum/pipeline.config",
        "--checkpoint",
        "detector_momentum",
        "--output",
        "export_again",
    )
    outputs = reading.run_export("export_again/saved_model", "serving_default", expected["clips"])
    assert_same_outputs(outputs, expected)
    label_maps = [pathlib.Path(path, "label_map.pbtxt") for path in ("export_again", "export")]
    assert label_maps[0].read_text() == label_maps[1].read_text()


def test_detect_video_with_the_export(tmp_path):
    """No flag about frames: what this export's metadata lack has the default of then."""
    reading.tool("detect_video")(
        "--saved_model",
        "export",
        "--video",
        "film.mp4",
        "--output",
        tmp_path,
        "--score_threshold",
        0.15,
        "--every",
        0.5,
        "--attention",
    )
    found = reading.read_csv(tmp_path / "detections.csv")
    assert_same_rows(found, reading.read_csv("expected/film.detections.csv"))
    people = reading.read_json(tmp_path / "detections.json")
    assert people["classes"] == {str(class_id): name for class_id, name in CLASSES.items()}
    assert (tmp_path / "attention.jpg").exists()


def test_classify_video_with_the_checkpoint(capsys):
    reading.tool("classify_video")(
        "--pipeline_config_path",
        "classifier/pipeline.config",
        "--checkpoint",
        "classifier",
        "--video",
        "film.mp4",
        "--label_map",
        "records/actions.pbtxt",
        "--json",
    )
    found = json.loads(capsys.readouterr().out)
    assert_same_json(found, reading.read_json("expected/film.classes.json"))


@pytest.mark.long
def test_the_classifier_evaluates_to_the_same():
    reading.tool("model_main")(
        "--pipeline_config_path",
        "classifier/pipeline.config",
        "--model_dir",
        "results",
        "--mode",
        "eval",
        "--checkpoint",
        "classifier",
        "--distribution_strategy",
        "cpu",
    )
    found = reading.read_json("results/metrics.json")
    assert_same_json(found, reading.read_json("expected/classifier.metrics.json"))
