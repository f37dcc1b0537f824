"""Who was asked, who answered and who did not: one question from its frames to its admitted claims.

Rules: on the loop's thread. The gathering of all is over before anything is composed (§12.9). What a
contribution is held against came signed with it, or is held here. Where an author has no key here, the
text must be that of its address, and whose it is stands on the contributor's word, marked: it could as well
have said it as its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from covey import _core, limits
from covey.cognition.ask.contributing import unpacked
from covey.cognition.ask.values import VOUCHED, Admitted, Contribution
from covey.proto.ask import words
from covey.proto.inbox import block_of
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.model import Block
    from covey.runtime.ask.ports import Shelf


@dataclass(frozen=True, slots=True)
class Silent:
    """A peer that contributed nothing, and why (`cognition.ask.values.QUIET`)."""

    node_id: str
    name: str
    reason: str


@dataclass(slots=True)
class Gathering:
    """One open question. `enough` is set whenever somebody's state changes."""

    key: str
    names: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """By nodeId: asked, contributed, or why nothing came."""
    came: list[words.Contributed] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    told: bool = False
    """Whether it is known yet to whom it went."""

    def asked(self, told: words.Asked) -> None:
        """Learn who is there."""
        for each in told.there:
            self.names[each.node_id] = each.name
            self.states.setdefault(each.node_id, each.state)
        self.told = True
        self.changed.set()

    def settle(self, node_id: str, state: str) -> None:
        """Take note of what became of one that was asked."""
        if self.states.get(node_id) == "asked":
            self.states[node_id] = state
            self.changed.set()

    def contributed(self, what: words.Contributed) -> None:
        """Take a contribution; one beyond the bound, or of somebody who was not asked, is left alone."""
        node_id = what.record.node_id
        if self.states.get(node_id) in ("asked", "no-word", "left") and len(self.came) < limits.ASK_PEERS:
            self.came.append(what)
            self.states[node_id] = "contributed"
            self.changed.set()

    async def over(self, seconds: float) -> None:
        """Wait until everybody has answered, or the time is up; who has not is without a word."""
        try:
            async with asyncio.timeout(seconds):
                while not self.told or "asked" in self.states.values():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            pass  # what came until now is what there is
        for node_id, state in self.states.items():
            if state == "asked":
                self.states[node_id] = "no-word"

    def silent(self) -> tuple[Silent, ...]:
        """Return who contributed nothing, by name."""
        quiet = (
            Silent(node_id, self.names.get(node_id, ""), state)
            for node_id, state in self.states.items()
            if state != "contributed"
        )
        return tuple(sorted(quiet, key=lambda each: (each.name, each.node_id)))


@dataclass(frozen=True, slots=True)
class Gathered:
    """A question whose gathering is over: its claims wait to be composed."""

    question: str
    key: str
    admitted: Admitted
    silent: tuple[Silent, ...]
    evidence: dict[str, _core.Record] = field(repr=False)
    """Contributions and sources by their keys, verified."""
    asked: int = 0
    seconds: float = 0.0


def proven(
    came: list[words.Contributed], shelf: Shelf, room: str
) -> tuple[list[Contribution], dict[str, _core.Record]]:
    """Hold contributions against their sources. Blocks.

    Args:
        came: Verified contributions.
        shelf: The own store: decisions about them, keys of authors, and what is held.
        room: The room: a source of another is none.

    Returns:
        Contributions with those of their sources that are proven, and every proven record by its key.

    Raises:
        StoreError: The store cannot be read.
    """
    keys = shelf.keys()
    found: list[Contribution] = []
    evidence: dict[str, _core.Record] = {}
    for each in came:
        record = each.record
        named = unpacked(record.application.data) if record.application is not None else None
        question = None if named is None else named[0]
        sources: list[Block] = []
        for author, row in () if named is None else named[1]:
            source = _source(author, row, keys)
            if source is None or source.key not in record.parents or source.key == question:
                continue
            if source.key in {s.key for s in sources}:
                continue
            block = block_of(source)
            if _open(block, room) and isinstance(source, _core.Record):
                sources.append(block)
                evidence[source.key] = source
            elif _open(block, room) and shelf.block(source.key) is None:
                sources.append(replace(block, proof=VOUCHED))
        shown = {source.key for source in sources}
        for key in [key for key in record.parents if key != question][: limits.ASK_SOURCES]:
            held = shelf.block(key) if key not in shown else None
            if held is not None and held.proof == "signature" and _open(held, room):
                sources.append(held)
        evidence[record.key] = record
        decided = next(iter(shelf.decisions(record.key, 1)), None)
        judged = None if decided is None else decided.judgement
        found.append(
            Contribution(
                block_of(record),
                tuple(sources),
                None if judged is None else judged.decision.value,
                None if judged is None else judged.total_drift,
                each.heeded,
                question,
            )
        )
    return found, evidence


def _source(author: str, row: bytes, keys: Mapping[str, bytes]) -> _core.Record | _core.Hearsay | None:
    """Return a record that its author signed, under the key bound to them here; None where it proves nothing.

    Of an author without a key here — one who spoke while the asker was not there — the text is proven by its
    address, and who contributes it vouches for whose it is.
    """
    try:
        claimed = _core.Unverified.parse(row)
        found = _core.verify(claimed, keys[author]) if author in keys else _core.address_only(claimed)
    except _core.CoreError:
        return None
    return found if found.node_id == author else None


def _open(block: Block, room: str) -> bool:
    return block.to is None and block.room == room
