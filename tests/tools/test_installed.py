"""What a wheel holds: every tool with its configs, and no benchmark."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = sorted(path.stem for path in ROOT.glob("tools/*.py") if path.stem != "__init__")


# In a process of its own: there, nobody has imported another distutils before setuptools.
READ_SETUP = """
import json
import setuptools
from distutils.core import run_setup
read = run_setup("setup.py", stop_after="init")
print(json.dumps([read.entry_points["console_scripts"], read.packages, read.package_dir]))
"""


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def installed(tmp_path):
    """Tools and configs as they lie in site-packages: beside each other in avatx."""
    for folder in ("tools", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / "avatx" / folder)
    return tmp_path / "avatx"


def test_every_tool_is_a_command_and_no_benchmark_is():
    told = subprocess.run([sys.executable, "-c", READ_SETUP], cwd=ROOT, stdout=-1, check=True)
    scripts, packages, package_dir = json.loads(told.stdout)
    commands = dict(line.split("=") for line in scripts)
    assert {"reproduce", "demo", "model_main"} <= set(TOOLS)
    assert commands.pop("avatx") == "avatx.dispatch:main"
    assert sorted(commands) == [f"avatx-{name.replace('_', '-')}" for name in TOOLS]
    assert set(commands.values()) == {"avatx.cli:entry"}
    assert {"avatx", "avatx.tools", "avatx.configs"} <= set(packages)
    assert not [name for name in packages if "benchmark" in name or "test" in name]
    assert package_dir["avatx.tools"] == "tools"


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_can_be_entered(name):
    assert callable(load(ROOT / "tools" / f"{name}.py").main)


def test_demo_finds_its_config_and_the_other_tools(installed):
    demo = load(installed / "tools" / "demo.py")
    assert demo.CONFIG.is_file() and installed in demo.CONFIG.parents
    assert demo.step.args == (installed / "tools",)


def test_reproduce_finds_its_configs_and_says_which_avatx_it_is(installed, tmp_path):
    reproduce = load(installed / "tools" / "reproduce.py")
    assert (reproduce.TOOLS / "model_main.py").is_file() and reproduce.TOOLS.parent == installed
    from avatx import __version__

    assert reproduce.describe_here()["commit"] == f"avatx {__version__}"
    command = [sys.executable, installed / "tools/reproduce.py", "--suite", "playground"]
    done = subprocess.run(
        [*command, "--report_only", "--output", tmp_path / "out"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 2 and "no run is done yet" in done.stderr, done.stderr
