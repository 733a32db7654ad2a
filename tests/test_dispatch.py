"""`avatx NAME`: sub-commands, help, old names of flags, what a mistake looks like."""

import os
import pathlib
import shlex
import subprocess
import sys
import time

import pytest

from avatx import cli, commands, dispatch, flags
from avatx.config import shipped
from avatx.errors import UserError
from avatx.reproduction import steps
from avatx.results import print_result, talk_on_stderr

ROOT = pathlib.Path(__file__).parents[1]
TOOLS = sorted(path.stem for path in (ROOT / "tools").glob("[a-z]*.py"))


def avatx(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "avatx", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setattr(flags._Program, "command", None)
    monkeypatch.setattr(flags._Program, "debug", False)


def test_every_tool_is_a_command_and_every_command_a_tool():
    assert {command.tool for command in commands.COMMANDS} == {*TOOLS}
    assert len(commands.BY_NAME) == len(commands.COMMANDS)


def test_help_and_version_come_at_once_and_without_tensorflow():
    code = (
        "import sys, runpy\nfrom avatx import dispatch\ndispatch.run(['--help'])\n"
        "dispatch.run(['--version'])\nsys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("example:\n    avatx ")
    assert done.stdout.endswith("avatx 0.1.0\n")
    assert 'eval "$(register-python-argcomplete avatx)"' in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith("  ") and line[2] != " "]
    of = {command.summary: command for command in commands.COMMANDS}
    columns = {row.index(summary) for row in rows for summary in of if row.endswith(summary)}
    assert len(columns) == 1
    for command in commands.COMMANDS:
        assert f"\n  {command.name} " in done.stdout


@pytest.mark.parametrize("name", sorted(commands.BY_NAME))
def test_a_command_s_help_begins_with_an_example_of_it(name, capsys):
    with pytest.raises(SystemExit) as end:
        dispatch.run([*name.split(), "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    first, example, *_ = said.split("\n")
    assert first == "example:"
    own = commands.BY_NAME[name]
    assert example.strip().startswith(f"avatx {own.name} ")
    assert not [flag for flag in own.given if flag.startswith("--") and f"{flag} " in said]
    assert f"usage: avatx {name} " in said
    assert "tools/" not in said and "--debug" in said
    # What lies in a checkout is not there where avatx is installed.
    assert "configs/" not in said and "this file" not in said
    assert not [tool for tool in TOOLS if f"{tool}.py" in said]


class Parsed(Exception):
    pass


def parsed(arguments, monkeypatch):
    """(namespace, what is left for Beam) of a command line, by the tool's own parser."""
    inner = flags.Parser.parse_known_args

    def parse_args(self, args=None, namespace=None):
        found, rest = inner(self, args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        raise Parsed(found, rest)

    def parse_known_args(self, args=None, namespace=None):
        raise Parsed(*inner(self, args, namespace))

    with monkeypatch.context() as patch:
        patch.setattr(flags.Parser, "parse_args", parse_args)
        patch.setattr(flags.Parser, "parse_known_args", parse_known_args)
        with pytest.raises(Parsed) as raised:
            dispatch.run(arguments)
    return raised.value.args


DEMO_CONFIG = str(ROOT / "configs/playground/demo.config")  # a default


def examples(said):
    """The command lines that a help begins with."""
    block = said.removeprefix("example:\n").partition("\n\n")[0].replace("\\\n", " ")
    return [shlex.split(line) for line in block.splitlines()]


@pytest.mark.parametrize("name", sorted(commands.BY_NAME))
def test_a_command_s_examples_are_taken_by_it(name, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        dispatch.run([*name.split(), "--help"])
    found = examples(capsys.readouterr().out)
    assert found
    for program, *arguments in found:
        assert program == "avatx"
        given, rest = parsed(arguments, monkeypatch)
        assert not rest
        config = getattr(given, "pipeline_config_path", None)
        # The user's own, or one that is shipped: by the name that it has everywhere.
        own = (None, DEMO_CONFIG, "faster_rcnn_resnet50_ava.config")
        made = config in own or pathlib.Path(config).name == "pipeline.config"
        assert made or config in shipped.names()
    assert capsys.readouterr().err == ""  # no older name of a flag


def test_the_steps_of_a_demo_are_said_as_it_was_called(tmp_path, monkeypatch, capfd):
    (tmp_path / "detect_video.py").write_text("print('detected')")
    monkeypatch.setattr(flags._Program, "command", commands.BY_NAME["demo"])
    steps.run_step(tmp_path, None, "detect_video.py", "--video", "a b.mp4")
    steps.run_step(tmp_path, tmp_path, "detect_video.py")
    said = capfd.readouterr()
    assert said.out == "" and "\ndetected\n" in said.err  # that is no result of the demo
    assert "$ avatx detect --video 'a b.mp4'\n" in said.err
    assert f"avatx detect: {tmp_path} is there already" in said.err


@pytest.mark.parametrize(
    "called, said",
    [
        ("avatx", "run avatx data validate|avatx detect"),
        ("/usr/bin/avatx-demo", "run avatx-validate-csv|avatx-detect-video"),
        ("tools/demo.py", "run python tools/validate_csv.py|python DIR/detect_video.py"),
    ],
)
def test_what_a_step_says_names_the_command_in_use(tmp_path, monkeypatch, capfd, called, said):
    (tmp_path / "detect_video.py").write_text(
        "from avatx import flags\n"
        "print(flags.as_called('run python tools/validate_csv.py') + '|' + flags.program())"
    )
    if called == "avatx":
        monkeypatch.setattr(flags._Program, "command", commands.BY_NAME["demo"])
    else:
        monkeypatch.setattr(sys, "argv", [called])
    steps.run_step(tmp_path, None, "detect_video.py")
    assert said.replace("DIR", str(tmp_path)) in capfd.readouterr().err.splitlines()


@pytest.mark.parametrize(
    "program, shown",
    [
        ("/usr/bin/avatx-detect-video", "avatx-detect-video"),
        ("tools/detect_video.py", "python tools/detect_video.py"),
    ],
)
def test_help_names_the_program_as_it_was_called(monkeypatch, capsys, program, shown):
    monkeypatch.setattr(sys, "argv", [program])
    with pytest.raises(SystemExit):
        cli.tool("detect_video").main(["--help"])
    said = capsys.readouterr().out
    assert f"usage: {shown} [-h]" in said
    assert said.split("\n")[1].strip().startswith(shown)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["dtect"], "no such command; did you mean avatx detect?"),
        (
            ["data", "recrds"],
            "avatx data recrds: no such command; did you mean avatx data records?",
        ),
        (["xyzzy"], "avatx --help lists them"),
    ],
)
def test_an_unknown_command(arguments, said):
    with pytest.raises(UserError) as error:
        dispatch.run(arguments)
    assert said in str(error.value)


def test_a_group_lists_its_commands(capsys):
    assert dispatch.run(["data"]) == 0
    assert "avatx data import" in capsys.readouterr().out


def test_a_mistyped_flag_is_one_line(capsys):
    with pytest.raises(SystemExit) as end:
        dispatch.run(
            ["detect", "--saved_model", "m", "--video", "v", "--output", "o", "--evry", "2"]
        )
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "did you mean --every?" in said
    assert "avatx detect --help" in said


def test_an_older_name_is_taken_with_a_note(capsys):
    parser = cli.Parser("Does.\n\n    python tools/x.py --new 1\n", older={"--old": "--new"})
    parser.add_argument("--new")
    assert parser.parse_args(["--old", "3"]).new == "3"
    assert parser.parse_args(["--old=4"]).new == "4"
    captured = capsys.readouterr()
    assert captured.err == "note: --old is called --new now\n" * 2 and captured.out == ""
    assert "--old" not in parser.format_help()


def test_only_debug_shows_a_traceback():
    wrong = ["score", "--annotations", "no.csv", "--detections", "no.csv", "--label_map", "no"]
    done = avatx(*wrong, "--output", "x.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    done = avatx(*wrong, "--output", "x.json", "--debug")
    assert done.returncode == 2 and "Traceback" in done.stderr
    assert done.stderr.rstrip().split("\n")[-1].startswith("error: no")


def test_results_are_apart_from_talk(capsys):
    with talk_on_stderr():
        print("step 1")
        print_result("mAP 0.5")
    with talk_on_stderr(shows_results=False):
        print_result("mAP 0.6")
    print_result("mAP 0.7")
    captured = capsys.readouterr()
    assert captured.out == "mAP 0.5\nmAP 0.7\n" and captured.err == "step 1\nmAP 0.6\n"


def completed(line):
    """What argcomplete tells the shell."""
    pytest.importorskip("argcomplete", reason="completion is the extra avatx[completion]")
    read, write = os.pipe()
    environment = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_IFS": "|",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    script = f"exec 8>&{write}; exec {sys.executable} -m avatx"
    subprocess.run(
        ["bash", "-c", script],
        pass_fds=[write],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=60,
        check=False,
    )
    os.close(write)
    with os.fdopen(read) as file:
        return [one.strip() for one in file.read().split("|") if one.strip()]


def test_the_shell_completes_commands_and_flags():
    assert set(completed("avatx ex")) == {"export", "examples", "explore"}
    assert set(completed("avatx data re")) == {"records"}
    assert completed("avatx detect --saved") == ["--saved_model"]


def test_progress_says_rate_and_what_is_left(monkeypatch, capsys):
    from avatx.progress import Progress

    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = Progress("evaluating", "keyframes", 400)
    progress.add(10)  # in no time: nothing is said
    now[0] += 20.0
    progress.add(30)
    now[0] += 1.0
    progress.add(30)  # too soon for a file
    progress.end()
    said = capsys.readouterr().err
    assert said == "evaluating: 40 of 400 keyframes, 2.0 a second, 180 s left\n"


def test_what_a_command_gives_by_itself_is_not_asked_for():
    for given in (["--mode", "train"], ["--mode=train_and_eval"], ["--mode"]):
        with pytest.raises(UserError, match="--mode: is always eval in avatx evaluate; leave it"):
            dispatch.run(["evaluate", "--pipeline_config_path", "p", "--model_dir", "m", *given])
    with pytest.raises(UserError, match="--eval_timeout: means nothing in avatx evaluate"):
        dispatch.run(["evaluate", "--eval_timeout=3"])
    for given in (["--mode", "eval"], ["--mode=eval"]):  # as before there was a help of its own
        with pytest.raises(UserError, match="nowhere.config"):
            dispatch.run(
                ["evaluate", "--pipeline_config_path", "nowhere.config", "--model_dir", "m", *given]
            )


def test_hints_name_the_command_in_use(tmp_path):
    # In a folder where `make demo` has left no data.
    done = avatx("config", "check", "--pipeline_config_path", "playground/demo", cwd=tmp_path)
    assert "missing: train_input_reader.tf_record_input_reader.input_path" in done.stderr
    assert "write them with avatx data records --output" in done.stderr
    assert "tools/" not in done.stderr
