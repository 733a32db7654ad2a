"""tools/model_main.py on records of the real schema, as a user runs it."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from small_pipeline import SMALL

from avatx.data.records import record
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Records of one video with five keyframes, and a label map."""
    folder = tmp_path_factory.mktemp("data")
    noise = np.random.default_rng(0)
    frames = [
        tf.io.encode_jpeg(noise.integers(0, 255, [48, 64, 3], np.uint8)).numpy() for _ in range(60)
    ]
    keyframes = [
        record.Keyframe(
            timestamp=second * 1_000_000,
            boxes=np.array([[0.1, 0.2, 0.8, 0.6]], np.float32),
            class_ids=np.array([1 + second % 3]),
            class_names=[""],
            person_ids=np.array([0]),
        )
        for second in range(1, 6)
    ]
    with tf.io.TFRecordWriter(str(folder / "train-0.tfrecord")) as writer:
        writer.write(
            record.encode(
                record.Segment(
                    video_id="film",
                    start=-10_000_000,
                    end=20_000_000,
                    height=48,
                    width=64,
                    frame_rate=10.0,
                    timestamps=np.arange(60) * 100_000,
                    frames=frames,
                    keyframes=keyframes,
                )
            )
        )
    (folder / "label_map.pbtxt").write_text(
        "".join(f'item {{ name: "class {i}" id: {i} }}\n' for i in (1, 2, 3))
    )
    return folder


def arguments(data, model_dir, *flags, override=()):
    readers = [
        f'{reader}.{field}="{data}/{name}"'
        for reader in ("train_input_reader", "eval_input_reader")
        for field, name in (
            ("label_map_path", "label_map.pbtxt"),
            ("tf_record_input_reader.input_path", "train-*.tfrecord"),
        )
    ]
    config = ROOT / "configs" / "playground" / "demo.config"
    return [
        "--pipeline_config_path",
        str(config),
        "--model_dir",
        str(model_dir),
        *flags,
        "--distribution_strategy",
        "cpu",
        "--override",
        *readers,
        *SMALL,
        *override,
    ]


def in_own_process(*argv):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "model_main.py"), *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


@pytest.fixture(scope="module")
def main():
    """The tool's `main`, for what needs no process of its own."""
    spec = importlib.util.spec_from_file_location("model_main", ROOT / "tools" / "model_main.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_train_then_train_and_evaluate_on_and_evaluate_beside(data, main, tmp_path, capsys):
    model_dir = tmp_path / "model"
    done = in_own_process(*arguments(data, model_dir))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-3000:]
    assert "Unable to register" not in done.stderr and "WARNING" not in done.stderr
    assert "5 keyframes" in done.stderr and "step 3/3" in done.stderr
    assert {"ckpt-2.index", "ckpt-3.index", "checkpoint", "pipeline.config", "train"} <= set(
        os.listdir(model_dir)
    )
    assert "num_steps: 3" in (model_dir / "pipeline.config").read_text()

    longer = ["train_config.num_steps=4"]
    main(arguments(data, model_dir, "--mode", "train_and_eval", override=longer))
    assert "resuming at step 3 from" in capsys.readouterr().err
    assert "num_steps: 4" in (model_dir / "pipeline.config").read_text()
    metrics = json.loads((model_dir / "metrics.json").read_text())
    assert metrics["step"] == 4 and metrics["num_classes_with_groundtruth"] == 3
    assert (model_dir / "best" / "checkpoint").exists()

    beside = tmp_path / "beside"
    flags = ["--checkpoint", str(model_dir), "--eval_timeout", "60"]
    main(arguments(data, beside, *flags, override=longer))
    for name in ("metrics.json", "detections.csv"):
        assert (beside / name).read_text() == (model_dir / name).read_text()


def test_a_model_dir_that_is_a_file_stays_one(data, main, tmp_path):
    path = tmp_path / "model"
    path.write_text("mine")
    with pytest.raises(UserError, match="^--model_dir .*model: .*model is a file; expected"):
        main(arguments(data, path))
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    "flags, override, named",
    [
        (["--checkpoint", "x", "--mode", "train"], [], "--checkpoint"),
        (["--mode", "eval"], [], "--model_dir"),
        (["--distribution_strategy", "tpu"], [], "tpu"),
        ([], ["train_config.gradient_accumulation_steps=4"], "gradient_accumulation_steps is 4"),
        ([], ['train_config.fine_tune_checkpoint="nowhere"'], "nowhere"),
        ([], ['train_input_reader.tf_record_input_reader.input_path="nowhere/*"'], "nowhere"),
    ],
)
def test_mistakes(data, main, tmp_path, flags, override, named):
    argv = arguments(data, tmp_path / "model", override=override)
    with pytest.raises(UserError, match=named) as raised:
        main(argv + flags)  # of a flag given twice the last one counts
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob("model/*ckpt*"))


def test_a_mistake_is_one_line_on_stderr(data, tmp_path):
    wrong = ['train_config.fine_tune_checkpoint="nowhere"']
    done = in_own_process(*arguments(data, tmp_path / "model", override=wrong))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr


@pytest.mark.parametrize(
    "mode, override, named",
    [
        ("train", 'train_input_reader.tf_record_input_reader.input_path="gone/*"', "gone/"),
        ("train", 'train_config.fine_tune_checkpoint="gone/i3d"', "fine_tune_checkpoint = 'gone"),
        ("train_and_eval", 'eval_input_reader.tf_record_input_reader.input_path="gone/*"', "gone"),
        ("train_and_eval", 'eval_config.groundtruth_path="gone.csv"', "groundtruth_path = 'gone"),
        ("train_and_eval", 'eval_config.excluded_timestamps_path="gone.csv"', "excluded_"),
    ],
)
def test_a_wrong_path_is_said_before_anything_is_built_or_written(
    data, main, tmp_path, monkeypatch, mode, override, named
):
    monkeypatch.chdir(tmp_path)

    def build(*_):
        raise AssertionError("a model was built")

    monkeypatch.setattr("avatx.builders.model_builder.build", build)
    with pytest.raises(UserError) as raised:
        main(arguments(data, tmp_path / "model", "--mode", mode, override=[override]))
    message = str(raised.value)
    assert named in message and f"(relative to the current folder, {tmp_path})" in message
    assert os.listdir(tmp_path) == []


def test_a_wrong_path_that_the_run_does_not_read_is_none(data, main, tmp_path):
    gone = 'eval_input_reader.tf_record_input_reader.input_path="gone/*"'
    main(arguments(data, tmp_path / "model", override=[gone, "train_config.num_steps=2"]))
