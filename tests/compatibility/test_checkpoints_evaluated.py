"""Checkpoints of an older commit evaluate to the detections and scores that they had."""

import os
import shutil

import reading_artefacts as reading
from comparing import assert_same_json, assert_same_rows


def model_main(model_dir, *flags, config):
    reading.tool("model_main")(
        "--pipeline_config_path",
        config,
        "--model_dir",
        model_dir,
        "--distribution_strategy",
        "cpu",
        *flags,
    )


def assert_same_results(folder, name):
    expected = reading.read_csv(f"expected/{name}.detections.csv")
    assert_same_rows(reading.read_csv(f"{folder}/detections.csv"), expected)
    metrics = reading.read_json(f"{folder}/metrics.json")
    assert_same_json(metrics, reading.read_json(f"expected/{name}.metrics.json"))
    assert metrics["step"] == 2 and metrics["mAP"] > 0


def test_evaluation_gives_the_same_detections():
    """Those of the averaged weights."""
    config = "detector_momentum/pipeline.config"
    model_main("results", "--mode", "eval", "--checkpoint", "detector_momentum", config=config)
    assert_same_results("results", "detector_momentum")


def test_a_finished_training_without_results_is_taken_up_and_evaluated(capsys):
    """Adam's state is read whole, or taking it up would fail."""
    model_dir = shutil.copytree("detector_adam", "taken_up")
    os.remove("taken_up/metrics.json")
    os.remove("taken_up/detections.csv")
    model_main(model_dir, "--mode", "train_and_eval", config="taken_up/pipeline.config")
    assert "resuming at step 2 from" in capsys.readouterr().err
    assert_same_results("taken_up", "detector_adam")
    best = reading.read_json("taken_up/best/info.json")
    assert_same_json(best, reading.read_json("detector_adam/best/info.json"))
