"""Real stores for virtual peers: SQLite in a folder that goes away with the tests."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from covey import _core

_FOLDER = tempfile.TemporaryDirectory(
    prefix="covey-shelf-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None, ignore_cleanup_errors=True
)
_COUNT = itertools.count()


def new_file() -> Path:
    """Return a place for a store that does not exist yet."""
    return Path(_FOLDER.name) / f"{next(_COUNT)}.db"


def new_store(node_id: str) -> _core.Store:
    """Open an empty store; its file is gone at once, what it holds lives as long as it does."""
    path = new_file()
    store = _core.Store.open(path, node_id=node_id)
    for name in path.parent.glob(f"{path.name}*"):
        name.unlink()
    return store
