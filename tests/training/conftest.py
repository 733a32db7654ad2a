import os
import subprocess
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(__file__))
ROOT, HELPERS = os.path.dirname(TESTS), os.path.join(TESTS, "helpers")


@pytest.fixture
def start_python():
    """Starts a process that runs code with `tiny_experiment` and avatx at hand; ends it after."""
    processes = []

    def start(code, *arguments):
        path = os.pathsep.join([HELPERS, ROOT, os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"}
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()
