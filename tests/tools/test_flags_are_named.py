"""What the library says of its arguments, the tools say of their flags."""

import importlib
import pathlib

import pytest

from avatx.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = str(ROOT / "configs/playground/demo.config")
WRONG = ["--override", "train_config.batchsize=4"]
SHOWN = "--override train_config.batchsize=4: unknown field"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.csv").write_text("v,1,0.1,0.1,0.5,0.5,1,1\n")
    (tmp_path / "found.csv").write_text("v,1,0.1,0.1,0.5,0.5,1,0.9\n")
    (tmp_path / "labels.pbtxt").write_text('item { id: 1 name: "walk" }\n')


AVA = ["--videos", ".", "--annotations", "truth.csv", "--label_map", "labels.pbtxt"]
SHEETS = [
    "--annotations",
    "truth.csv",
    "--detections",
    "found.csv",
    "--label_map",
    "labels.pbtxt",
    "--output",
    "out",
]


@pytest.mark.parametrize(
    "tool, arguments, shown",
    [
        ("check_config", ["--pipeline_config_path", DEMO, *WRONG], SHOWN),
        ("model_main", ["--pipeline_config_path", DEMO, "--model_dir", "m", *WRONG], SHOWN),
        (
            "exporter_main",
            ["--pipeline_config_path", DEMO, "--checkpoint", "m"] + ["--output", "out", *WRONG],
            "--checkpoint",
        ),
        (
            "make_playground",
            ["--output", "out", "--split", "val", "--num_videos", "0"],
            "--num_videos is 0",
        ),
        (
            "create_ava_tfrecord",
            [*AVA, "--output", "out/a", "--num_shards", "1", "--keyframe_seconds", "5", "3"],
            "--keyframe_seconds 5 3: the first is after the last",
        ),
        (
            "create_ava_tfrecord",
            [*AVA, "--output", "out/a", "--num_shards", "0"],
            "--num_shards is 0, expected 1 to",
        ),
        (
            "visualize_detections",
            [*SHEETS, "--videos", ".", "--classes", "5"],
            "--classes: 5 is not in the label map; it has 1",
        ),
        *(
            ("visualize_detections", [*SHEETS, "--videos", ".", flag, "/dev/null"], shown)
            for flag, shown in (
                ("--annotations", "--annotations /dev/null is empty: there is nothing to find"),
                ("--detections", "--detections /dev/null is empty: there is nothing to show"),
            )
        ),
        *(
            (tool, [*SHEETS, *more, *flags], shown)
            for tool, more in (
                ("evaluate_csv", []),
                ("analyze", []),
                ("visualize_detections", ["--videos", "."]),
            )
            for flags, shown in (
                (["--protocol", "AVA"], "--protocol 'AVA' is unknown; known are AVA_2020,"),
                (["--iou_threshold", "2"], "--iou_threshold "),
            )
        ),
    ],
)
def test_a_mistake_names_the_flag(files, tool, arguments, shown):
    main = importlib.import_module(f"tools.{tool}").main
    with pytest.raises(UserError) as error:
        main(arguments)
    assert str(error.value).startswith(shown)
