"""What this process uses of the machine, by Prometheus' names; what a system does not tell is left out."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

_SELF = Path("/proc/self")


def usage() -> dict[str, float]:
    """Return processor seconds, resident bytes, start and open files of this process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    found = {"process_cpu_seconds_total": round(spent.ru_utime + spent.ru_stime, 3)}
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        found["process_max_fds"] = soft
    try:
        pages = int((_SELF / "statm").read_text(encoding="ascii").split()[1])
        ticks = int((_SELF / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
        boot = Path("/proc/stat").read_text(encoding="ascii").partition("\nbtime ")[2].split()[0]
        found["process_resident_memory_bytes"] = pages * os.sysconf("SC_PAGE_SIZE")
        began = int(boot) + ticks / os.sysconf("SC_CLK_TCK")
        found["process_start_time_seconds"] = round(began, 2)
        found["process_open_fds"] = sum(1 for _ in (_SELF / "fd").iterdir())
    except (OSError, ValueError, IndexError):
        # No /proc (macOS, a hardened container): the largest size so far is the nearest that is told.
        unit = 1 if sys.platform == "darwin" else 1_024
        found["process_resident_memory_bytes"] = spent.ru_maxrss * unit
    return found
