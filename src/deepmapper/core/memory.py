"""How much memory there is, and one message for when it was not enough. Standard library only."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

from .files import format_size

# Limit of a container or a cluster job (control groups, version 2 and 1).
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def physical_memory() -> int:
    """Bytes of memory that this process can use at most: of the machine, its container or its shell."""
    amounts = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *shell_limit()]
    for file in _LIMITS:
        try:
            amounts.append(int(Path(file).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(amounts)


def shell_limit() -> list[int]:
    """Bytes of memory to which a shell limits each of its processes (``ulimit -v``); empty if there is no limit."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return [] if limit == resource.RLIM_INFINITY else [limit]


def available_memory() -> int:
    """Bytes of memory that are free at the moment."""
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return min(int(found[1]) * 1024 if found else physical_memory(), physical_memory())


def out_of_memory_message(error: MemoryError) -> str:
    """Describe a failed request for memory: what was needed if it is known, what there is, and what to do."""
    asked = f": {str(error).rstrip('.')}" if str(error) else ""
    if limit := shell_limit():
        return (
            f"there was not enough memory{asked}. The shell limits each process to {format_size(limit[0])}. Allow more "
            "(ulimit -v unlimited), or use a matrix with fewer samples or features."
        )
    return (
        f"there was not enough memory{asked}. This machine has {format_size(physical_memory())}, of which "
        f"{format_size(available_memory())} are free now. Close other programs or run fewer jobs at once (--cores), "
        "use a machine with more memory, or a matrix with fewer samples or features."
    )
