"""Private files that arrive whole or not at all: 0600 from their first byte, synced before they are named."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def write_new(path: Path, content: bytes) -> None:
    """Write a private file that does not exist yet, and sync it."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()  # left by a process of the same id that died here
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def create_whole(path: Path, content: bytes) -> None:
    """Write a private file that must not exist; it arrives whole or not at all.

    Raises:
        FileExistsError: There is one; it was not touched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_new(temporary, content)
        os.link(temporary, path)  # unlike a rename, this fails where a file exists
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    sync_folder(path.parent)


@contextlib.contextmanager
def growing(path: Path) -> Iterator[BinaryIO]:
    """Write a private file piece by piece; it must not exist, and has its name only once it is whole.

    Raises:
        FileExistsError: There is one; it was not touched.
    """
    if path.exists():
        raise FileExistsError(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_whole(path: Path, content: bytes) -> None:
    """Write a private file in place of what is there; a reader sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_new(temporary, content)
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    sync_folder(path.parent)
