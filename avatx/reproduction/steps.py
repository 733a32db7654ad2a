"""Command lines that are run one after another, each unless its result is there."""

import pathlib
import shlex
import sys

from avatx.cli import as_called, talk
from avatx.reproduction.processes import start


def run_step(tools: pathlib.Path, result: pathlib.Path | None, tool: str, *arguments) -> None:
    """Runs a tool of the folder `tools` unless its `result` is there, saying the command on stderr.

    Ends this program with the tool's exit code if it fails: the tool has said why.
    """
    command = [str(tools / tool), *map(str, arguments)]
    if result is not None and result.exists():
        talk(f"\ntools/{tool}: {result} is there already")
        return
    talk(f"\n$ {_called(command[0], tool)} {shlex.join(command[1:])}")
    # What a step says of its result is no result of the program that runs it.
    process = start([sys.executable, *command], stdout=sys.stderr.fileno())
    try:
        code = process.wait()
    except BaseException:  # ctrl-C, or the end by a signal: the tool first
        process.terminate()
        process.wait()
        raise
    if code:
        talk(f"error: the step above failed with exit code {code}")
        sys.exit(code if code > 0 else 128 - code)


def _called(path: str, tool: str) -> str:
    """As this program was called; of a script its path, which works in any folder."""
    script = f"python tools/{tool}"
    called = as_called(script)
    return f"python {path}" if called == script else called
