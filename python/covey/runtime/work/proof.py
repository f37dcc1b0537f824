"""Whether a result's signed record says what its task's row says: for anybody who holds both, offline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from covey import _core, typed
from covey.proto.bus.words import SCHEMA

HOLDS: Final = "holds"
NONE: Final = "none: it was done at the submitter's own peer"


def checked(task: Mapping[str, Any], keys: Mapping[str, bytes]) -> str:
    """Return `holds`, or why a result is not proven by the record that came with it.

    Args:
        task: All that is known of a task (`Entry.whole`).
        keys: Public keys by nodeId, as they were bound here.
    """
    if task["state"] != "done":
        return f"none: the task is {task['state']}"
    if not task["proof"]:
        return NONE
    try:
        unverified = _core.Unverified.parse(task["proof"].encode())
        record = _core.verify(unverified, keys[task["signer"]])
        carried = record.application
        said = typed.loaded(carried.data)["message"]["payload"] if carried is not None else {}
    except KeyError:
        return "does not hold: the key of its author is not known here"
    except (_core.CoreError, ValueError, TypeError) as error:
        return f"does not hold: {error}"
    if (
        carried is None
        or carried.schema != SCHEMA
        or record.node_id != task["signer"]
        or not isinstance(said, dict)
    ):
        return "does not hold: the record is no message of that peer"
    wanted = (task["id"], task["fence"], "done", task["value"])
    if (said.get("task_id"), said.get("fence"), said.get("what"), said.get("value")) != wanted:
        return "does not hold: the record says something else"
    return HOLDS
