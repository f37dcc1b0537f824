"""What an agent's state is when it moves: entries by class, a signed description, what came too late.

Rules: pure. Entries are what a replica holds as JSON; a description names counts and hashes, so that whoever
takes the agent knows that it has all of it before it goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from covey import _core, limits, typed
from covey.errors import UsageError
from covey.values import dataclass

if TYPE_CHECKING:
    from covey._core import StateMap

PAYLOAD: Final = "covey-agent-payload-v1"
Entries = Mapping[str, bytes]
"""JSON bytes by name."""


@dataclass(frozen=True, slots=True)
class Late:
    """What an owner wrote after the point at which another went on: refused everywhere, set aside here."""

    operations: int
    names: tuple[tuple[str, bytes], ...]
    """Names that stand otherwise than at that point, with what was written (`null` where it was deleted)."""


def entries_of(state: StateMap | None) -> dict[str, bytes]:
    """Return what a replica of one class holds, by name."""
    if state is None:
        return {}
    held = ((name, state.get(name)) for name in state.names())
    return {name: found[1] for name, found in held if found is not None and found[0] == "json"}


def late_of(state: StateMap | None, owner: str, point: int) -> Late:
    """Return what an owner's replica has beyond its first `point` operations."""
    if state is None:
        return Late(0, ())
    beyond = state.seen.count(owner) - point
    if beyond <= 0:
        return Late(0, ())
    names: dict[str, None] = {}
    try:
        for delta in state.since(_core.VectorClock({owner: point})):
            names.update(dict.fromkeys(name for _, name in state.touched(delta)))
    except _core.CoreError:  # forgotten meanwhile; how many there were is still known
        return Late(beyond, ())
    found = []
    for name in list(names)[: limits.CONTINUITY_LATE_ENTRIES]:
        held = state.get(name)
        found.append((name, b"null" if held is None or held[0] != "json" else held[1]))
    return Late(beyond, tuple(found))


def described(classes: Mapping[str, Entries]) -> dict[str, dict[str, object]]:
    """Return how many entries each class has, and the hash over them."""
    return {label: {"entries": len(entries), "sha256": _hash(entries)} for label, entries in classes.items()}


def payload_body(
    agent: str, to: str, at_ms: int, version: str, config: str | None, classes: Mapping[str, Entries]
) -> bytes:
    """Return the description of a move that the agent signs.

    Raises:
        UsageError: The configuration is too long.
    """
    if config is not None and len(config.encode()) > limits.CONTINUITY_CONFIG_BYTES:
        raise UsageError(f"config: at most {limits.CONTINUITY_CONFIG_BYTES} bytes travel with an agent")
    facts = {"agent": agent, "to": to, "at_ms": at_ms, "version": version, "config": config}
    whole = {**facts, "classes": described(classes)}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def check_payload(
    payload: Mapping[str, Any], key: bytes, agent: str, to: str, classes: Mapping[str, Entries]
) -> str | None:
    """Verify a description against what is here; return the configuration that came with it.

    Raises:
        UsageError: It is not signed by the agent, not for this peer, or describes something else.
    """
    try:
        body = typed.text(payload["body"], "body", 8 * limits.CONTINUITY_CONFIG_BYTES).encode()  # escaped
        signature = bytes.fromhex(typed.text(payload["signature"], "signature", 128))
        _core.verify_statement(PAYLOAD, body, signature, key)
        facts = typed.loaded(body)
        who = (facts["agent"], facts["to"])
        config, said = facts["config"], facts["classes"]
    except (_core.CoreError, KeyError, TypeError, ValueError) as error:
        raise UsageError("payload: not readable, or not signed by the agent", code="bad_payload") from error
    if who != (agent, to):
        raise UsageError("payload: of another agent, or for another node", code="bad_payload")
    if said != described(classes):
        raise UsageError("payload: what is here is not what it describes", code="bad_payload")
    return None if config is None else _config(config)


def _config(value: object) -> str:
    try:  # half a character could neither be kept nor be shown
        return typed.text(value, "config", limits.CONTINUITY_CONFIG_BYTES)
    except typed.WrongTypeError as error:
        raise UsageError("payload: its configuration is no text, or too long", code="bad_payload") from error


def _hash(entries: Entries) -> str:
    sums = hashlib.sha256()
    for name, value in sorted(entries.items()):
        for part in (name.encode(), value):
            sums.update(len(part).to_bytes(8, "big") + part)
    return sums.hexdigest()


def as_json(text: str) -> bytes:
    """Return a text as the JSON bytes of an entry."""
    return json.dumps(text, ensure_ascii=False).encode()
