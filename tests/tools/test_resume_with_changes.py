"""tools/model_main.py a second time in the same --model_dir, with something changed in between."""

import os
import pathlib
import shutil

import numpy as np
import pytest
import small_records

from avatx.errors import UserError
from avatx.export.exporter import export_pipeline
from tools import model_main

ROOT = pathlib.Path(__file__).parents[2]
MODEL = "model.action_faster_rcnn"
HEAD = f"{MODEL}.second_stage_box_predictor.tx_box_predictor"
ANCHORS = f"{MODEL}.first_stage_anchor_generator.grid_anchor_generator"
SMALL = [
    f"{MODEL}.num_classes=3",
    f"{MODEL}.image_resizer.fixed_shape_resizer.height=48",
    f"{MODEL}.image_resizer.fixed_shape_resizer.width=64",
    f'{MODEL}.trunk.i3d={{final_endpoint: "MaxPool3d_3a_3x3" depth_multiplier: 0.0625}}',
    f"{MODEL}.first_stage_max_proposals=8",
    f"{HEAD}.num_layers=1",
    f"{HEAD}.num_heads=1",
    "train_config.batch_size=2",
    "train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate.warmup_steps=1",
    "train_config.num_steps=2",
]


def write_data(folder, levels=(3, 60, 100), remark=""):
    frames = [small_records.grey_frame(level) for level in np.repeat(levels, 20)]
    keyframes = [small_records.keyframe(second * 1_000_000) for second in (2, 4)]
    film = small_records.segment("film", keyframes, frames=frames, num_frames=60, frame_rate=10.0)
    small_records.write(folder / "train-0.tfrecord", [film])
    items = [f'item {{ name: "class {i}" id: {i} }}\n' for i in (1, 2, 3)]
    (folder / "label_map.pbtxt").write_text(remark + "".join(items))


def start(data, model_dir, *overrides, flags=()):
    readers = [
        f'{reader}.{field}="{data}/{name}"'
        for reader in ("train_input_reader", "eval_input_reader")
        for field, name in (
            ("label_map_path", "label_map.pbtxt"),
            ("tf_record_input_reader.input_path", "train-*.tfrecord"),
        )
    ]
    return model_main.main(
        ["--pipeline_config_path", str(ROOT / "configs" / "playground" / "demo.config")]
        + [*flags, "--model_dir", str(model_dir), "--distribution_strategy", "cpu", "--override"]
        + [*readers, *SMALL, *overrides]
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of data, and a model trained on it for two steps."""
    folder = tmp_path_factory.mktemp("trained")
    write_data(folder)
    start(folder, folder / "model", "train_config.optimizer.use_moving_average=true")
    return folder


@pytest.fixture
def model_dir(trained, tmp_path):
    """A copy of that model."""
    return shutil.copytree(trained / "model", tmp_path / "model")


def content(folder):
    return {path: path.read_bytes() for path in folder.glob("*") if path.is_file()}


MISFITS = {
    "classes": ([f"{MODEL}.num_classes=5"], f"{MODEL}.num_classes is 3 there and 5 here"),
    "trunk": (
        [f"{MODEL}.trunk.movinet={{}}"],
        f"{MODEL}.trunk is i3d there and movinet here",
    ),
    "width": (
        [f"{MODEL}.trunk.i3d.depth_multiplier=0.125"],
        f"{MODEL}.trunk.i3d.depth_multiplier is 0.0625 there and 0.125 here",
    ),
    "anchors": (
        [f"{ANCHORS}.scales=[0.5, 1.0]"],
        f"{ANCHORS}.scales is [0.5, 0.75, 1, 1.5] there and [0.5, 1] here",
    ),
    "optimiser": (
        [
            "train_config.optimizer.momentum_optimizer="
            "{ learning_rate { constant_learning_rate { learning_rate: 0.1 } } }"
        ],
        "train_config.optimizer is adam_optimizer there and momentum_optimizer here",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_misfit_names_the_setting(trained, model_dir, capfd, case):
    overrides, said = MISFITS[case]
    before = content(model_dir)
    with pytest.raises(UserError, match="ckpt-2 does not fit this pipeline.config: ") as raised:
        start(trained, model_dir, "train_config.num_steps=3", *overrides)
    message = str(raised.value)
    assert said in message and "\n" not in message and len(message) < 500
    assert content(model_dir) == before
    assert "could not be found" not in capfd.readouterr().err


@pytest.mark.parametrize("case", ["classes", "trunk"])
def test_so_does_an_evaluation_and_an_export(trained, tmp_path, case):
    overrides, said = MISFITS[case]
    with pytest.raises(UserError, match="ckpt-2 does not fit this pipeline.config: ") as raised:
        start(trained, trained / "model", *overrides, flags=("--mode", "eval"))
    assert said in str(raised.value) and "\n" not in str(raised.value)
    config = str(trained / "model" / "pipeline.config")
    with pytest.raises(UserError, match="ckpt-2 does not fit this pipeline.config: ") as raised:
        export_pipeline(config, str(trained / "model"), str(tmp_path / "export"), overrides)
    assert said in str(raised.value) and not list(tmp_path.iterdir())


UNKNOWN = {
    "classes": r"num_classes: 2 of .*kernel, \[128, 4\] there and \[128, 6\] here;",
    "optimiser": "train_config.optimizer keeps m and v of each weight there and momentum here",
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_without_the_old_settings_the_variables_tell(trained, model_dir, case):
    os.unlink(model_dir / "pipeline.config")
    with pytest.raises(UserError, match=UNKNOWN[case]):
        start(trained, model_dir, "train_config.num_steps=3", *MISFITS[case][0])


@pytest.mark.long
def test_what_changed_is_said_and_goes_on(trained, model_dir, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    write_data(tmp_path / "data", levels=(3, 61, 100), remark="# mended\n")
    capsys.readouterr()
    start(tmp_path / "data", model_dir, "train_config.num_steps=3")
    output = capsys.readouterr().err
    assert "resuming at step 2 from" in output and "step 3/3" in output
    notes = [line for line in output.splitlines() if line.startswith("note: ")]
    assert len(notes) == 3, notes
    assert notes[0] == (
        "note: the moving average is off now: training goes on from the trained weights, the "
        "checkpoint's averages are dropped"
    )
    assert "train_config.optimizer.use_moving_average true -> false" in notes[1]
    assert "train_config.num_steps 2 -> 3" in notes[1]
    assert notes[2] == (
        "note: data changed since the last start here: train_input_reader.label_map_path: of 1 "
        "files 1 changed; train_input_reader.tf_record_input_reader.input_path: of 1 files 1 "
        "changed; eval_input_reader.label_map_path: of 1 files 1 changed; "
        "eval_input_reader.tf_record_input_reader.input_path: of 1 files 1 changed"
    )

    # The same again: nothing changed but the steps. Then nothing is left to do.
    start(tmp_path / "data", model_dir, "train_config.num_steps=4")
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: settings changed since the last start here: train_config.num_steps 3 -> 4"
    ]
    start(tmp_path / "data", model_dir, "train_config.num_steps=3")
    output = capsys.readouterr().err
    assert "is trained to step 4 already, and train_config.num_steps is 3" in output
