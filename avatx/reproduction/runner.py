"""Runs rows x seeds as processes of tools/model_main.py: some at once, resumable, with progress.

    OUTPUT/rows/ROW/seed1/            the model directory of one run
    OUTPUT/rows/ROW/seed1.json        what it ran with; written when it is done
    OUTPUT/rows/ROW/seed1.log         what it printed
    OUTPUT/rows/ROW/seed1.begun       the fingerprint of what it runs with, from its beginning

A run that was cut off goes on where it was. One that is done is not run again; if its config has
changed since, that is an error: results of two configs do not belong into one table.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from avatx.atomic_file import atomic_text_file
from avatx.errors import UserError
from avatx.reproduction.processes import start

_STEP = re.compile(r"step +(\d+)/(\d+)")


class Run(NamedTuple):
    """One row with one seed."""

    row: str
    seed: int
    config_path: pathlib.Path
    overrides: Tuple[str, ...]
    directory: pathlib.Path  # the model directory
    checkpoint_dir: Optional[pathlib.Path] = None  # of the run that this one evaluates

    @property
    def name(self) -> str:
        return f"{self.row} seed {self.seed}"

    @property
    def record(self) -> pathlib.Path:
        return self.directory.with_name(self.directory.name + ".json")

    @property
    def log(self) -> pathlib.Path:
        return self.directory.with_name(self.directory.name + ".log")

    @property
    def begun(self) -> pathlib.Path:
        return self.directory.with_name(self.directory.name + ".begun")

    @property
    def metrics(self) -> pathlib.Path:
        return self.directory / "metrics.json"

    def fingerprint(self) -> str:
        """Of everything that decides the result: the config without its comments, the overrides."""
        text = re.sub(r"#[^\n]*", "", self.config_path.read_text(encoding="utf-8"))
        content = json.dumps([text.split(), self.overrides])
        return hashlib.sha256(content.encode()).hexdigest()


def finished(run: Run) -> Optional[Dict[str, Any]]:
    """The record of a run that is done, None of another, or if its metrics.json is gone.

    Raises:
      UserError: it was made, or only begun, with another config or other overrides; or a file
        of it is damaged.
    """
    record = _read_json(run.record) if run.record.exists() else None
    used = record.get("fingerprint") if record else None
    if record is None and run.begun.exists() and run.directory.exists():
        used = run.begun.read_text(encoding="utf-8").strip()
    if (record or used) and used != run.fingerprint():
        raise UserError(
            f"{run.directory}: was made with another {run.config_path.name} or other overrides; "
            "remove it and the files beside it, or choose another --output"
        )
    return record if record and run.metrics.exists() else None


def command(tools: pathlib.Path, run: Run) -> List[str]:
    """The command line that trains and evaluates, or evaluates another run's checkpoint."""
    line = [str(tools / "model_main.py"), "--pipeline_config_path", str(run.config_path),
            "--model_dir", str(run.directory)]  # fmt: skip
    if run.checkpoint_dir:
        line += ["--mode", "eval", "--checkpoint_dir", str(run.checkpoint_dir)]
    else:
        line += ["--mode", "train_and_eval"]
    return [*line, "--override", *run.overrides]


def run_all(
    runs: Sequence[Run],
    make_command: Callable[[Run], List[str]],
    num_jobs: int,
    note: Dict[str, Any],
    interval: float = 60.0,
) -> None:
    """Runs what is not finished yet, in order, `num_jobs` at once, each on its share of the cores.

    Args:
      runs: a run that evaluates another's checkpoint comes after it.
      make_command: a run's arguments of the Python interpreter.
      note: kept in each run's record (commit, machine).
      interval: seconds between two lines of progress.

    Raises:
      UserError: some failed; all others were run. Says where their logs are.
    """
    waiting = [run for run in runs if finished(run) is None]
    cores = _share_cores(num_jobs)
    done, failed, running, begin = len(runs) - len(waiting), [], {}, time.monotonic()
    _say(f"{len(runs)} runs, {done} of them done already")
    next_line = begin + interval
    try:
        while waiting or running:
            blocked = {run.directory for run in [*waiting, *running]}
            free = [slot for slot in range(num_jobs) if slot not in
                    {job.slot for job in running.values()}]
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
                    raise UserError(f"{error.filename or run.directory}: cannot be written "
                                    f"({error.strerror})") from error
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
                _write_record(run, seconds, note)
                _say(f"{run.name}: done in {seconds / 60:.1f} min ({done} of {len(runs)})")
            if time.monotonic() > next_line and running:
                next_line = time.monotonic() + interval
                _say("; ".join(f"{run.name}: {_progress(run)}" for run in running)
                     + f"; {done} of {len(runs)} done")  # fmt: skip
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


def read_metrics(run: Run) -> Dict[str, Any]:
    """The content of a finished run's metrics.json. Raises UserError if it is damaged."""
    return _read_json(run.metrics)


def _read_json(path: pathlib.Path) -> Dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); remove it, and the run is made "
                        "again or goes on") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no JSON object; remove it, and the run is made again or "
                        "goes on")
    return content


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


def _start(run: Run, arguments: List[str], slot: int, cores: List[set]) -> _Job:
    run.directory.parent.mkdir(parents=True, exist_ok=True)
    run.begun.write_text(run.fingerprint(), encoding="utf-8")
    log = open(run.log, "a", encoding="utf-8")  # noqa: SIM115, closed when the job ends
    process = start([sys.executable, *arguments], stdout=log, stderr=subprocess.STDOUT)
    if cores:
        # TensorFlow makes as many threads as it may use cores, and looks after this.
        os.sched_setaffinity(process.pid, cores[slot])
    return _Job(process, log, slot, time.monotonic())


def _share_cores(num_jobs: int) -> List[set]:
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


def _write_record(run: Run, seconds: float, note: Dict[str, Any]) -> None:
    content = {"row": run.row, "seed": run.seed, "fingerprint": run.fingerprint(),
               "overrides": run.overrides, "seconds": round(seconds), **note}  # fmt: skip
    with atomic_text_file(run.record) as file:
        json.dump(content, file, indent=1)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
