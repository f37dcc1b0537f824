"""Whether a process lives."""

from __future__ import annotations

import os


def alive(pid: int) -> bool:
    """Tell whether a process of this id lives, as far as the system lets us ask."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
