"""Bundles as files: inspected without a trace, or taken apart into a new folder. No peer is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from covey.cli.substrate import content, lines
from covey.errors import StoreError, UsageError

if TYPE_CHECKING:
    from covey.cli.console import Console


def inspect(file: Path, console: Console) -> int:
    """Print what a bundle says of itself; nothing is written anywhere.

    Raises:
        BundleError: It is none.
        StoreError: It cannot be read.
    """
    from covey.runtime.substrate import facts
    from covey.substrate.bundle import read

    found = facts(read(content(file)))
    console.result(found, "\n".join(lines.facts(found)))
    return 0


def extract(file: Path, folder: Path, console: Console) -> int:
    """Take a bundle apart into a new private folder, all of it or nothing.

    Raises:
        BundleError: It is refused; nothing was written.
        UsageError: The folder is there already.
        StoreError: It cannot be written.
    """
    from covey.runtime.substrate import facts
    from covey.substrate.bundle import read

    bundle = read(content(file))
    if os.path.lexists(folder):
        raise UsageError(f"it is there already: {folder}", hint="name a new folder")
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        beside.mkdir(mode=0o700)
        try:
            for name, raw in bundle.members.items():
                _put(beside / name, raw)
            beside.rename(folder)
        except BaseException:
            with contextlib.suppress(OSError):
                shutil.rmtree(beside)
            raise
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror or error}") from error
    said = {"folder": str(folder), "files": sorted(bundle.members), **facts(bundle)}
    listed = [f"extracted: {', '.join(sorted(bundle.members))} to {folder}", *lines.facts(said)]
    console.result(said, "\n".join([*listed, f"nothing was merged: covey substrate merge PEER {file}"]))
    return 0


def _put(path: Path, raw: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(raw)
