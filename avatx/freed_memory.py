"""Keeps the memory of a long run level: what was freed is used again, or given back to the system.

Input pipelines come and go with the evaluations of a training, and memory grew by 3 to 10 MB an
evaluation, though nothing was lost (docs/reliability.md): their graphs refer to each other in
circles, which Python looks for when it happens to, some dozen evaluations later; and the C library
gives threads heaps of their own, up to eight a core, and what one of them freed the others do not
use. It and pyarrow also keep freed memory for their next request, where stages that each need tens
of megabytes for a moment would add up.
"""

import ctypes
import gc
import os
import sys

_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_heaps() -> None:
    """Lets all threads share a few heaps; does nothing where the C library is not glibc.

    To be called before the threads begin. MALLOC_ARENA_MAX and GLIBC_TUNABLES, where they are set,
    decide instead.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None and not {"MALLOC_ARENA_MAX", "GLIBC_TUNABLES"} & os.environ.keys():
        mallopt(_M_ARENA_MAX, max(2, (os.cpu_count() or 1) // 4))


def give_back() -> None:
    """Costs milliseconds; for where a large table is worked on in stages."""
    if "pyarrow" in sys.modules:
        import pyarrow

        pyarrow.default_memory_pool().release_unused()
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def collect() -> None:
    """As `give_back`, of what refers to itself in circles too: tenths of a second.

    For after an evaluation.
    """
    gc.collect()
    give_back()


def _of_glibc(name: str):
    """A function of the C library, or None if it is another one than glibc."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None
