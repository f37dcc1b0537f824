"""What the commands about decisions share: records in files, and peers that do not run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from covey import limits
from covey.cli.reach import known
from covey.errors import StoreError, UsageError
from covey.system.decisions import DecisionFiles
from covey.system.home import Home
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """What a peer that does not run knows: its records, keys and names by nodeId."""

    book: DecisionFiles
    keys: Mapping[str, bytes]
    names: Mapping[str, str]


def kept(home: Home, name: str) -> Kept:
    """Read what a peer that does not run knows.

    Raises:
        NotRunningError: There is no such peer.
        CollisionError: It has just been started.
        StoreError: Its store cannot be read.
    """
    known(home, name)
    from covey.cli.peer import stored
    from covey.system import identity as ids

    with stored(home, name) as (store, node_id):
        bindings = store.bindings()
    own = ids.load(home.identity_path(name))
    keys = {each: bytes(key) for each, key, _, _ in bindings} | {node_id: own.public_key}
    names = {each: called for each, _, called, _ in bindings} | {node_id: own.name}
    return Kept(DecisionFiles(home.decisions_path(name)), keys, names)


def record_in(file: Path) -> object:
    """Return the record in a file, as `show --json` prints it or by itself.

    Raises:
        StoreError: It cannot be read.
        UsageError: It is no JSON.
    """
    most = limits.DECIDE_RECORD_BYTES * 2
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
        found = json.loads(content) if len(content) <= most else None
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: this is no JSON") from error
    return found.get("record", found) if isinstance(found, dict) else found
