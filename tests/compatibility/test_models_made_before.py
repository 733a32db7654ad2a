"""Checkpoints of an older commit: evaluated, trained on, fine-tuned from; numbers as they were."""

import glob
import shutil

import pytest
import reading_artefacts as reading
from comparing import assert_same_json, assert_same_rows


def model_main(model_dir, *flags, config=None):
    """In this folder, with nothing but the config that lies beside the model."""
    config = config or f"{model_dir}/pipeline.config"
    arguments = ["--pipeline_config_path", config, "--model_dir", model_dir]
    reading.tool("model_main")(*arguments, "--distribution_strategy", "cpu", *flags)


@pytest.mark.parametrize("name", ["detector_momentum", "detector_adam"])
def test_evaluation_gives_the_same_detections(name):
    """The first with its averaged weights."""
    model_main(
        "results", "--mode", "eval", "--checkpoint_dir", name, config=f"{name}/pipeline.config"
    )
    expected = reading.read_csv(f"expected/{name}.detections.csv")
    assert_same_rows(reading.read_csv("results/detections.csv"), expected)
    metrics = reading.read_json("results/metrics.json")
    assert_same_json(metrics, reading.read_json(f"expected/{name}.metrics.json"))
    assert metrics["step"] == 2 and metrics["mAP"] > 0


@pytest.mark.parametrize("name", ["detector_momentum", "detector_adam"])
def test_training_goes_on_as_it_would_have(name, capsys):
    """Weights, slots, averages and statistics after one step more are those of then."""
    model_dir = shutil.copytree(name, f"{name}_resumed")
    model_main(model_dir, "--override", "train_config.num_steps=3")
    printed = capsys.readouterr().out
    assert "resuming at step 2 from" in printed and "step 3/3" in printed
    found = reading.checkpoint_statistics(f"{model_dir}/ckpt-3")
    expected = reading.read_json(f"expected/{name}.step_3.json.xz")
    assert set(expected) <= set(found)
    for key, (total, size) in expected.items():
        assert found[key][1] == pytest.approx(size, rel=1e-4, abs=1e-7), key
        assert found[key][0] == pytest.approx(total, rel=1e-4, abs=1e-4 * size + 1e-7), key
    assert any("momentum" in key or "/m/" in key for key in expected)
    assert glob.glob(f"{model_dir}/best/*.index")  # the best so far stays


def test_a_classifier_pretrains_a_detector(capsys):
    """train_config.fine_tune_checkpoint; both trunks separable, the detector's cut earlier."""
    model_main(
        "fine_tuned", "--override", "train_config.num_steps=1",
        'train_config.fine_tune_checkpoint="classifier"', config="detector_adam/pipeline.config",
    )  # fmt: skip
    assert "12 variables loaded, 0 new" in capsys.readouterr().out
