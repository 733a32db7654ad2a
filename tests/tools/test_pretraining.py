"""Labelled videos to records, to a trained classifier, to classes of a video, by the tools."""

import importlib.util
import json
import pathlib
import re

import numpy as np
import pytest

from avatx import config
from avatx.builders import summary
from avatx.data.records.classification_records import create_classification_records
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = str(ROOT / "configs" / "playground" / "pretrain_i3d.config")
CLASSIFIER = "model.video_classifier."
COLORS = {"blue": (30, 30, 220), "red": (220, 30, 30)}


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two videos of each of two classes, and their records."""
    folder = tmp_path_factory.mktemp("data")
    for name, color in COLORS.items():
        (folder / "videos" / name).mkdir(parents=True)
        for i in range(2):
            with VideoWriter(str(folder / "videos" / name / f"{i}.mp4"), 8, 40, 48) as writer:
                for _ in range(10 + i):
                    writer.write(np.full([40, 48, 3], color, np.uint8))
    create_classification_records(
        output=str(folder / "train"),
        num_shards=1,
        folders=str(folder / "videos"),
        log=lambda line: None,
    )
    return folder


def overrides(data):
    return [
        *(
            f'{reader}.{field}="{data}/{name}"'
            for reader in ("train_input_reader", "eval_input_reader")
            for field, name in (
                ("label_map_path", "train_label_map.pbtxt"),
                ("tf_record_input_reader.input_path", "train-*.tfrecord"),
            )
        ),
        CLASSIFIER + "num_classes=2",
        CLASSIFIER + "trunk.i3d.depth_multiplier=0.0625",
        CLASSIFIER + "image_resizer.fixed_shape_resizer.height=32",
        CLASSIFIER + "image_resizer.fixed_shape_resizer.width=32",
        "train_config.batch_size=2",
        "train_config.num_steps=2",
        "train_config.summary_interval=1",
        "train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate"
        ".warmup_steps=1",
        "eval_config.batch_size=4",
        "eval_config.num_test_clips=2",
        "eval_config.num_test_crops=3",
    ]


def test_records_to_classifier_to_classes(data, tmp_path, capsys):
    model_dir = tmp_path / "model"
    settings = ["--pipeline_config_path", CONFIG, "--override", *overrides(data)]
    tool("model_main")(
        [
            *settings,
            "--model_dir",
            str(model_dir),
            "--mode",
            "train_and_eval",
            "--distribution_strategy",
            "cpu",
        ]
    )
    printed = capsys.readouterr()
    assert "epochs of 4 videos" in printed.err and "step 2/2" in printed.err
    assert printed.out.startswith("evaluation at step 2: top-1 ")
    assert "over 4 videos in 24 views" in printed.out and printed.out.count("\n") == 1
    metrics = json.loads((model_dir / "metrics.json").read_text())
    assert (metrics["step"], metrics["num_videos"], metrics["num_views"]) == (2, 4, 24)
    assert [one["name"] for one in metrics["per_class"].values()] == ["blue", "red"]
    assert (model_dir / "best" / "info.json").exists()

    (data / "names.txt").write_text("blue\nred\n")
    arguments = [
        "--checkpoint",
        str(model_dir),
        "--video",
        str(data / "videos" / "red" / "1.mp4"),
        "--json",
        *settings,
    ]
    answers = []
    for labels in ("names.txt", "train_label_map.pbtxt"):
        tool("classify_video")([*arguments, "--label_map", str(data / labels)])
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1] and answers[0]["num_frames"] == 11
    classes = answers[0]["classes"]
    assert {one["name"] for one in classes} == {"blue", "red"}
    assert sum(one["score"] for one in classes) == pytest.approx(1, abs=1e-5)

    (data / "fewer.txt").write_text("blue\n")
    tool("classify_video")([*arguments, "--label_map", str(data / "fewer.txt")])
    captured = capsys.readouterr()
    assert re.search(r"fewer\.txt: names 1 of the model's 2 classes", captured.err)
    assert {one["name"] for one in json.loads(captured.out)["classes"]} == {"blue", ""}

    (data / "more.txt").write_text("blue\nred\ngreen\n")
    fitting = ["--label_map", str(data / "names.txt")]
    for wrong, words in (
        (["--label_map", str(data / "more.txt")], "largest class id is 3 and the model has 2"),
        ([*fitting, "--top", "-1"], "--top -1: expected 1 or more"),
        ([*fitting, "--max_frames", "0"], "--max_frames 0: expected 1 or more"),
    ):
        with pytest.raises(UserError, match=words):
            tool("classify_video")([*arguments, *wrong])


@pytest.mark.parametrize(
    "path, override, words",
    [
        (
            CONFIG,
            'eval_config.best_checkpoint_metric="mAP"',
            "'mAP' and the model is video_classifier: expected top_1 or top_5",
        ),
        (CONFIG, CLASSIFIER + "dropout=1", "dropout is 1: expected in \\[0, 1\\)"),
        (CONFIG, "eval_config.num_test_clips=0", "num_test_clips is 0: expected in \\[1, 1000\\]"),
        (
            str(ROOT / "configs/playground/demo.config"),
            'eval_config.best_checkpoint_metric="top_1"',
            "'top_1' and the model is action_faster_rcnn: expected mAP",
        ),
    ],
)
def test_mistakes(path, override, words):
    with pytest.raises(UserError) as error:
        config.load(path, [override])
    assert re.search(words, str(error.value)), str(error.value)


def test_summary_of_the_kinetics_config():
    found = summary.summarize(config.load(str(ROOT / "configs/kinetics/i3d_rgb.config")))
    parts = found["parameters"]
    assert parts["total"] == parts["trunk"] + parts["tail"] + parts["logits"] == 12_689_984
    assert found["shapes"]["features"] == [16, 14, 14, 832]
    assert (found["shapes"]["pooled"], found["shapes"]["logits"]) == ([1024], [400])
