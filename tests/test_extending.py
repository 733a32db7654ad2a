"""docs/extending.md is followed to the letter, in a copy of the project."""

import importlib.util
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
PAGE = (ROOT / "docs/extending.md").read_text()


def blocks(page=PAGE):
    """(file named last before the block, kind of the block, its lines)."""
    path = None
    for part in re.split(r"(^```.*?^```$)", page, flags=re.MULTILINE | re.DOTALL):
        if part.startswith("```"):
            kind, *lines = part.splitlines()[:-1]
            yield path, kind[3:], lines
        elif named := re.findall(r"^(?:New file|Changes in) `(.+?)`", part, re.MULTILINE):
            path = named[-1]


def apply(change, text):
    """Adds the lines of `change` that have a +, where its others are: in one place."""
    assert {line[:1] for line in change} <= {"+", " "}, change
    old = "\n".join(line[1:] for line in change if line[0] == " ")
    new = "\n".join(line[1:] for line in change)
    assert f"\n{text}".count(f"\n{old}\n") == 1, f"not there once:\n{old}"
    return f"\n{text}".replace(f"\n{old}\n", f"\n{new}\n")[1:]


@pytest.fixture
def copy(tmp_path):
    for folder in ("avatx", "protos", "configs", "tools", "tests/config", "docs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    for file in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def compile_protos(folder):
    """What `make setup` does to the schema, without installing."""
    environment = {**os.environ}
    if importlib.util.find_spec("grpc_tools") is None:  # pip has it while it builds only
        tools, target = re.search(r'"(grpcio-tools==.+?)"', PYPROJECT)[1], str(folder / "compiler")
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--target",
            target,
            tools,
        ]
        if subprocess.run(command, check=False).returncode:
            pytest.skip(f"no {tools}, the compiler of the config's schema, and none to be had")
        environment["PYTHONPATH"] = target
    protos = [f"avatx/protos/{path.name}" for path in sorted(folder.glob("protos/*.proto"))]
    arguments = ["-Iavatx/protos=protos", "--python_out=.", *protos]
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def test_the_page_can_be_followed(copy):
    commands = []
    for path, kind, lines in blocks():
        if kind == "python":
            assert not (copy / path).exists(), path
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text("\n".join(lines) + "\n")
        elif kind == "diff":
            (copy / path).write_text(apply(lines, (copy / path).read_text()))
        else:
            commands += lines
    assert commands[0] == "make setup config-docs"
    compile_protos(copy)
    environment = {**os.environ, "PYTHONPATH": str(copy), "TF_CPP_MIN_LOG_LEVEL": "2"}
    for command in ["python -m avatx.config.document protos docs/config.md", *commands[1:]]:
        program, *arguments = shlex.split(command)
        assert program == "python"
        done = subprocess.run(
            [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def test_config_docs_is_that_command():
    assert "avatx.config.document protos docs/config.md" in (ROOT / "Makefile").read_text()


def test_a_trunk_a_head_and_the_test_take_less_than_100_lines():
    added = 0
    first, last = (PAGE.index(f"## {title}") for title in ("An augmentation", "A test"))
    for _, kind, lines in blocks(PAGE[:first] + PAGE[last:]):
        lines = [line for line in lines if kind == "python" or line.startswith("+")]
        added += len([line for line in lines if line.strip("+ ")])
    assert 50 < added < 100


@pytest.mark.parametrize(
    "title, new_files, lines",
    [("A trunk", 1, 1), ("A head", 1, 1), ("An augmentation", 1, 1), ("A config field", 0, 3)],
)
def test_each_is_one_file_one_message_and_one_line(title, new_files, lines):
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    assert section.count("\nNew file `") == new_files
    changed = re.findall(r"^Changes in `(.+?)`", section, re.MULTILINE)
    assert len(changed) == 2 and changed[0].startswith("protos/")
    in_python = section[section.index(f"Changes in `{changed[1]}`") :]
    assert len(re.findall(r"^\+.", in_python, re.MULTILINE)) == lines
