"""What this machine has to train with; asked without TensorFlow."""

import os
import subprocess
from typing import NamedTuple


class Machine(NamedTuple):
    """Attributes:
    gpu_bytes: memory of the smallest GPU; 0 without one.
    ram_bytes: of the machine.
    """

    gpu_bytes: int
    ram_bytes: int

    @property
    def described(self) -> str:
        """For a comment."""
        if self.gpu_bytes:
            return f"a GPU of {self.gpu_bytes / 2**30:.0f} GiB"
        return f"a CPU with {self.ram_bytes / 2**30:.0f} GiB"


def this_machine() -> Machine:
    """The one at hand."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    gpus = []
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        gpus = [int(line) << 20 for line in told.stdout.split("\n") if line.strip().isdigit()]
    except (OSError, subprocess.SubprocessError):
        pass
    try:
        ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        ram = 8 << 30
    return Machine(min(gpus, default=0), ram)
