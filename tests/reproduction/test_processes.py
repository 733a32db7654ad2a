import os
import signal
import subprocess
import sys
import time

import pytest

from avatx.errors import UserError
from avatx.reproduction.processes import alone_in

# Holds a folder, starts a sleeping child, prints both process ids, waits.
HOLDER = """
import os, pathlib, sys, time
from avatx.reproduction.processes import alone_in, start
with alone_in(pathlib.Path(sys.argv[1])):
    child = start([sys.executable, "-c", "import time; time.sleep(60)"])
    print(os.getpid(), child.pid, flush=True)
    time.sleep(60)
"""


def gone(pid):
    for _ in range(200):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "a b")], stdout=subprocess.PIPE, text=True
    )
    _, child = map(int, process.stdout.readline().split())
    yield process, child
    process.kill()
    process.wait()


def test_a_second_program_is_refused_and_told_which_is_there(holder, tmp_path):
    process, _ = holder
    with pytest.raises(UserError, match=f"process {process.pid}, or what it has started"):
        with alone_in(tmp_path / "a b"):
            pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux' prctl")
def test_a_killed_program_leaves_nothing_running_and_the_folder_free(holder, tmp_path):
    process, child = holder
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert gone(child)
    with alone_in(tmp_path / "a b"):
        pass


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="^output .*file/x: cannot be written"):
        with alone_in(tmp_path / "file" / "x"):
            pass
