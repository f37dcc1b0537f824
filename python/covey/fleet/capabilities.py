"""Who can do what: offers of agents, as one line of each member's signed word, and how they are found.

Rules: pure. An offer travels on membership, so it is as fresh as that is and ends with its member: a peer
that is dead, has left or is suspected past `SUSPECT_MOST` offers nothing. What somebody else wrote is read
leniently and bounded: what is not an offer is left out, and counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from covey import limits
from covey.errors import UsageError
from covey.fleet.arguments import WORD_EXPECTED, is_capability
from covey.fleet.message import is_nickname
from covey.values import dataclass

SUSPECT_MOST: Final = 0.5
"""The share of its time to answer after which a suspect is not handed work any more."""


class CapabilityError(UsageError):
    """An offer that cannot be made; says which part, and what was expected."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One agent with what it can do, as its peer last said.

    `capacity` is how many tasks it takes at once, `running` how many it has. `node_id` and `peer` say where
    it is; `heeded` whether that peer may wake agents here, which is the trust a task needs.
    """

    nickname: str
    capabilities: tuple[str, ...]
    capacity: int = 1
    running: int = 0
    node_id: str = ""
    peer: str = ""
    heeded: bool = True

    def __post_init__(self) -> None:
        if not is_nickname(self.nickname):
            raise CapabilityError(
                f"nickname: expected one word of at most 64 characters, got {self.nickname!r}"
            )
        if not 0 < len(self.capabilities) <= limits.PROFILE_CAPABILITIES:
            raise CapabilityError(f"capabilities: expected 1 to {limits.PROFILE_CAPABILITIES} words")
        for word in self.capabilities:
            if not is_capability(word):
                raise CapabilityError(f"capability: expected {WORD_EXPECTED}, got {str(word)[:80]!r}")
        for name, least in (("capacity", 1), ("running", 0)):
            number = getattr(self, name)
            if type(number) is not int or not least <= number <= limits.CAPABILITY_CAPACITY:
                raise CapabilityError(
                    f"{name}: expected an integer from {least} to {limits.CAPABILITY_CAPACITY}"
                )

    @property
    def load(self) -> float:
        """Return how much of its capacity is taken, from 0; past 1 tasks wait for it."""
        return self.running / self.capacity


@dataclass(frozen=True, slots=True)
class Standing:
    """One member as the registry reads it: its signed line, and how sure it is that it lives."""

    node_id: str
    peer: str
    alive: bool
    suspicion: float
    meta: str


def written(offers: Sequence[Offer]) -> str:
    """Return a member's line about itself.

    Raises:
        CapabilityError: They do not fit the line.
    """
    rows = [[each.nickname, list(each.capabilities), each.capacity, each.running] for each in offers]
    line = json.dumps({"agents": rows} if rows else {}, ensure_ascii=False, separators=(",", ":"))
    if len(line.encode()) > limits.MEMBER_META_BYTES:
        raise CapabilityError(
            f"capabilities: {len(line.encode())} bytes, and {limits.MEMBER_META_BYTES} fit: "
            "shorten words, or let several agents share one"
        )
    return line


def read(standing: Standing, *, heeded: bool) -> tuple[tuple[Offer, ...], int]:
    """Return the offers in a member's line, and how many entries are none."""
    try:
        line = json.loads(standing.meta)
    except (ValueError, RecursionError):
        return (), 1
    rows = line.get("agents", []) if isinstance(line, dict) else None
    if not isinstance(rows, list):
        return (), 1
    found: list[Offer] = []
    for row in rows:
        offer = _offer(row, standing, heeded=heeded)
        if offer is not None:
            found.append(offer)
    return tuple(found), len(rows) - len(found)


def _offer(row: Any, standing: Standing, *, heeded: bool) -> Offer | None:
    if not isinstance(row, list) or len(row) != 4 or not isinstance(row[1], list):
        return None
    nickname, words, capacity, running = row
    if not isinstance(nickname, str):
        return None
    try:
        return Offer(
            nickname, tuple(words), capacity, running, standing.node_id, standing.peer, heeded=heeded
        )
    except CapabilityError:
        return None


def living(standings: Iterable[Standing]) -> list[Standing]:
    """Return the members that work may go to."""
    return [each for each in standings if each.alive and each.suspicion <= SUSPECT_MOST]


def chosen(
    offers: Iterable[Offer], capability: str, where: Callable[[Offer], bool] = lambda _: True
) -> list[Offer]:
    """Return who can do something and meets a condition, the least loaded first, then by name and place."""
    able = [each for each in offers if capability in each.capabilities and where(each)]
    return sorted(able, key=lambda each: (each.load, each.nickname, each.node_id))
