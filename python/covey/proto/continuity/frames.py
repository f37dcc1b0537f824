"""The frame of continuity, `x-covey-continuity`: an operation and its members, read in one place.

| op | members | who says it to whom |
|---|---|---|
| `line` | `line` | anybody to anybody: what is proved of an agent |
| `beat` | `agent`, `epoch`, `write`, `heads` | a holder to who keeps a replica: how far its writes reach |
| `held` | `agent`, `epoch`, `write` | the answer: all of that is durable here |
| `ask` | `term`, `plan`, `next`, `release` | who wants to hold an agent, to each voter |
| `vote` | `agent`, `epoch`, `term`, `vote`, `reason`, `least` | the answer: a signature, or why not |
| `release` | `agent`, `release`, `payload` | a holder to whom it hands the agent |
| `offer` | `agent`, `classes`, `bytes` | a holder to a node it wants to push an agent to |
| `viable` | `agent`, `refusal`, `report` | the answer: why not (empty: it can), and facts of the node |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from covey import limits
from covey.proto.continuity.values import ProofError

TYPE: Final = "x-covey-continuity"
TOKEN: Final = "x-covey-continuity-v1"
_MEMBERS: Final[Mapping[str, Mapping[str, type | tuple[type, ...]]]] = {
    "line": {"line": dict},
    "beat": {"agent": str, "epoch": int, "write": int, "heads": dict},
    "held": {"agent": str, "epoch": int, "write": int},
    "ask": {"term": dict, "plan": str, "next": (dict, type(None)), "release": (dict, type(None))},
    "vote": {"agent": str, "epoch": int, "term": str, "vote": (str, type(None)), "reason": str, "least": int},
    "release": {"agent": str, "release": dict, "payload": (dict, type(None))},
    "offer": {"agent": str, "classes": list, "bytes": int},
    "viable": {"agent": str, "refusal": str, "report": dict},
}


def write(op: str, **members: Any) -> bytes:
    """Return the bytes of one frame."""
    frame = {"type": TYPE, "op": op, **members}
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()


def read(raw: bytes) -> tuple[str, dict[str, Any]]:
    """Read one frame of a peer: its operation, and its members by name, each of its kind and in bounds.

    Raises:
        ProofError: Its shape is not as described; nothing of it was used.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProofError("json") from error
    op = value.get("op") if isinstance(value, dict) else None
    known = _MEMBERS.get(op) if isinstance(op, str) else None
    if known is None or not isinstance(op, str) or value.keys() != {"type", "op", *known}:
        raise ProofError("op, or its members")
    found = {name: value[name] for name in known}
    for name, kind in known.items():
        each = found[name]
        if not isinstance(each, kind) or isinstance(each, bool):
            raise ProofError(name)
        if isinstance(each, int) and not 0 <= each <= limits.JSON_INTEGER:
            raise ProofError(name)
        if isinstance(each, str) and len(each) > limits.CONTINUITY_REPORT_CHARS:
            raise ProofError(name)
    for name in {"heads", "report", "classes"} & found.keys():
        _check_small(name, found[name])
    return op, found


def _check_small(name: str, value: dict[str, Any] | list[Any]) -> None:
    """Refuse more entries, or longer ones, than any honest peer sends."""
    if len(value) > limits.CONTINUITY_CLASSES:
        raise ProofError(name)
    for each in value.values() if isinstance(value, dict) else value:
        number = type(each) is int and 0 <= each <= limits.JSON_INTEGER
        text = isinstance(each, str) and len(each) <= limits.CONTINUITY_REPORT_CHARS
        if not (number if name == "heads" else text if name == "classes" else number or text):
            raise ProofError(name)
