"""Runs programs of tools/ as forks of itself, which has imported what they need.

Started with the shim preloaded. Reads a request a line, as JSON: `program` (a file whose `main` is
run), `arguments`, `root`, `at`, `mode`, `operations` (a file to list them in), `output` (a file for
what it prints). Answers each with a line: the exit status of `os.waitpid`, or 9 of a killed one.
"""

import ctypes
import importlib
import json
import os
import runpy
import signal
import sys


def run(request) -> None:
    """In the fork: as `python FILE ARGUMENTS`, armed."""
    os.setsid()
    # As in a terminal; whoever started the tests may have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = [request["program"], *request["arguments"]]
    sys.path.insert(0, os.path.dirname(request["program"]))
    ctypes.CDLL(None).faults_arm(
        request["root"].encode(),
        ctypes.c_long(request["at"]),
        request["mode"],
        request["operations"].encode(),
    )
    runpy.run_path(request["program"], run_name="__main__")


def main() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            try:
                run(json.loads(line))
            except BaseException:
                import traceback

                traceback.print_exc()
            os._exit(99)
        _, status = os.waitpid(process, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


if __name__ == "__main__":
    main()
