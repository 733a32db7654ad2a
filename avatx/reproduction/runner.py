"""Runs rows x seeds as processes of tools/model_main.py: some at once, resumable, with progress.

A run that was cut off goes on where it was. One that is done is not run again; what belongs to a
run, and when it is done, is `avatx.reproduction.run`.
"""

import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from avatx.errors import UserError
from avatx.reproduction.processes import start
from avatx.reproduction.run import Run, finished, write_begun, write_record

_STEP = re.compile(r"step +(\d+)/(\d+)")


def command(tools: pathlib.Path, run: Run) -> list[str]:
    """The command line that trains and evaluates, or evaluates another run's checkpoint."""
    line = [
        str(tools / "model_main.py"),
        "--pipeline_config_path",
        str(run.config_path),
        "--model_dir",
        str(run.directory),
    ]
    if run.checkpoint_dir:
        line += ["--mode", "eval", "--checkpoint", str(run.checkpoint_dir)]
    else:
        line += ["--mode", "train_and_eval"]
    return [*line, "--override", *run.overrides]


def run_all(
    runs: Sequence[Run],
    make_command: Callable[[Run], list[str]],
    num_jobs: int,
    note: dict[str, Any],
    interval: float = 60.0,
) -> None:
    """Runs what is not finished yet, in order, `num_jobs` at once, each on its share of the cores.

    Args:
      runs: a run that evaluates another's checkpoint comes after it.
      make_command: a run's arguments of the Python interpreter.
      num_jobs: processes at once.
      note: kept in each run's record (commit, machine).
      interval: seconds between two lines of progress.

    Raises:
      UserError: some failed; all others were run. Says where their logs are.
    """
    waiting = [run for run in runs if finished(run) is None]
    cores = _share_cores(num_jobs)
    failed: list[Run] = []
    running: dict[Run, _Job] = {}
    done, begin = len(runs) - len(waiting), time.monotonic()
    _say(f"{len(runs)} runs, {done} of them done already")
    next_line = begin + interval
    try:
        while waiting or running:
            blocked = {run.directory for run in [*waiting, *running]}
            free = [
                slot
                for slot in range(num_jobs)
                if slot not in {job.slot for job in running.values()}
            ]
            for run in list(waiting):
                if not free:
                    break
                if run.checkpoint_dir in blocked:
                    continue
                waiting.remove(run)
                if run.checkpoint_dir in {one.directory for one in failed}:
                    failed.append(run)
                    continue
                try:
                    running[run] = _start(run, make_command(run), free.pop(0), cores)
                except OSError as error:
                    raise UserError(
                        f"{error.filename or run.directory}: cannot be written ({error.strerror})"
                    ) from error
                _say(f"{run.name}: begins")
            time.sleep(min(0.5, interval / 4))
            for run, job in list(running.items()):
                if job.process.poll() is None:
                    continue
                del running[run]
                job.log.close()
                if job.process.returncode:
                    failed.append(run)
                    _say(f"{run.name}: failed, {_why(job.process.returncode, run.log)}")
                    continue
                if not run.metrics.exists():
                    failed.append(run)
                    _say(f"{run.name}: failed, it ended well but wrote no {run.metrics}")
                    continue
                done += 1
                seconds = time.monotonic() - job.begin
                write_record(run, seconds, note)
                _say(f"{run.name}: done in {seconds / 60:.1f} min ({done} of {len(runs)})")
            if time.monotonic() > next_line and running:
                next_line = time.monotonic() + interval
                _say(
                    "; ".join(f"{run.name}: {_progress(run)}" for run in running)
                    + f"; {done} of {len(runs)} done"
                )
    finally:
        for job in running.values():
            job.process.terminate()
        for job in running.values():
            job.process.wait()
            job.log.close()
    if failed:
        raise UserError(
            f"{len(failed)} of {len(runs)} runs failed; see "
            + ", ".join(str(run.log) for run in failed if run.log.exists())
        )


def _why(code: int, log: pathlib.Path) -> str:
    """Of a process that failed: what it said last, or the signal that ended it."""
    return f"ended by signal {-code}" if code < 0 else last_line(log)


def last_line(path: pathlib.Path) -> str:
    """The last line of a log that says something."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "no output")


class _Job(NamedTuple):
    process: subprocess.Popen
    log: Any
    slot: int
    begin: float


def _start(run: Run, arguments: list[str], slot: int, cores: list[set]) -> _Job:
    run.directory.parent.mkdir(parents=True, exist_ok=True)
    write_begun(run)
    log = open(run.log, "a", encoding="utf-8")  # noqa: SIM115, closed when the job ends
    process = start([sys.executable, *arguments], stdout=log, stderr=subprocess.STDOUT)
    if cores:
        # TensorFlow makes as many threads as it may use cores, and looks after this.
        os.sched_setaffinity(process.pid, cores[slot])
    return _Job(process, log, slot, time.monotonic())


def _share_cores(num_jobs: int) -> list[set]:
    """The cores of each job; empty where the system cannot say or there are too few."""
    if num_jobs == 1 or not hasattr(os, "sched_setaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < num_jobs:
        return []
    return [set(cores[slot::num_jobs]) for slot in range(num_jobs)]


def _progress(run: Run) -> str:
    steps = _STEP.findall(run.log.read_text(encoding="utf-8", errors="replace"))
    return f"step {steps[-1][0]}/{steps[-1][1]}" if steps else "starting"


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
