"""One process per peer: an advisory lock that the system itself releases when the process ends.

Rules: the file is never removed (removing it would let two processes each hold "the" lock), and its content,
the holder's process id, is for people only; the lock is the truth.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from covey.errors import CollisionError, StoreError

_TRIES: Final = 5
_TRY_SECONDS: Final = 0.01
"""`running_pid` of another process holds a shared lock for microseconds; a start must not fail on that."""


class PeerLock:
    """A held lock. Make one with `acquire`; it lasts until `release` or the end of the process."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        """Wrap a descriptor whose lock is held; see `acquire`."""
        self._descriptor = descriptor

    @staticmethod
    def acquire(path: Path, name: str) -> PeerLock:
        """Take the lock of the peer called `name`.

        Raises:
            CollisionError: Another process runs this peer.
            StoreError: The file cannot be opened or locked.
        """
        descriptor = _open(path)
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise _taken(name, holder) from error
            raise StoreError(f"cannot lock {path}: {error.strerror}") from error
        return PeerLock(descriptor)

    def release(self) -> None:
        """Let go; calling it twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def running_pid(path: Path) -> int | None:
    """Return the id of the process that holds the lock, 0 where it does not say, None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        # No file, or none we may open: in neither case do we know of a holder.
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _holder(descriptor) or 0
    finally:
        os.close(descriptor)
    return None


def wait_until_free(path: Path, wait_seconds: float) -> bool:
    """Wait until nobody holds the lock; False when the time runs out first. For commands without a loop."""
    deadline = time.monotonic() + wait_seconds
    while running_pid(path) is not None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_TRY_SECONDS)
    return True


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(
            f"cannot open lock {path}: {error.strerror}", hint="check that the folder is yours"
        ) from error


def _lock(descriptor: int) -> None:
    for _ in range(_TRIES):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_TRY_SECONDS)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None


def _taken(name: str, holder: int | None) -> CollisionError:
    by = "" if holder is None else f" (process {holder})"
    return CollisionError(
        f'peer "{name}" is already running{by}',
        code="already_running",
        hint=f"stop it with `covey stop {name}`, or give this one another name",
    )
