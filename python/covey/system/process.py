"""What this process uses, by Prometheus' own names, and how many files it may open."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path

_SELF = Path("/proc/self")
_SYSTEM = Path("/proc/stat")


def usage() -> dict[str, float]:
    """Return processor seconds, resident bytes, start and open files of this process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    found = {"process_cpu_seconds_total": round(spent.ru_utime + spent.ru_stime, 3)}
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        found["process_max_fds"] = soft
    # No /proc (macOS): the largest size so far is the nearest that is told.
    found["process_resident_memory_bytes"] = spent.ru_maxrss * (1 if sys.platform == "darwin" else 1_024)
    # Each by itself: a hardened unit (ProcSubset=pid) shows a process its own folder and nothing else.
    with contextlib.suppress(OSError, ValueError, IndexError):
        found["process_resident_memory_bytes"] = _resident_bytes()
    with contextlib.suppress(OSError):
        found["process_open_fds"] = sum(1 for _ in (_SELF / "fd").iterdir())
    with contextlib.suppress(OSError, ValueError, IndexError):
        found["process_start_time_seconds"] = round(_start_seconds(), 2)
    return found


def allow_files(count: int) -> int:
    """Let this process have that many open files, as far as it may; return how many it may have now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        with contextlib.suppress(ValueError, OSError):  # a kernel's own bound below the hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return count if soft == resource.RLIM_INFINITY else soft


def _resident_bytes() -> int:
    return int((_SELF / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _start_seconds() -> float:
    ticks = int((_SELF / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
    boot = _SYSTEM.read_text(encoding="ascii").partition("\nbtime ")[2].split()[0]
    return int(boot) + ticks / os.sysconf("SC_CLK_TCK")
