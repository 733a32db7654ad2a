"""Heaps of the C library, counted in real processes; what refers to itself in circles."""

import gc
import os
import re
import subprocess
import sys
import weakref

import linear_evaluated
import pytest

from avatx import freed_memory
from avatx.training import run

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the heaps of glibc, which this system has not"
)

CODE = """
import ctypes, threading
from avatx import cli

def main():
    library, together = ctypes.CDLL(None), threading.Barrier(8 * {cores} + 4)
    library.malloc.restype = ctypes.c_void_p
    def work():
        library.malloc(1000)
        together.wait()
    threads = [threading.Thread(target=work) for _ in range(together.parties)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
    library.fflush(None)

cli.run(main)
"""


def heaps(**environment):
    given = {key: os.environ[key] for key in os.environ if key != "MALLOC_ARENA_MAX"}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(cores=os.cpu_count())],
        capture_output=True,
        text=True,
        env={**given, **environment},
    )
    assert done.returncode == 0, done.stderr
    return len(re.findall(r"<heap nr=", done.stdout))


def test_threads_share_a_few():
    few = max(2, os.cpu_count() // 4)
    assert 1 <= heaps() <= few < heaps(MALLOC_ARENA_MAX=str(8 * os.cpu_count()))


def test_what_refers_to_itself_is_collected_too():
    """As the graphs of an input pipeline do, whatever Python's own collector is about to do."""

    class Graph:
        pass

    gc.disable()
    try:
        graph = Graph()
        graph.function = {"graph": graph}
        there = weakref.ref(graph)
        del graph
        assert there() is not None
        freed_memory.collect()
        assert there() is None
    finally:
        gc.enable()


def test_each_evaluation_of_a_training_collects(tmp_path, monkeypatch):
    collected = []
    monkeypatch.setattr(freed_memory, "collect", lambda: collected.append(1))
    run.train_and_eval(linear_evaluated.experiment(str(tmp_path)))
    assert len(collected) == 2
