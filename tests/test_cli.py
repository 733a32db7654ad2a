"""How a command line starts and ends: exit codes, one line a mistake, no noise."""

import argparse
import pathlib
import subprocess
import sys

import pytest
from PIL import Image

from avatx import cli
from avatx.errors import UserError

ROOT = pathlib.Path(__file__).parents[1]


def run_main(body):
    code = (
        "from avatx import cli\nfrom avatx.errors import UserError\n"
        f"def main():\n    {body}\ncli.run(main)"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "body, code, stderr",
    [
        ("return 0", 0, ""),
        ("return 3", 3, ""),
        ("raise UserError('a.csv:3: two\\n lines')", 2, "error: a.csv:3: two lines\n"),
        ("raise KeyboardInterrupt", 130, "interrupted\n"),
        ("raise SystemExit('no')", 1, "no\n"),
        (
            "raise OSError(28, 'No space left on device', 'out/a.csv')",
            2,
            "error: out/a.csv: No space left on device\n",
        ),
        (
            "raise PermissionError(13, 'Permission denied', b'a')",
            2,
            "error: a: Permission denied\n",
        ),
        ("raise OSError(24, 'Too many open files')", 2, "error: Too many open files\n"),
    ],
)
def test_exit_code_and_stderr(body, code, stderr):
    done = run_main(body)
    assert (done.returncode, done.stderr) == (code, stderr)


def test_a_bug_of_ours_keeps_its_traceback():
    done = run_main("return {}['x']")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "KeyError" in done.stderr
    done = run_main("open('/nowhere')")  # a path that nobody has looked for is one, too
    assert done.returncode == 1 and "FileNotFoundError" in done.stderr


def test_a_program_has_one_keras():
    done = run_main("cli.import_tensorflow(); import sys, tf_keras; return 'keras' in sys.modules")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_abort_at_interpreter_exit_does_not_change_the_exit_code():
    done = run_main("import atexit, os; atexit.register(os.abort); return 0")
    assert done.returncode == 0


def test_noise_is_dropped_and_errors_are_not():
    code = (
        "import os, sys\nfrom avatx import stderr_noise\nwith stderr_noise.dropped():\n"
        "    os.write(2, b'E cuda_fft.cc:479] Unable to register cuFFT factory: ...\\n')\n"
        "    os.write(2, b'E something.cc:1] out of memory\\n')\n"
        "    print('from Python', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "E something.cc:1] out of memory\nfrom Python\n"


def test_importing_tensorflow_is_silent():
    code = "from avatx import cli; cli.import_tensorflow(); import avatx.core.structures"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("version, works", [("2.15.1", False), ("2.16.2", True), ("2.21.0", False)])
def test_a_tensorflow_outside_the_range_is_told_in_one_sentence(tmp_path, version, works):
    code = (
        "import importlib.metadata as m\n"
        f"m.version = lambda name: {version!r}\n"
        "try:\n    import avatx\n    print('imported')\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if works:
        assert done.stdout == "imported\n"
    else:
        assert done.stdout.count("\n") == 1
        assert f"supports TensorFlow 2.16 to 2.20 and found {version}" in done.stdout


@pytest.mark.parametrize("path", sorted(ROOT.glob("tools/[a-z]*.py")), ids=lambda path: path.stem)
def test_every_tool_explains_itself_and_refuses_unknown_flags(path):
    helped = subprocess.run(
        [sys.executable, str(path), "--help"], capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0 and "usage:" in helped.stdout
    refused = subprocess.run(
        [sys.executable, str(path), "--no_such_flag"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "said, shown",
    [
        ("jobs 0: expected 1 or more", "--jobs 0: expected 1 or more"),
        ("jobs: expected 1", "--jobs: expected 1"),
        ("number is 9, 3 are there", "--person is 9, 3 are there"),
        (
            "jobs is for `data`; with `number` or `else` not",
            "--jobs is for --data; with --person or `else` not",
        ),
        ("give either `data` or `jobs`", "give either --data or --jobs"),
        ("jobs.csv, line 3: no number", "jobs.csv, line 3: no number"),
        ("the jobs and data of number 1", "the jobs and data of number 1"),
        ("other 3: expected `x`", "other 3: expected `x`"),
    ],
)
@pytest.mark.parametrize("as_decorator", [False, True])
def test_arguments_are_flags(said, shown, as_decorator):
    def fail():
        raise UserError(said)

    named = cli.arguments_are_flags("jobs", "data", number="person")
    with pytest.raises(UserError) as error:
        if as_decorator:
            named(fail)()
        else:
            with named:
                fail()
    assert str(error.value) == shown


def test_arguments_of_a_note_are_flags():
    note = "`score_threshold` 0.2 would show it, a score_threshold; see `jobs` and `other`"
    assert cli.as_flags(note, "score_threshold", jobs="j") == (
        "--score_threshold 0.2 would show it, a score_threshold; see --j and `other`"
    )


@pytest.mark.parametrize("is_there", [True, False])
def test_detection_says_what_it_does_in_files_too_and_a_mistake_stands_alone(tmp_path, is_there):
    model = tmp_path / "model"
    if is_there:
        model.mkdir()
    (tmp_path / "frames").mkdir()
    for number in range(2):
        Image.new("RGB", (32, 24)).save(tmp_path / f"frames/{number}.jpg")
    code = (
        "import avatx.progress; avatx.progress._FIRST = 0.01\n"
        "from avatx import cli\n"
        "cli.run(lambda: cli.tool('detect_video').main(['--saved_model', "
        f"{str(model)!r}, '--video', 'frames', '--output', 'out']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    said = done.stderr.splitlines()
    assert done.returncode == 2 and said[-1].startswith(f"error: {model}: ")
    assert said[:-1] == ["loading TensorFlow and the model ..."] * is_there


def test_an_empty_value_and_a_name_with_a_dash_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-film.mp4").write_bytes(b"")
    parser = cli.Parser("Does something.\n\n    python tools/a.py --video film.mp4\n")
    parser.add_argument("--video", required=True)
    parser.add_argument("--suffix", default="")  # may be empty
    assert parser.parse_args(["--video", "a", "--suffix", ""]).suffix == ""
    for given, said in (
        (["--video", ""], "argument --video: is empty; expected a value"),
        (["--video", "-film.mp4"], "(a name that begins with a dash is given as --video=NAME)"),
    ):
        monkeypatch.setattr(sys, "argv", ["a.py", *given])
        with pytest.raises(SystemExit):
            parser.parse_args()
        assert said in capsys.readouterr().err
    assert parser.parse_args(["--video=-film.mp4"]).video == "-film.mp4"


class Parsed(Exception):
    pass


@pytest.mark.parametrize("path", sorted(ROOT.glob("tools/[a-z]*.py")), ids=lambda path: path.stem)
def test_numbers_of_every_tool_are_finite(path, monkeypatch):
    def parse(parser, *_):
        raise Parsed(parser)

    monkeypatch.setattr(cli.Parser, "parse_known_args", parse)
    with pytest.raises(Parsed) as caught:
        cli.tool(path.stem).main([])
    parser = caught.value.args[0]
    for action in parser._actions:
        if action.type in (float, cli.not_negative):
            for text in ("nan", "inf", "-inf", "1e400"):
                with pytest.raises(argparse.ArgumentError, match=f"{text}: expected a "):
                    parser._get_value(action, text)
            with pytest.raises(argparse.ArgumentError, match="much"):
                parser._get_value(action, "much")
            assert parser._get_value(action, "2.5") == 2.5
        if action.dest.endswith("timeout"):
            with pytest.raises(argparse.ArgumentError, match="-1: expected a number, 0 or more"):
                parser._get_value(action, "-1")
            assert parser._get_value(action, "0") == 0


def test_a_reader_that_ends_early_gets_no_traceback():
    """As `head`, which `tool | head` is; a pipe that is not standard output keeps its traceback."""
    code = (
        "import os, sys; from avatx import cli\n"
        "def main():\n"
        "    if sys.argv[1] == 'print':\n"
        "        sys.stdin.read()\n"  # until nobody reads
        "        print('a result', flush=True)\n"
        "    raise BrokenPipeError('of a worker')\n"
        "cli.run(main)"
    )
    command = [sys.executable, "-c", code, "print"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as process:
        process.stdout.close()
        process.stdin.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (1, "")
    done = subprocess.run([*command[:-1], "no"], capture_output=True, text=True)
    assert done.returncode == 1 and "BrokenPipeError: of a worker" in done.stderr
