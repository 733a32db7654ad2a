"""Checkpoints of an older commit: trained on and fine-tuned from, to the numbers of then."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import reading_artefacts as reading

MODEL_MAIN = pathlib.Path(__file__).parents[2] / "tools" / "model_main.py"


@pytest.mark.parametrize(
    "name", ["detector_momentum", pytest.param("detector_adam", marks=pytest.mark.long)]
)
def test_training_goes_on_as_it_would_have(name):
    """Weights, slots, averages and statistics after one step more are those of then.

    Which were computed without oneDNN: with it, sums come out otherwise by up to 2e-4.
    """
    model_dir = shutil.copytree(name, f"{name}_resumed")
    trained = subprocess.run(
        [
            *(sys.executable, MODEL_MAIN, "--distribution_strategy", "cpu"),
            *("--pipeline_config_path", f"{model_dir}/pipeline.config", "--model_dir", model_dir),
            *("--override", "train_config.num_steps=3"),
        ],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
    printed = trained.stderr
    assert "resuming at step 2 from" in printed and "step 3/3" in printed
    found = reading.checkpoint_statistics(f"{model_dir}/ckpt-3")
    expected = reading.read_json(f"expected/{name}.step_3.json.xz")
    slots = {key.rsplit("/", 1)[-1] for key in expected if ".OPTIMIZER_SLOT" in key}
    assert slots == ({"momentum", "average"} if name == "detector_momentum" else {"m", "v"})
    assert set(expected) <= set(found)
    for key, (total, size) in expected.items():
        assert found[key][1] == pytest.approx(size, rel=1e-4, abs=1e-7), key
        assert found[key][0] == pytest.approx(total, rel=1e-4, abs=1e-4 * size + 1e-7), key


def test_a_classifier_pretrains_a_detector():
    """train_config.fine_tune_checkpoint; both trunks are separable, the detector's ends earlier."""
    model, lines = reading.start_training(
        "detector_adam/pipeline.config", 'train_config.fine_tune_checkpoint="classifier"'
    )
    # 1 x 7 x 7, 7 x 1 x 1; 1 x 1 x 1; 1 x 3 x 3, 3 x 1 x 1: a kernel, an offset, 2 statistics each.
    assert "20 variables loaded, 0 new" in lines[0]
    assert_from(model, reading.checkpoint_variables("classifier/ckpt-2"), "model/trunk/", 20)


def test_a_detector_fine_tunes_another_of_more_classes():
    """From the averaged weights, as what is evaluated and exported."""
    model, lines = reading.start_training(
        "detector_momentum/pipeline.config",
        "model.action_faster_rcnn.num_classes=6",
        'train_config.fine_tune_checkpoint="detector_momentum"',
        "train_config.fine_tune_checkpoint_type=detection",
    )
    assert " 2 new" in lines[0]  # the classes' kernel and bias
    held = reading.checkpoint_variables("detector_momentum/ckpt-2")
    averages = {
        key.partition("/.OPTIMIZER_SLOT")[0]: value
        for key, value in held.items()
        if key.endswith("/average")
    }
    assert_from(model, {**held, **averages}, "model/trunk/", 12)
    assert_from(model, {**held, **averages}, "model/proposal_stage/", 6)


def assert_from(model, held, part, count):
    """The `count` variables of a part of a model are those of a checkpoint."""
    found = {
        key: value for key, value in reading.model_variables(model).items() if key.startswith(part)
    }
    assert len(found) == count
    for key, value in found.items():
        np.testing.assert_array_equal(value, held[key], err_msg=key)
