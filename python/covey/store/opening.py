"""Open a peer's store, and say in the product's own errors why it cannot be opened or read."""

from __future__ import annotations

from pathlib import Path

from covey import _core
from covey.errors import StoreError

_NEXT_STEPS = {
    "store_locked": "stop the peer that has it (covey stop), or ask that peer instead",
    "store_newer": "upgrade covey, or use another home (COVEY_HOME)",
    "store_foreign": "move the file away, or use another home (COVEY_HOME)",
    "store_not_a_database": "move the file away; covey makes a new store on the next start",
    "store_other_peer": "a peer's store and identity belong together; restore the one that is missing",
    "store_corrupt": "keep a copy of the file, then move it away; covey makes a new store on the next start",
    "store_unwritable": "move away what is in its place, or check the owner and mode of file and folder",
    "store_disk_full": "make room on the device",
}


def open_store(path: Path, node_id: str) -> _core.Store:
    """Open or create the store of `node_id`.

    Args:
        path: The database file; its folder must exist.
        node_id: Whose store it is. A file of another peer is refused.

    Raises:
        StoreError: It names the file, why, and the next step. Nothing was changed.
    """
    try:
        return _core.Store.open(path, node_id=node_id)
    except _core.CoreError as error:
        raise store_error(error) from error


def store_error(error: _core.CoreError) -> StoreError:
    """Return the product's error for a refusal of the native store."""
    return StoreError(error.detail, code=error.reason, hint=_NEXT_STEPS.get(error.reason))
