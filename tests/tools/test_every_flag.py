"""Every flag of every tool reaches the library, under its own name and nothing else with it.

The library's functions are replaced by ones that write down what they are given. Each flag in turn
is added to a command line; of all that was written down only what is said here may change.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import inspect
import json
import pathlib
import signal

import numpy as np
import pytest
from flags_of_attention import ATTENTION_TOOLS, FakeAttention
from flags_of_tools import OTHER_TOOLS, TRAINED

TOOLS = OTHER_TOOLS | ATTENTION_TOOLS
ROOT = pathlib.Path(__file__).parents[2]
# The tests named here run these flag by flag.
ELSEWHERE = {
    "analyze": "tests/tools/test_every_evaluation_flag.py",
    "evaluate_csv": "tests/tools/test_every_evaluation_flag.py",
    "validate_csv": "tests/tools/test_every_evaluation_flag.py",
    "convert_config": "tests/config/test_detection_api.py",
    "import_annotations": "tests/importing/test_importing.py",
    "init_project": "tests/project/test_project.py",
}


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


def expanded(head, value):
    """(name, value) of an argument; of a dataclass, of each of its fields, nested ones too."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from expanded(f"{head}.{field.name}", getattr(value, field.name))
    elif not callable(value) and type(value) is not object:
        yield head, plain(value)


def named(parameters, arguments):
    """{parameter: argument} of those given by place; `*rest` has all that are left."""
    given = dict(zip(parameters, arguments, strict=False))
    for place, (name, parameter) in enumerate(parameters.items()):
        if parameter.kind is parameter.VAR_POSITIONAL:
            given[name] = arguments[place:]
    return given


def write_down(told, name, function, result, single):
    """A function that notes its arguments in `told` and gives `result`."""
    if inspect.isclass(function):
        function = function.__init__
    try:
        parameters = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        parameters = {}
    parameters.pop("self", None)

    def replacement(*arguments, **keywords):
        for key, value in {**named(parameters, arguments), **keywords}.items():
            told.update(expanded(key if single else f"{name}.{key}", value))
        for place, value in enumerate(arguments):
            told[place if single else f"{name}.{place}"] = plain(value)
        return result

    return replacement


def run(name, arguments, monkeypatch, capsys, folder, exit_code=0):
    """{what: value} of all that the library was told, what was printed, and the exit code."""
    tool, told = TOOLS[name], {"exit_code": exit_code}
    monkeypatch.chdir(folder)
    for model in ("m", "n"):  # whether a SavedModel is there is asked before it is loaded
        (folder / model).mkdir(exist_ok=True)
    (folder / "b.csv").touch()
    # Whether the inputs are there is asked before the library is called.
    monkeypatch.setattr("avatx.data.video.video_reader.check_video", lambda path: None)
    monkeypatch.setattr("avatx.inference.video_search.find_videos", lambda items: None)
    monkeypatch.setattr("avatx.data.annotations.ava_csv.read_annotations", lambda path: None)
    monkeypatch.setattr(
        "avatx.inference.boxes_of_video.BoxesSettings.of_video", lambda settings, video_id: None
    )
    monkeypatch.setattr("avatx.inference.detector.signatures_at", lambda path: None)
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
        assert module.main(arguments) == exit_code
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
    exit_code = expected.get("exit_code", 0)
    changed = run(name, [*base, flag, *values], monkeypatch, capsys, folder, exit_code)
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


# None: run where its results are real.
@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.flags.get("--json")])
def test_json_is_all_that_is_printed(name, monkeypatch, capsys, folder):
    told = run(name, [*TOOLS[name].base, "--json"], monkeypatch, capsys, folder)
    assert isinstance(json.loads(told["printed"]), dict)


def same(one, other) -> bool:
    try:
        return bool(one == other)
    except ValueError:
        return np.array_equal(one, other)


class Parsed(Exception):
    pass


def flags_of(name, monkeypatch):
    """Every spelling of every flag."""
    found = []

    def parse(self, *_, **__):
        for action in self._actions:
            found.extend(action.option_strings if action.dest not in ("help", "debug") else ())
        found.extend(getattr(self, "older", ()))
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
    # Below, tests/reproduction, tests/kinetics.
    others = {"demo", "reproduce", "demo_real"}
    assert tools == {*TOOLS, *ELSEWHERE, *others}
    for path in ELSEWHERE.values():
        assert (ROOT / path).exists()


def test_what_a_model_was_trained_with_is_kept(monkeypatch, capsys, folder):
    told = run("classify_video", TOOLS["classify_video"].base, monkeypatch, capsys, folder)
    assert told["classify.frame_settings"] == TRAINED
    monkeypatch.undo()
    expected = {
        "shorter_side": 111,
        "folder_frame_rate": 21.5,
        "max_frame_rate": 17.5,
        "optical_flow": "dis",
        "video_start_seconds": 0.0,
    }
    for name, function in (
        ("detect_video", "detect_video"),
        ("visualize_attention", "frames_of_video"),
    ):
        told = run(name, TOOLS[name].base, monkeypatch, capsys, folder)
        prefix = f"{function}.frame_settings."
        found = {key: value for key, value in told.items() if key.startswith(prefix)}
        assert found == {f"{prefix}{key}": value for key, value in expected.items()}
        monkeypatch.undo()


def test_only_of_kinetics_are_the_names_of_classes_known(monkeypatch, capsys, folder):
    from avatx.errors import UserError

    class Of400:
        class model:
            num_classes, image_size = 400, (32, 48)

        trained, frame_rate, scores = TOOLS["classify_video"].kept[0].result.trained, 25.0, None

    tool = TOOLS["classify_video"]
    restored = tool.kept[0]._replace(result=Of400)
    classified = tool.kept[1]._replace(result=(np.eye(400)[5], 8, None))
    base = tool.base[: tool.base.index("--label_map")]
    monkeypatch.setitem(TOOLS, "classify_video", tool._replace(kept=[restored, classified]))
    told = run("classify_video", [*base, "--top", "1"], monkeypatch, capsys, folder)
    assert told["printed"] == "1.00000     6  archery"
    with pytest.raises(UserError, match="--label_map is missing"):
        run("classify_video", [*base, "--pipeline_config_path", "p"], monkeypatch, capsys, folder)


def test_attention_from_records(monkeypatch, capsys, folder):
    base = [*TOOLS["visualize_attention"].base]
    at = base.index("--video")
    base[at : at + 2] = ["--records", "r1", "r2", "--video_id", "film"]
    told = run("visualize_attention", base, monkeypatch, capsys, folder)
    assert told["RecordClips.patterns"] == ["r1", "r2"]
    assert told["RecordClips.has_flow"] is True
    assert told["AttentionFigure.title"] == "film, 4 s"
    assert "frames_of_video.path" not in told


def test_measured_attention_from_records(monkeypatch, capsys, folder):
    base = [*TOOLS["measure_attention"].base]
    at = base.index("--videos")
    base[at : at + 2] = ["--records", "r1", "r2"]
    told = run("measure_attention", base, monkeypatch, capsys, folder)
    assert told["RecordClips.patterns"] == ["r1", "r2"] and told["RecordClips.has_flow"] is True
    assert told["measure.source"] == "RECORDS"


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
            "playground/i3d_r64",  # read before anything is made
            "--train_videos",
            "5",
            "--val_videos",
            "3",
            "--override",
            "train_config.batch_size=1",
            "train_config.seed=2",
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
    assert value_after(training, "--pipeline_config_path") == "playground/i3d_r64"
    overrides = training[training.index("--override") + 1 :]
    assert overrides[-2:] == ["train_config.batch_size=1", "train_config.seed=2"]
    data = tmp_path / "o" / "data"
    for reader, split in (("train", "train"), ("eval", "val")):
        key = f"{reader}_input_reader"
        assert f"{key}.label_map_path={data / 'label_map.pbtxt'}" in overrides
        pattern = data / f"{split}-*.tfrecord"
        assert f"{key}.tf_record_input_reader.input_path={pattern}" in overrides
    for line in lines:
        assert str(tmp_path / "o") in " ".join(line)


def test_the_demo_s_numbers_for_a_program(monkeypatch, tmp_path, capsys):
    demo = importlib.import_module("tools.demo")
    monkeypatch.setattr(demo, "step", lambda *line: None)
    (tmp_path / "model").mkdir()
    numbers = {"mAP": 0.25, "person_AP": None, "num_classes_with_groundtruth": 12}
    (tmp_path / "model" / "metrics.json").write_text(json.dumps({**numbers, "per_class": {}}))
    assert demo.main(["--output", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.items() >= numbers.items()
    assert told["page"] == str(tmp_path / "page") and told["pictures"] == []
    assert demo.main(["--output", str(tmp_path)]) == 0
    assert "mAP 0.250, mean over 12 classes; person AP@0.5 unknown" in capsys.readouterr().out
