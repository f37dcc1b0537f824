"""What a peer tells about its memory and its emissions, as plain JSON values; running or not.

Rules: reads only what it is handed; nothing here waits, sends or knows who asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol

from covey import limits
from covey.errors import IpcError, RefusedArgumentError
from covey.hindsight import Search
from covey.memory.lineage import ancestors
from covey.model import CAT7, LIFECYCLES, Block, Duplicate, EmissionRefused, Minted, said
from covey.ports import Archive, Carried, Memory, Outbox
from covey.runtime.emit import Emission

if TYPE_CHECKING:
    from covey._core import InboxRow, StoredRecord, StoreMail

Result = dict[str, Any]


class InboxStore(Protocol):
    """The durable inbox: what was delivered, in order, and how far somebody has read."""

    def inbox(self, cursor: int, limit: int) -> Sequence[InboxRow]:
        """Return deliveries after `cursor`, oldest first."""
        ...

    def inbox_ack(self, cursor: int) -> None:
        """Remember that everything up to `cursor` was read."""
        ...

    def inbox_cursor(self) -> int:
        """Return how far was read."""
        ...

    @property
    def mail(self) -> StoreMail:
        """Return what is known of gaps."""
        ...


class Traced(Memory, Carried, Protocol):
    """Memory whose blocks can be traced to their roots."""


class Archived(Memory, Archive, Protocol):
    """Memory that can be walked in both directions."""


def read_inbox(store: InboxStore, after: int | None, limit: int, ack: bool) -> Result:
    """Return deliveries after a position, where to go on, and what is missing among them.

    Args:
        store: The inbox.
        after: The position; None means the acknowledged one.
        limit: Most deliveries.
        ack: True to acknowledge what is returned.
    """
    start = store.inbox_cursor() if after is None else after
    rows = store.inbox(start, limit)
    end = rows[-1].seq if rows else start
    if ack and rows:
        store.inbox_ack(end)
    listed = [
        {
            "seq": row.seq,
            "from_node_id": row.from_node_id,
            "received_ms": row.received_ms,
            "ingested": row.ingested,
            "directed": row.directed,
            "number": row.number,
            "finished": row.finished,
            "block": block_as_dict(row.record),
        }
        for row in rows
    ]
    return {"deliveries": listed, "cursor": end, "gaps": _gaps(store, start, end, rows)}


def _gaps(store: InboxStore, start: int, end: int, rows: Sequence[InboxRow]) -> list[Result]:
    """Return what is missing between two positions: numbers of a sender, and rows nobody read in time."""
    found: list[Result] = []
    if rows and rows[0].seq > start + 1:
        missed = {"first": start + 1, "last": rows[0].seq - 1}
        found.append({"of": "inbox", **missed, "reason": "nobody read them in time", "late": False})
    for gap in store.mail.gaps(start, end, limits.IPC_RECALL_BLOCKS):
        span = {"first": gap.first, "last": gap.last or None}
        found.append({"of": gap.node_id, **span, "reason": gap.reason, "late": gap.late})
    return found


def outbox(memory: Outbox, limit: int) -> Result:
    """Return what was addressed to somebody and has not met its end, oldest first."""
    found = memory.outbox(limit)
    return {"outbox": [asdict(each) for each in found], "more": len(found) == limit}


def recalled(memory: Memory, query: str, limit: int) -> list[Result]:
    """Return matching blocks, best first; an empty query returns the newest."""
    blocks = memory.recall(query, limit) if query.strip() else memory.recent(limit)
    return [block_as_dict(block) for block in blocks]


def found(archive: Archive, search: Search, limit: int) -> Result:
    """Return what matches everything that is asked for; `capped` says that only the newest were looked at."""
    hits = archive.find(search, limit)
    return {"blocks": [block_as_dict(block) for block in hits.blocks], "capped": hits.capped}


def search_of(arguments: Mapping[str, Any]) -> Search:
    """Read what to look for.

    Raises:
        IpcError: It names the argument that is wrong.
    """
    asked: dict[str, Any] = {}
    for name, kind in _SEARCHED.items():
        value = arguments.get(name)
        if value is None:
            continue
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise RefusedArgumentError(f"{name}: expected {kind.__name__}")
        asked[name] = value
    for name, known in (("category", CAT7), ("lifecycle", LIFECYCLES)):
        if asked.get(name, known[0]) not in known:
            raise RefusedArgumentError(f"{name}: expected one of {', '.join(known)}")
    return Search(**asked)


_SEARCHED: Final[dict[str, type]] = {
    "text": str,
    "category": str,
    "author": str,
    "label": str,
    "own": bool,
    "room": str,
    "from_ms": int,
    "to_ms": int,
    "lifecycle": str,
    "below": str,
    "above": str,
}


def trace(memory: Traced, key: str, depth: int) -> Result:
    """Return a block and its ancestors, nearest first, with what is missing.

    Returns:
        `{"root": key, "chain": [{"depth", "block"} …], "missing": [keys], "cut": bool, "tether"}`; the
        chain's first entry is the block itself, at depth 0. The tether is that of `standing`; `attested` in
        an entry is what its author says of it, as `attested_of` weighs it.

    Raises:
        IpcError: The block is not held here (`unknown_block`).
    """
    start = memory.block(key)
    if start is None:
        raise IpcError(f"no such block here: {key[:80]}", code="unknown_block", hint="keys begin with cmb-")
    walk = ancestors(memory.block, [start], depth=depth)
    chain: list[Result] = [{"depth": 0, "block": block_as_dict(start)}]
    chain += [{"depth": each.depth, "block": block_as_dict(each.block)} for each in walk.ancestors]
    told = attested_of(memory, [start, *(each.block for each in walk.ancestors)])
    for each in chain:
        each["attested"] = told.get(each["block"]["key"])
    found = {"root": key, "chain": chain, "missing": list(walk.missing), "cut": walk.cut}
    return {**found, "tether": standing(memory, key)}


def attested_of(memory: Traced, blocks: Sequence[Block]) -> dict[str, Result]:
    """Weigh the tether attestations that held blocks carry (MMP 2.0 §15.8); only those that carry one.

    Returns:
        For each such block `{"standing", "root", "kernel", "drift", "here", "detail", "meaning"}`.
    """
    from covey.cognition.attested import MEANINGS, attested
    from covey.cognition.tether import SCHEMA

    carrying = {block.key: memory.carried(block.key, SCHEMA) for block in blocks if block.parents}
    if not any(carrying.values()):
        return {}
    keys, found = memory.author_keys(), {}
    for block in blocks:
        carried = carrying.get(block.key)
        if carried is not None:
            own = memory.is_own(block)
            said = attested(block, carried, keys.get(block.node_id), memory.block, own=own)
            found[block.key] = {**asdict(said), "meaning": MEANINGS[said.standing]}
    return found


def descendants(memory: Archived, key: str, depth: int) -> Result:
    """Return a block and what names it as parent, and so on, nearest first.

    Returns:
        As `trace` does, with `"down": True` and no tether; nothing is ever missing. Over
        `limits.LINEAGE_BLOCKS` blocks, or past the depth, it is cut.

    Raises:
        IpcError: The block is not held here (`unknown_block`).
    """
    start = memory.block(key)
    if start is None:
        raise IpcError(f"no such block here: {key[:80]}", code="unknown_block", hint="keys begin with cmb-")
    chain, seen, frontier, cut = [{"depth": 0, "block": block_as_dict(start)}], {key}, [key], False
    for level in range(1, depth + 2):
        below = dict.fromkeys(child for each in frontier for child in memory.children(each))
        fresh = [child for child in below if child not in seen]
        room = limits.LINEAGE_BLOCKS - len(chain) if level <= depth else 0
        cut = cut or room < len(fresh)
        seen.update(fresh)
        # A child may hold the key in one category only: that is lineage of the category, not of the block.
        held = [block for child in fresh[:room] if (block := memory.block(child)) is not None]
        above = frozenset(frontier)
        held = [block for block in held if not above.isdisjoint(block.parents)]
        frontier = [block.key for block in held]
        chain += [{"depth": level, "block": block_as_dict(block)} for block in held]
        if not frontier:
            break
    return {"root": key, "chain": chain, "missing": [], "cut": cut, "down": True}


def standing(memory: Memory, key: str) -> Result | None:
    """Measure a block against the oldest root that is held (MMP 2.0 §15.8), in this build's kernel.

    Returns:
        `{"root", "kernel", "drift", "tethered"}`; None where it has no parents, is feedback (which claims
        nothing of what its parents say), or nothing can be measured.
    """
    from covey import _core
    from covey.cognition.tether import anchor_of, compared, is_feedback

    block = memory.block(key)
    if block is None or is_feedback(block.categories):
        return None
    anchor = anchor_of(memory.block, block.parents)
    if anchor is None:
        return None
    tether = _core.Tether.of_texts(*compared(block.categories, anchor.categories))
    if not tether.checked:
        return None
    return {
        "root": anchor.key,
        "kernel": tether.kernel,
        "drift": tether.drift,
        "tethered": tether.tethered,
    }


def block_as_dict(block: Block | StoredRecord) -> Result:
    """Return a block as plain JSON values; `said` holds only the categories that say something."""
    return {
        "key": block.key,
        "assertion_id": block.assertion_id,
        "node_id": block.node_id,
        "author": block.author,
        "created_ms": block.created_ms,
        "room": block.room,
        "to": block.to,
        "parents": list(block.parents),
        "said": said(block.categories),
        "proof": block.proof,
        "lifecycle": block.lifecycle,
    }


def emission_as_dict(emission: Emission) -> Result:
    """Return an emission as plain JSON values; `result` is minted, duplicate or refused."""
    sends = [asdict(send) for send in emission.sends]
    match emission.result:
        case Minted(block=block):
            return {
                "result": "minted",
                "block": block_as_dict(block),
                "sends": sends,
                "settled": emission.settled,
                "taken": emission.taken,
            }
        case Duplicate(key=key):
            return {"result": "duplicate", "key": key}
        case EmissionRefused(reason=reason, detail=detail):
            return {"result": "refused", "reason": reason, "detail": detail}
