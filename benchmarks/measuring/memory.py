"""Peak memory of this process and of its GPU."""

import contextlib
import pathlib
import resource
import sys


def reset_peaks() -> None:
    """Makes the peaks count from now; the host's only on Linux, elsewhere it keeps growing."""
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    if _gpus():
        _tensorflow().config.experimental.reset_memory_stats("GPU:0")


def peaks() -> dict[str, float]:
    """`host_mb` and, where TensorFlow has a GPU, `device_mb`: megabytes (1e6) of the first one."""
    found = {"host_mb": round(host_peak() / 1e6, 1)}
    if _gpus():
        info = _tensorflow().config.experimental.get_memory_info("GPU:0")
        found["device_mb"] = round(info["peak"] / 1e6, 1)
    return found


def host_peak() -> int:
    """Bytes."""
    try:
        for line in pathlib.Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _tensorflow():
    return sys.modules.get("tensorflow")


def _gpus() -> list:
    tensorflow = _tensorflow()  # never imported for this
    return tensorflow.config.list_logical_devices("GPU") if tensorflow else []
