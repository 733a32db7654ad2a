"""Every flag of every tool reaches the library, under its own name and nothing else with it.

The library's functions are replaced by ones that write down what they are given. Each flag in turn
is added to a command line; of all that was written down only what is said here may change.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import inspect
import pathlib
import signal
from typing import NamedTuple

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
# Tools of developers, or those that the tests named here run flag by flag.
ELSEWHERE = {
    "analyze": "tests/tools/test_every_evaluation_flag.py",
    "evaluate_csv": "tests/tools/test_every_evaluation_flag.py",
    "shuffle_labels": "tests/tools/test_every_evaluation_flag.py",
    "validate_csv": "tests/tools/test_every_evaluation_flag.py",
    "benchmark_evaluation": "",
    "benchmark_input": "",
    "probe_playground": "",
}


class Kept(NamedTuple):
    """A function of the library that is replaced, and what it gives the tool."""

    module: str
    name: str
    result: object = None


class Tool(NamedTuple):
    base: list  # a command line that works
    kept: list
    flags: dict  # flag -> (its arguments, {what changes: to what})


class Anything:
    """Any attribute, any call."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self, *arguments, **keywords):
        return Anything()

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0

    def __format__(self, spec):
        return ""

    def __truediv__(self, other):
        return self

    def __gt__(self, other):
        return False

    def __lt__(self, other):
        return False

    def __bool__(self):
        return False


class Ended(Exception):
    """The tool has said all that it says to the library."""


ENTRY = {
    "totals": {"keyframes": 1, "records": 1, "bytes": 1},
    "videos": {},
    "shards": [],
    "excluded_keyframes": 0,
    "dropped_rows_of_unknown_classes": {},
    "skipped": [],
}
CONFIG = str(ROOT / "configs/playground/demo.config")


class Classifier:
    class model:
        num_classes, image_size = 2, (32, 48)

    frame_rate = 12.5

    @staticmethod
    def scores(clips):
        raise AssertionError


class FakeAttention:
    num_frames, frame_rate, has_flow, step = 4, 8.0, True, 7

    def look(self, frames, number, box):
        raise AssertionError("replaced")


TOOLS = {
    "create_ava_tfrecord": Tool(
        [
            "--videos",
            "v",
            "--annotations",
            "a.csv",
            "--label_map",
            "m",
            "--output",
            "o/x",
            "--num_shards",
            "3",
        ],
        [Kept("avatx.data.records.ava_records", "create_ava_records", ENTRY)],
        {
            "--videos": (["v1", "v2"], {"videos": ["v1", "v2"]}),
            "--annotations": (["b.csv"], {"annotations": "b.csv"}),
            "--label_map": (["n"], {"label_map": "n"}),
            "--excluded": (["e.csv"], {"excluded": "e.csv"}),
            "--output": (["p/y"], {"output": "p/y"}),
            "--num_shards": (["5"], {"num_shards": 5}),
            "--shorter_side": (["123"], {"settings.shorter_side": 123}),
            "--jpeg_quality": (["77"], {"settings.jpeg_quality": 77}),
            "--seconds_per_record": (["3.5"], {"settings.seconds_per_record": 3.5}),
            "--margin_seconds": (["1.25"], {"settings.margin_seconds": 1.25}),
            "--max_frame_rate": (["12.5"], {"settings.max_frame_rate": 12.5}),
            "--frames_rate": (["6.5"], {"settings.frames_rate": 6.5}),
            "--video_start_seconds": (["900"], {"settings.video_start_seconds": 900.0}),
            "--keyframe_seconds": (["902", "1798"], {"keyframe_seconds": [902, 1798]}),
            "--optical_flow": (["dis"], {"settings.optical_flow": "dis"}),
            "--overwrite": ([], {"overwrite": True}),
        },
    ),
    "create_kinetics_tfrecord": Tool(
        ["--annotations", "a.csv", "--output", "o/x", "--num_shards", "3"],
        [Kept("avatx.data.records.classification_records", "create_classification_records", ENTRY)],
        {
            "--annotations": (["b.csv"], {"annotations": "b.csv"}),
            "--folders": (["f"], {"folders": "f", "annotations": None}),
            "--videos": (["v1", "v2"], {"videos": ["v1", "v2"]}),
            "--label_map": (["m"], {"label_map": "m"}),
            "--output_label_map": (["n"], {"output_label_map": "n"}),
            "--output": (["p/y"], {"output": "p/y"}),
            "--num_shards": (["5"], {"num_shards": 5}),
            "--shorter_side": (["123"], {"settings.shorter_side": 123}),
            "--jpeg_quality": (["77"], {"settings.jpeg_quality": 77}),
            "--frame_rate": (["12.5"], {"settings.max_frame_rate": 12.5}),
            "--frames_rate": (["6.5"], {"settings.frames_rate": 6.5}),
            "--overwrite": ([], {"overwrite": True}),
        },
    ),
    "detect_video": Tool(
        ["--saved_model", "m", "--video", "v", "--output", "o"],
        [
            Kept("avatx.inference.detector", "Detector", Anything()),
            Kept("avatx.inference.video_detection", "detect_video", Anything()),
            Kept("avatx.inference.video_detection", "check_options"),
        ],
        {
            "--saved_model": (["n"], {"Detector.path": "n"}),
            "--video": (["w"], {"detect_video.video": "w"}),
            "--output": (["p"], {"detect_video.output_directory": "p"}),
            **{
                f"--{name}": (
                    [str(value)],
                    {f"detect_video.{name}": value, f"check_options.{name}": value},
                )
                for name, value in (
                    ("score_threshold", 0.125),
                    ("every", 2.5),
                    ("frames_rate", 6.5),
                    ("shorter_side", 123),
                    ("max_frame_rate", 12.5),
                    ("optical_flow", "farneback"),
                    ("batch_size", 7),
                )
            },
            "--groundtruth": (["g.csv"], {"detect_video.groundtruth": "g.csv"}),
            "--attention": ([], {"detect_video.attention": True}),
        },
    ),
    "classify_video": Tool(
        ["--checkpoint", "c", "--video", "v", "--label_map", "MAP"],
        [
            Kept("avatx.trained.classifier", "restore_classifier", Classifier()),
            Kept(
                "avatx.inference.video_classification",
                "classify",
                (np.array([0.25, 0.75]), 8, None),
            ),
        ],
        {
            "--checkpoint": (["d"], {"restore_classifier.checkpoint": "d"}),
            "--pipeline_config_path": (["p"], {"restore_classifier.pipeline_config_path": "p"}),
            "--override": (["a=1", "b=2"], {"restore_classifier.overrides": ["a=1", "b=2"]}),
            "--video": (["w"], {"classify.path": "w"}),
            "--label_map": (["OTHER_MAP"], {"printed": "0.75000     2  walk\n0.25000     1  run"}),
            "--top": (["1"], {"printed": "0.75000     2  stand"}),
            "--max_frames": (["99"], {"classify.max_frames": 99}),
            "--json": (
                [],
                {
                    "printed": """{
  "num_frames": 8,
  "stopped": null,
  "classes": [
    {
      "id": 2,
      "name": "stand",
      "score": 0.75
    },
    {
      "id": 1,
      "name": "sit",
      "score": 0.25
    }
  ]
}"""
                },
            ),
        },
    ),
    "exporter_main": Tool(
        ["--pipeline_config_path", "p", "--trained_checkpoint_dir", "c", "--output_directory", "o"],
        [Kept("avatx.export.exporter", "export_pipeline", Anything())],
        {
            "--pipeline_config_path": (["q"], {0: "q"}),
            "--trained_checkpoint_dir": (["d"], {1: "d"}),
            "--output_directory": (["r"], {2: "r"}),
            "--override": (["a=1", "b=2"], {3: ["a=1", "b=2"]}),
            "--attention": ([], {4: True}),
        },
    ),
    "import_i3d_weights": Tool(
        ["--source", "s", "--output", "o"],
        [
            Kept(
                "avatx.checkpoints.i3d_weights",
                "import_weights",
                {
                    "loaded": ["x"],
                    "missing": [],
                    "unused": [],
                    "output": "o",
                    "modality": "rgb",
                    "source": "s",
                    "sha256": "",
                    "num_parameters": 1,
                    "num_moving_statistics": 1,
                },
            )
        ],
        {
            "--source": (["t"], {0: "t"}),
            "--output": (["p"], {1: "p"}),
            "--json": ([], {"printed": ...}),
        },
    ),
    "check_config": Tool(
        ["--pipeline_config_path", "p"],
        [
            Kept("avatx.config", "load", "LOADED"),
            Kept("avatx.builders.summary", "summarize", {"a": 1}),
            Kept("avatx.builders.summary", "print_table"),
        ],
        {
            "--pipeline_config_path": (["q"], {"load.path": "q"}),
            "--override": (["a=1", "b=2"], {"load.overrides": ["a=1", "b=2"]}),
            "--json": ([], {"printed": '{\n  "a": 1\n}', "print_table.summary": None}),
        },
    ),
    "model_main": Tool(
        ["--pipeline_config_path", CONFIG, "--model_dir", "d"],
        [
            Kept("avatx.config", "load", Anything()),
            Kept("avatx.builders.experiment_builder", "build", "EXPERIMENT"),
            Kept("avatx.training.run", "train"),
            Kept("avatx.training.run", "train_and_eval"),
            Kept("avatx.training.run", "evaluate"),
            Kept("avatx.training.run", "evaluate_continuously"),
        ],
        {
            "--pipeline_config_path": (["q"], {"load.path": "q"}),
            "--model_dir": (["e"], {"build.model_dir": "e"}),
            "--mode": (
                ["train_and_eval"],
                {"train.experiment": None, "train_and_eval.experiment": "EXPERIMENT"},
            ),
            "--checkpoint_dir": (
                ["c"],
                {
                    "train.experiment": None,
                    "evaluate_continuously.experiment": "EXPERIMENT",
                    "evaluate_continuously.checkpoint_dir": "c",
                    "evaluate_continuously.timeout": 3600.0,
                },
            ),
            "--eval_timeout": (
                ["5", "--checkpoint_dir", "c"],
                {
                    "train.experiment": None,
                    "evaluate_continuously.experiment": "EXPERIMENT",
                    "evaluate_continuously.checkpoint_dir": "c",
                    "evaluate_continuously.timeout": 5.0,
                },
            ),
            "--override": (["a=1", "b=2"], {"load.overrides": ["a=1", "b=2"]}),
            "--distribution_strategy": (["cpu"], {"build.distribution_strategy": "cpu"}),
        },
    ),
    "make_playground": Tool(
        ["--output", "o", "--split", "train", "--num_videos", "3"],
        [
            Kept("avatx.playground", "generate", Anything()),
            Kept("avatx.playground", "generate_actions", {}),
        ],
        {
            "--output": (["p"], {"generate.0": "p"}),
            "--split": (["val"], {"generate.1": "val"}),
            "--num_videos": (["5"], {"generate.2": 5}),
            "--seed": (["7"], {"generate.3": 7}),
            "--num_workers": (["2"], {"generate.num_workers": 2}),
            "--kind": (
                ["actions"],
                {
                    **{f"generate.{name}": None for name in (0, 1, 2, 3, "show_progress")},
                    "generate_actions.0": "o",
                    "generate_actions.1": "train",
                    "generate_actions.2": 3,
                    "generate_actions.3": 0,
                    "generate_actions.show_progress": True,
                    "printed": ...,
                },
            ),
        },
    ),
    "visualize_detections": Tool(
        [
            "--groundtruth",
            "g",
            "--detections",
            "d",
            "--label_map",
            "MAP",
            "--videos",
            "v",
            "--output",
            "o",
        ],
        [
            Kept("avatx.data.annotations.ava_csv", "read_annotations", "ANNOTATIONS"),
            Kept("avatx.data.annotations.ava_csv", "read_detections", "DETECTIONS"),
            Kept("avatx.data.annotations.ava_csv", "read_excluded_timestamps", "EXCLUDED"),
            Kept("avatx.data.input.clip_source", "check_options"),
            Kept("avatx.data.input.clip_source", "make_source", "SOURCE"),
            Kept("avatx.evaluation.examples", "find_examples", []),
            Kept("avatx.pictures.detection_sheets", "write_sheets", []),
        ],
        {
            "--groundtruth": (["h"], {"read_annotations.path": "h"}),
            "--detections": (["e"], {"read_detections.path": "e"}),
            "--label_map": (
                ["OTHER_MAP"],
                {
                    "find_examples.label_map.names": {1: "run", 2: "walk"},
                    "write_sheets.class_names": {1: "run", 2: "walk"},
                },
            ),
            "--excluded": (
                ["x"],
                {"read_excluded_timestamps.path": "x", "find_examples.excluded": "EXCLUDED"},
            ),
            "--videos": (["v1", "v2"], {"make_source.videos": ["v1", "v2"]}),
            "--records": (["r"], {"make_source.records": ["r"]}),
            "--output": (["p"], {"write_sheets.folder": "p"}),
            "--classes": (["2", "1"], {"find_examples.classes": [2, 1]}),
            "--top": (["4"], {"find_examples.count": 4}),
            "--seconds": (
                ["2", "-0.5"],
                {"check_options.seconds": [2, -0.5], "write_sheets.seconds": [-0.5, 0, 2]},
            ),
            "--protocol": (["AVA_2018"], {"find_examples.protocol": "AVA_2018"}),
            "--iou_threshold": (["0.75"], {"find_examples.iou_threshold": 0.75}),
            "--shorter_side": (
                ["123"],
                {"check_options.shorter_side": 123, "make_source.shorter_side": 123},
            ),
            "--frames_rate": (
                ["6.5"],
                {"check_options.frames_rate": 6.5, "make_source.frames_rate": 6.5},
            ),
            "--video_start_seconds": (
                ["900"],
                {"check_options.start": 900.0, "make_source.start": 900.0},
            ),
        },
    ),
}

VISUAL = "avatx.figures"
TOOLS["visualize_attention"] = Tool(
    [
        "--pipeline_config_path",
        "p",
        "--checkpoint",
        "c",
        "--video",
        "v.mp4",
        "--timestamp",
        "4",
        "--output",
        "o",
    ],
    [
        Kept(f"{VISUAL}.clip_source", "check_options"),
        Kept(f"{VISUAL}.attention_model", "AttentionModel", FakeAttention()),
        Kept(f"{VISUAL}.clip_source", "frames_of_video", Anything()),
        Kept(f"{VISUAL}.clip_source", "RecordClips", Anything()),
        Kept(f"{__name__}", "FakeAttention.look", Anything()),
        Kept(f"{VISUAL}.attention_figure", "AttentionFigure", Anything()),
    ],
    {
        "--pipeline_config_path": (["q"], {"AttentionModel.pipeline_config_path": "q"}),
        "--checkpoint": (["d"], {"AttentionModel.checkpoint": "d"}),
        "--video": (
            ["w.mp4"],
            {"frames_of_video.path": "w.mp4", "AttentionFigure.title": "w, 4 s"},
        ),
        "--records": None,  # in place of a video: below
        "--video_id": (["id"], {"AttentionFigure.title": "id, 4 s"}),
        "--timestamp": (
            ["2.5"],
            {
                "check_options.seconds": [2.5],
                "frames_of_video.keyframe": 2_500_000,
                "AttentionFigure.title": "v, 2.5 s",
            },
        ),
        "--person": (["3"], {"look.number": 3}),
        "--output": (["r"], {"printed": ...}),
        "--shorter_side": (
            ["123"],
            {"check_options.shorter_side": 123, "frames_of_video.shorter_side": 123},
        ),
        "--frames_rate": (
            ["6.5"],
            {"check_options.frames_rate": 6.5, "frames_of_video.frames_rate": 6.5},
        ),
        "--video_start_seconds": (
            ["900"],
            {"check_options.start": 900.0, "frames_of_video.start": 900.0},
        ),
        "--optical_flow": (["farneback"], {"frames_of_video.optical_flow": "farneback"}),
        "--max_frame_rate": (
            ["12.5"],
            {"check_options.max_frame_rate": 12.5, "frames_of_video.max_frame_rate": 12.5},
        ),
        "--override": (["a=1", "b=2"], {"AttentionModel.overrides": ["a=1", "b=2"]}),
    },
)


def load(name):
    spec = importlib.util.spec_from_file_location(f"{name}_tool", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(value):
    """As it can be compared."""
    if hasattr(value, "names"):
        return dict(value.names)
    if isinstance(value, (tuple, list)):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def write_down(told, name, function, result, single):
    """A function that notes its arguments in `told` and gives `result`."""
    if inspect.isclass(function):
        function = function.__init__
    try:
        names = [one for one in inspect.signature(function).parameters if one != "self"]
    except (TypeError, ValueError):
        names = []

    def replacement(*arguments, **keywords):
        given = dict(zip(names, arguments, strict=True)) if names else {}
        for key, value in {**given, **keywords}.items():
            head = key if single else f"{name}.{key}"
            if dataclasses.is_dataclass(value) and not isinstance(value, type):
                for field in dataclasses.fields(value):
                    told[f"{head}.{field.name}"] = getattr(value, field.name)
            elif not callable(value) and type(value) is not object:
                told[head] = plain(value)
        for place, value in enumerate(arguments):
            told[place if single else f"{name}.{place}"] = plain(value)
        return result

    return replacement


def run(name, arguments, monkeypatch, capsys, folder):
    """{what: value} of all that the library was told, and what was printed."""
    tool, told = TOOLS[name], {}
    monkeypatch.chdir(folder)
    module = load(name)
    for kept in tool.kept:
        owner, attribute = importlib.import_module(kept.module), kept.name
        if "." in attribute:
            owner, attribute = FakeAttention, "look"
        function = getattr(owner, attribute)
        made = write_down(told, attribute, function, kept.result, len(tool.kept) == 1)
        if owner is FakeAttention:
            made = staticmethod(made)
        monkeypatch.setattr(owner, attribute, made)
    capsys.readouterr()
    previous = signal.getsignal(signal.SIGTERM)
    try:
        assert module.main(arguments) == 0
    finally:
        signal.signal(signal.SIGTERM, previous)
    told["printed"] = capsys.readouterr().out.strip()
    return told


@pytest.fixture
def folder(tmp_path):
    for name, text in (("MAP", "sit stand"), ("OTHER_MAP", "run walk")):
        items = [f'item {{ name: "{one}" id: {i} }}' for i, one in enumerate(text.split(), 1)]
        (tmp_path / name).write_text("\n".join(items))
    return tmp_path


CASES = [(name, flag) for name, tool in TOOLS.items() for flag, one in tool.flags.items() if one]


@pytest.mark.parametrize("name, flag", CASES, ids=lambda value: value.lstrip("-"))
def test_a_flag(name, flag, monkeypatch, capsys, folder):
    tool = TOOLS[name]
    values, expected = tool.flags[flag]
    base = tool.base
    plain_run = run(name, base, monkeypatch, capsys, folder)
    if flag == "--folders":  # in place of --annotations
        base = base[2:]
    monkeypatch.undo()
    changed = run(name, [*base, flag, *values], monkeypatch, capsys, folder)
    keys = set(plain_run) | set(changed)
    found = {
        key: changed.get(key) for key in keys if not same(plain_run.get(key), changed.get(key))
    }
    if "printed" not in expected:
        found.pop("printed", None)
    elif expected["printed"] is ...:
        assert found.pop("printed") != plain_run["printed"]
    expected = {key: value for key, value in expected.items() if value is not ...}
    for key in list(found):  # an argument by its place is told by its name already
        if str(key).rpartition(".")[2].isdigit() and key not in expected:
            del found[key]
    for key in [key for key in found if f"{key}" not in {str(one) for one in expected}]:
        if name in ("exporter_main", "import_i3d_weights", "make_playground"):
            del found[key]  # told by its place there
    assert found == expected


def same(one, other) -> bool:
    try:
        return bool(one == other)
    except ValueError:
        return np.array_equal(one, other)


class Parsed(Exception):
    pass


def flags_of(name, monkeypatch):
    found = []

    def parse(self, *_, **__):
        found.extend(action.option_strings[-1] for action in self._actions if action.dest != "help")
        raise Parsed

    for method in ("parse_args", "parse_known_args"):
        monkeypatch.setattr(argparse.ArgumentParser, method, parse)
    with pytest.raises(Parsed):
        load(name).main([])
    return found


@pytest.mark.parametrize("name", TOOLS)
def test_no_flag_is_forgotten(name, monkeypatch):
    assert sorted(flags_of(name, monkeypatch)) == sorted(TOOLS[name].flags)


def test_no_tool_is_forgotten():
    tools = {path.stem for path in (ROOT / "tools").glob("[a-z]*.py")}
    others = {"demo", "reproduce"}  # below, and tests/reproduction
    assert tools == {*TOOLS, *ELSEWHERE, *others}
    for path in filter(None, ELSEWHERE.values()):
        assert (ROOT / path).exists()


def test_attention_from_records(monkeypatch, capsys, folder):
    base = [*TOOLS["visualize_attention"].base]
    at = base.index("--video")
    base[at : at + 2] = ["--records", "r1", "r2", "--video_id", "film"]
    told = run("visualize_attention", base, monkeypatch, capsys, folder)
    assert told["RecordClips.patterns"] == ["r1", "r2"]
    assert told["RecordClips.has_flow"] is True
    assert told["AttentionFigure.title"] == "film, 4 s"
    assert "frames_of_video.path" not in told


def test_a_person_is_a_number_or_a_box():
    parse = load("visualize_attention").parse_person
    assert parse("3") == (3, None)
    assert parse("0.1,0.2,0.6,0.9") == (1, [0.2, 0.1, 0.9, 0.6])
    from avatx.errors import UserError

    for text in ("0.5", "x", "0.6,0.2,0.1,0.9", "0.1,0.9,0.6,0.2", "0,0,1.01,1", "1,2,3"):
        with pytest.raises(UserError, match="--person"):
            parse(text)


def test_beam_s_own_arguments_are_passed_on(monkeypatch, capsys, folder):
    for name in ("create_ava_tfrecord", "create_kinetics_tfrecord"):
        base = [*TOOLS[name].base, "--direct_num_workers=2", "--runner", "x"]
        told = run(name, base, monkeypatch, capsys, folder)
        assert told["beam_arguments"] == ["--direct_num_workers=2", "--runner", "x"]
        monkeypatch.undo()


def steps_of(name, arguments, monkeypatch):
    """The command lines that a tool of several steps would run."""
    module, lines = load(name), []
    monkeypatch.setattr(module, "step", lambda result, *line: lines.append(list(map(str, line))))
    with pytest.raises(FileNotFoundError):  # the first thing that no step has made
        module.main(arguments)
    return lines


def value_after(line, flag):
    return line[line.index(flag) + 1]


def test_the_demo_s_flags(monkeypatch, tmp_path):
    lines = steps_of(
        "demo",
        [
            "--output",
            str(tmp_path / "o"),
            "--pipeline_config_path",
            "mine.config",
            "--train_videos",
            "5",
            "--val_videos",
            "3",
            "--override",
            "a=1",
            "b=2",
        ],
        monkeypatch,
    )
    made = {
        value_after(line, "--split"): value_after(line, "--num_videos")
        for line in lines
        if line[0] == "make_playground.py"
    }
    assert made == {"train": "5", "val": "3"}
    seeds = [value_after(line, "--seed") for line in lines if line[0] == "make_playground.py"]
    assert seeds == ["1", "2"]
    (training,) = [line for line in lines if line[0] == "model_main.py"]
    assert value_after(training, "--pipeline_config_path") == "mine.config"
    overrides = training[training.index("--override") + 1 :]
    assert overrides[-2:] == ["a=1", "b=2"]
    data = tmp_path / "o" / "data"
    for reader, split in (("train", "train"), ("eval", "val")):
        key = f"{reader}_input_reader"
        assert f"{key}.label_map_path={data / 'label_map.pbtxt'}" in overrides
        pattern = data / f"{split}-*.tfrecord"
        assert f"{key}.tf_record_input_reader.input_path={pattern}" in overrides
    for line in lines:
        assert str(tmp_path / "o") in " ".join(line)
