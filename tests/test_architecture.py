"""The house rules that a machine can hold: who may import whom."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

from avatx.commands import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = sorted(path for path in ROOT.glob("avatx/**/*.py") if not path.name.endswith("_pb2.py"))

# Room -> rooms it may import besides itself. Single modules (`avatx.errors`, `avatx.cli`, ...) may
# be imported by all, and import no room themselves.
ALLOWED = {
    "protos": set(),
    "config": {"protos", "registrations", "trunks"},
    "core": set(),
    "layers": {"core"},
    "trunks": {"core", "layers"},
    "predictors": {"core", "layers"},
    "meta_architectures": {"core", "layers", "predictors", "trunks"},
    "data": {"core"},
    "playground": {"data"},
    "evaluation": {"core", "data"},
    # Names the parts of a meta-architecture, in rooms above too, and imports none of them.
    "registrations": {"evaluation"},
    "pictures": {"core", "data", "evaluation"},
    "checkpoints": {"trunks"},
    "training": {
        "checkpoints",
        "core",
        "data",
        "evaluation",
        "layers",
        "meta_architectures",
        "pictures",
        "registrations",
        "trunks",
    },
    "builders": {
        "config",
        "core",
        "data",
        "layers",
        "meta_architectures",
        "predictors",
        "protos",
        "registrations",
        "training",
        "trunks",
    },
    "trained": {"builders", "checkpoints", "config", "core", "data", "meta_architectures"},
    "export": {"checkpoints", "config", "core", "data", "meta_architectures", "trained"},
    "inference": {"core", "data", "pictures"},
    "kinetics": {"checkpoints", "core", "data", "export", "inference", "trunks"},
    "importing": {"data"},
    "project": {"config", "data", "importing", "pictures"},
    "explorer": {"core", "data", "inference", "pictures"},
    "reproduction": {"config"},
}
ROOMS = {path.parent.name for path in ROOT.glob("avatx/*/__init__.py")}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_nothing_downstream_imports_upstream(room):
    wrong = []
    for path in ROOT.glob(f"avatx/{room}/**/*.py"):
        for name in imports_of(path):
            parts = name.split(".")
            other = parts[1] if parts[0] == "avatx" and len(parts) > 1 else room
            if other in ROOMS - {room} and other not in ALLOWED[room]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_every_room_has_its_rule_and_no_two_import_each_other():
    assert set(ALLOWED) == ROOMS
    # Rooms are left out one after the other, those first that import none of what is left.
    left = dict(ALLOWED)
    while free := [room for room, others in left.items() if not others & left.keys()]:
        for room in free:
            del left[room]
    assert not left, f"import each other: {sorted(left)}"


def test_single_modules_import_no_room():
    wrong = [
        f"{path.name} imports {name}"
        for path in ROOT.glob("avatx/*.py")
        for name in imports_of(path)
        if name.startswith("avatx.") and name.split(".")[1] in ROOMS
    ]
    assert not wrong


def test_protos_stop_at_the_builders():
    wrong = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(name.startswith("avatx.protos") for name in imports_of(path))
        and path.parent.name != "builders"
        and path.parent.name != "config"
    ]
    assert not wrong


def test_one_keras_and_tensorflow_2_only():
    wrong = []
    for path in [*SOURCES, *ROOT.glob("tools/*.py")]:
        for name in imports_of(path):
            top = name.split(".")[0]
            if top in ("keras", "tensorflow_models") or "compat.v1" in name:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
        text = path.read_text()
        if "compat.v1" in text or "tf.keras" in text:
            wrong.append(f"{path.relative_to(ROOT)} uses compat.v1 or tf.keras")
    assert not wrong


# They make flags, call pip, or are a page for users.
MAY_NAME_FLAGS = {
    "avatx/cli.py",
    "avatx/commands.py",
    "avatx/dispatch.py",
    "avatx/flags.py",
    "avatx/data/video/frame_flags.py",
    "avatx/inference/boxes_flags.py",
    "avatx/pip_download.py",
    "avatx/inference/movenet.py",
    "avatx/config/document.py",
    "avatx/project/config_text.py",
    "avatx/project/machine.py",
    "avatx/project/readme.py",
}


def strings_of(path):
    """(line, text) of each string but docstrings; what an f-string fills in is {}."""
    tree = ast.parse(path.read_text())
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            inside.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            inside.update(node.values)
            parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield node.lineno, node.value


def named_flags(text):
    """Flags that a sentence names, but for those of a command to run: `x.py --output a`."""
    return re.findall(r"--[a-z]\w*", re.sub(r"\S+\.py\b[^;,()]*", "", text))


def test_the_library_names_arguments_and_tools_name_flags():
    """See `avatx.cli.arguments_are_flags`."""
    assert named_flags("--top 0: expected 1") and named_flags("run a.py --x, or leave --x out")
    assert not named_flags("write it again with tools/a.py --x dis --y {}; `x` is a -- b")
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {text!r}"
        for path in SOURCES
        for line, text in strings_of(path)
        if named_flags(text)
        and path.relative_to(ROOT).as_posix() not in MAY_NAME_FLAGS
        # Commands that it runs are lists, each flag alone.
        and not (path.parent.name == "reproduction" and re.fullmatch(r"--\w+", text))
    ]
    assert not wrong


# Pages that `avatx init` writes, and the help of `avatx` itself.
MAY_NAME_COMMANDS = {"avatx/dispatch.py", *map("avatx/project/{}.py".format, ("create", "readme"))}
MAY_NAME_COMMANDS.add("avatx/project/config_text.py")


def test_command_lines_are_named_as_they_are_called():
    """A text says tools/NAME.py, and `cli.as_called` makes of it what the user typed."""
    commands = "|".join(sorted({command.name.split()[0] for command in COMMANDS}))
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {text!r}"
        for path in [*SOURCES, *ROOT.glob("tools/*.py")]
        for line, text in strings_of(path)
        if re.search(rf"\bavatx ({commands})\b", text)
        and path.relative_to(ROOT).as_posix() not in MAY_NAME_COMMANDS
    ]
    wrong += [
        f"{path.relative_to(ROOT)} prints to stderr past `cli.talk`"
        for path in ROOT.glob("tools/*.py")
        if "sys.stderr" in path.read_text()
    ]
    assert not wrong


@pytest.mark.parametrize(
    "module",
    [
        "avatx",
        "avatx.config",
        "avatx.data.annotations.ava_csv",
        "avatx.evaluation.frame_map",
        "avatx.explorer.explorer",
        "avatx.inference.video_detection",
        "avatx.registrations",
    ],
)
def test_light_modules_do_not_import_tensorflow(module):
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_have_one_idea():
    files = [*SOURCES, *ROOT.glob("tools/*.py"), *ROOT.glob("tests/**/*.py")]
    long = [str(path) for path in files if len(path.read_text().splitlines()) > 500]
    assert not long
