"""Kills programs at each of their file operations, and looks whether the same command mends it."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
COUNT, KILL, FULL = range(3)  # as in shim.c
KILLED, MISTAKE = -9, 2  # exit codes


class Program(NamedTuple):
    """A command whose files lie below one folder.

    file: the program. arguments: (that folder) -> its command line.
    prepare: (that folder) -> None, makes what it reads.
    same: (a folder, that of the undisturbed run) -> None, asserts equal results.
    """

    name: str
    file: pathlib.Path
    arguments: Callable[[pathlib.Path], Sequence[str]]
    prepare: Callable[[pathlib.Path], None]
    same: Callable[[pathlib.Path, pathlib.Path], None]
    may_stay: str = r"(?!)"  # names that differ from run to run, as a pattern


def build_shim(folder: pathlib.Path) -> pathlib.Path | None:
    """The shared library, built with the system's compiler; None where there is none."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    path = folder / "faults.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", path, HERE / "shim.c", "-ldl"]
    subprocess.run(command, check=True)
    return path


class Zygote:
    """A process that has imported what the programs need, and forks them."""

    def __init__(self, shim: pathlib.Path, folder: pathlib.Path, modules: Iterable[str]):
        self._folder = folder
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])
        self._errors = open(folder / "zygote.log", "w")  # noqa: SIM115, closed in `close`
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "zygote.py"), *modules],
            env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n", (folder / "zygote.log").read_text()

    def run(self, program: Program, root: pathlib.Path, mode: int = COUNT, at: int = -1):
        """Exit code, what it printed, and its operations as lines "NUMBER WHAT PATH"."""
        operations, output = self._folder / "operations", self._folder / "output"
        operations.unlink(missing_ok=True)
        request = {
            "program": str(program.file),
            "arguments": [str(argument) for argument in program.arguments(root)],
            "root": str(root),
            "at": at,
            "mode": mode,
            "operations": str(operations),
            "output": str(output),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        done = operations.read_text().splitlines() if operations.exists() else []
        return code, output.read_text(errors="replace"), done

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()


class Trial:
    """One program, its undisturbed run, and what became of it at the moments that were tried."""

    def __init__(self, zygote: Zygote, program: Program, folder: pathlib.Path):
        self._zygote, self._program, self._folder = zygote, program, folder
        self._start, self._whole = folder / "start", folder / "whole"
        self._start.mkdir(parents=True)
        program.prepare(self._start)
        # The name of its folder may be in the results, so all runs have the same one.
        code, output, operations = self._zygote.run(program, self._fresh())
        assert code == 0, output
        (folder / "run").rename(self._whole)
        self.operations = operations

    def kill(self, at: int) -> str:
        """Kills at an operation, starts again; gives the operation. Asserts what is promised."""
        run = self._fresh()
        code, output, _ = self._zygote.run(self._program, run, KILL, at)
        assert code == KILLED, f"was to be killed at {at}, ended with {code}: {output[-2000:]}"
        return self._mended(run, at)

    def fill_disk(self, at: int) -> str:
        """From an operation on there is no room; then there is, and it is started again."""
        run = self._fresh()
        code, output, _ = self._zygote.run(self._program, run, FULL, at)
        moment = self.operations[at - 1]
        if code != 0:  # an operation at the end may need no room
            lines = [line for line in output.splitlines() if line.startswith("error: ")]
            told = len(lines) == 1 and "Traceback" not in output
            assert code == MISTAKE and told, f"full at {moment}: {code}: {output[-3000:]}"
        return self._mended(run, at)

    def _mended(self, run: pathlib.Path, at: int) -> str:
        moment = self.operations[min(at, len(self.operations)) - 1]
        code, output, _ = self._zygote.run(self._program, run)
        assert code == 0, f"after {moment}: {output[-3000:]}"
        assert self._names(run) == self._names(self._whole), f"after {moment}"
        self._program.same(run, self._whole)
        return moment

    def _fresh(self) -> pathlib.Path:
        run = self._folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self._start, run)
        return run

    def _names(self, folder: pathlib.Path) -> list[str]:
        names = {str(path.relative_to(folder)) for path in folder.rglob("*")}
        return sorted({re.sub(self._program.may_stay, "...", name) for name in names})


def same_bytes(*names: str) -> Callable[[pathlib.Path, pathlib.Path], None]:
    """Asserts that these files, below both folders, are the same."""

    def check(run: pathlib.Path, whole: pathlib.Path) -> None:
        for name in names:
            assert (run / name).read_bytes() == (whole / name).read_bytes(), name

    return check
