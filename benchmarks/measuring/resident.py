"""A process that keeps its model ready and works when it is told to, so that two can take turns.

On the worker's side `serve`, on the caller's `Resident`. A request is a line of JSON,
`{"time": NAME}` or `{"outputs": PATH}`; an answer `{"seconds": ...}` or `{"done": true}`. Needs
nothing but NumPy: the peer's environment has no avatx.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np


def serve(
    steps: Mapping[str, Callable[[], object]],
    outputs: Callable[[], Mapping[str, np.ndarray]],
    name: str,
) -> None:
    """Says that it is ready and answers until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def answer(message: dict) -> None:
        print(json.dumps(message), file=answers, flush=True)

    answer({"ready": name})
    for line in sys.stdin:
        request = json.loads(line)
        if "outputs" in request:
            np.savez(request["outputs"], **outputs())
            answer({"done": True})
            continue
        start = time.perf_counter()
        steps[request["time"]]()
        answer({"seconds": time.perf_counter() - start})


class Resident:
    """A worker started by `command`. Raises RuntimeError with its last lines where it fails."""

    def __init__(self, command: Sequence[str], log: str, environment: Mapping[str, str]):
        self._log = log
        with open(log, "w") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **environment},
            )
        self.name = self._answer()["ready"]

    def seconds(self, step: str) -> float:
        """Runs a step once: the seconds that the worker measured."""
        return float(self._ask({"time": step})["seconds"])

    def outputs(self, path: str) -> dict[str, np.ndarray]:
        self._ask({"outputs": path})
        with np.load(path) as arrays:
            return dict(arrays)

    def close(self) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()

    def _ask(self, request: dict) -> dict:
        self._process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            self._process.wait()
            with open(self._log) as log:
                last = log.read().strip().splitlines()[-8:]
            raise RuntimeError("a worker stopped:\n" + "\n".join(last))
        return json.loads(line)
