"""Gives memory that was freed back to the system, where a large table is worked on in stages.

The C library and pyarrow keep freed memory for their next request. Stages that each need tens of
megabytes for a moment would add up.
"""

import ctypes
import sys


def give_back() -> None:
    """Costs milliseconds; does nothing where the C library is not glibc."""
    if "pyarrow" in sys.modules:
        import pyarrow

        pyarrow.default_memory_pool().release_unused()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
