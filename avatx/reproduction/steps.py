"""Command lines that are run one after another, each unless its result is there."""

import pathlib
import shlex
import sys

from avatx.reproduction.processes import start


def run_step(tools: pathlib.Path, result: pathlib.Path | None, tool: str, *arguments) -> None:
    """Runs a tool of the folder `tools` unless its `result` is there, showing the command.

    Ends this program with the tool's exit code if it fails: the tool has said why.
    """
    command = [str(tools / tool), *map(str, arguments)]
    if result is not None and result.exists():
        print(f"\n{tool}: {result} is there already", flush=True)
        return
    print(f"\n$ python {shlex.join(command)}", flush=True)
    process = start([sys.executable, *command])
    try:
        code = process.wait()
    except BaseException:  # ctrl-C, or the end by a signal: the tool first
        process.terminate()
        process.wait()
        raise
    if code:
        print(f"error: the step above failed with exit code {code}", file=sys.stderr)
        sys.exit(code if code > 0 else 128 - code)
