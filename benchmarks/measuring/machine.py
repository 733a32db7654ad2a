"""What a number was measured on."""

import datetime
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def describe() -> dict:
    """JSON: processor, threads, load, GPU, versions and commit; what is not known is left out."""
    found: dict = {
        "processor": _processor(),
        "usable_cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load_average_1min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "commit": _commit(),
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        found["tensorflow"] = tensorflow.__version__
        found["gpus"] = [
            tensorflow.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tensorflow.config.list_physical_devices("GPU")
        ]
    return found


def in_words(machine: dict) -> str:
    """One line of `describe`."""
    gpus = ", ".join(machine.get("gpus", [])) or "no GPU"
    version = f", TensorFlow {machine['tensorflow']}" if "tensorflow" in machine else ""
    return (
        f"{machine['processor']}, {machine['usable_cores']} cores, load "
        f"{machine['load_average_1min']}, {gpus}{version}, commit {machine['commit']}"
    )


def _processor() -> str:
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
