"""The two rooms that tasks live in: desks of one process on a local bus, and peers of the mesh."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from covey import limits
from covey.errors import UsageError
from covey.fleet.capabilities import CapabilityError, Offer
from covey.fleet.message import Message
from covey.fleet.work.choice import Candidate
from covey.fleet.work.entry import Entry, entry_of
from covey.fleet.work.task import TaskError
from covey.proto.effects import Now
from covey.runtime.work.at_rest import DESK as _DESK
from covey.runtime.work.at_rest import desk_of

if TYPE_CHECKING:
    from covey.model import PeerView
    from covey.runtime.bus.mesh import MeshBus
    from covey.runtime.members import Members
    from covey.runtime.registry import Registry

T = TypeVar("T")


class Hall:
    """Desks of one process: what each offers is seen by all."""

    def __init__(self) -> None:
        self.offers: dict[tuple[str, str], Offer] = {}

    def room(self, name: str) -> LocalRoom:
        """Return the place of one desk in it."""
        return LocalRoom(self, name)


class LocalRoom:
    """One desk's view of a hall."""

    def __init__(self, hall: Hall, name: str) -> None:
        self._hall = hall
        self.node_id = name
        self.nickname = desk_of(name)

    def candidates(self) -> list[Candidate]:
        """Return every agent of the hall."""
        return [_candidate(each, self.node_id, None) for each in self._hall.offers.values()]

    def gone(self, node_id: str) -> bool:
        """Tell whether a desk offers nothing any more."""
        return all(name != node_id for name, _ in self._hall.offers)

    def route(self, node_id: str, nickname: str) -> str:
        """Return the nickname of a desk."""
        return nickname or desk_of(node_id)

    def origin(self, message: Message) -> str:
        """Return the desk that a message names as its sender: within one process nobody proves more."""
        return message.sender.removesuffix(f"/{_DESK}")

    def proof(self, message: Message) -> str:
        """Return nothing: messages of one process are not signed."""
        return ""

    def must_prove(self, node_id: str) -> bool:
        """Nothing is signed within one process."""
        return False

    def announce(self, agent: str, capabilities: Sequence[str], capacity: int) -> None:
        """Tell the hall what an agent can do."""
        self._hall.offers[self.node_id, agent] = _offer(agent, capabilities, capacity, self.node_id)

    def withdraw(self, agent: str) -> None:
        """Offer nothing of an agent any more."""
        self._hall.offers.pop((self.node_id, agent), None)

    def busy(self, agent: str, running: int) -> None:
        """Take note of how many tasks an agent has: its candidate says so."""
        offer = self._hall.offers.get((self.node_id, agent))
        if offer is not None:
            said = _offer(agent, offer.capabilities, offer.capacity, self.node_id, running)
            self._hall.offers[self.node_id, agent] = said


class MeshRoom:
    """One peer's view of the room it sits in.

    Args:
        node_id: Who it is.
        name: Its name.
        bus: Carries the messages, and knows who proved to have sent them.
        registry: Who can do what.
        members: Who lives.
    """

    def __init__(self, node_id: str, name: str, bus: MeshBus, registry: Registry, members: Members) -> None:
        self.node_id = node_id
        self.nickname = desk_of(name)
        self._bus = bus
        self._registry = registry
        self._members = members
        self._names: dict[str, str] = {}
        self._peers: Callable[[], Sequence[PeerView]] = tuple

    def attach(self, peers: Callable[[], Sequence[PeerView]]) -> None:
        """Take what tells how long each peer takes to answer."""
        self._peers = peers

    def candidates(self) -> list[Candidate]:
        """Return agents of peers that heed us, and the desks of peers here, which may know others."""
        found = []
        latencies = {each.node_id: _latency(each) for each in self._peers()}
        for offer in self._registry.agents():
            self._names[offer.node_id] = offer.peer
            found.append(_candidate(offer, self.node_id, latencies.get(offer.node_id)))
        for entry in self._bus.directory():
            self._names[entry.node_id] = entry.peer
            if desk_of(entry.peer) in entry.names:
                address = f"{_DESK}@{entry.node_id}"
                found.append(Candidate(address, entry.node_id, frozenset(), 1_000_000, forwards=True))
        return found

    def gone(self, node_id: str) -> bool:
        """Tell whether membership holds a peer for dead, or it said goodbye."""
        return node_id != self.node_id and self._members.state_of(node_id) in ("dead", "left")

    def route(self, node_id: str, nickname: str) -> str:
        """Return the recipient that reaches that peer and no other of its name, also one that is away."""
        if node_id == self.node_id:
            return self.nickname
        return f"{nickname or desk_of(self._names.get(node_id, node_id))}@{node_id}"

    def origin(self, message: Message) -> str:
        """Return the peer whose session or signature brought a message; without one it is from here."""
        return message.origin or self.node_id

    def proof(self, message: Message) -> str:
        """Return the record that a message came as."""
        signed = self._bus.proof(message.id)
        return "" if signed is None else signed.proof.decode()

    def must_prove(self, node_id: str) -> bool:
        """Results of other peers count only signed."""
        return node_id != self.node_id

    def announce(self, agent: str, capabilities: Sequence[str], capacity: int) -> None:
        """Tell the room what an agent can do.

        Raises:
            UsageError: It cannot be said.
        """
        try:
            self._registry.announce(agent, list(capabilities), capacity=capacity)
        except CapabilityError as error:
            raise UsageError(f"offer {agent}: {error}") from error

    def withdraw(self, agent: str) -> None:
        """Offer nothing of an agent any more."""
        self._registry.withdraw(agent)

    def busy(self, agent: str, running: int) -> None:
        """Tell the room how many tasks an agent has."""
        self._registry.busy(agent, running)


class MemoryKeeper:
    """Rows that live as long as the process: for one whose tasks end with it."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    async def load(self) -> list[bytes]:
        """Return every row."""
        return list(self.rows.values())

    async def keep(self, rows: Sequence[tuple[str, bytes]], dropped: Sequence[str]) -> None:
        """Keep rows, drop others."""
        self.rows.update(rows)
        for each in dropped:
            self.rows.pop(each, None)


def read_rows(rows: Sequence[bytes]) -> list[Entry]:
    """Return the tasks that rows hold, to be shown; rows that are none are left out."""
    found = []
    for row in rows:
        with contextlib.suppress(TaskError):
            found.append(entry_of(row, Now(0, 0.0), limits.TASK_LEASE_SECONDS))
    return found


def _offer(agent: str, capabilities: Sequence[str], capacity: int, peer: str, running: int = 0) -> Offer:
    try:
        return Offer(agent, tuple(capabilities), capacity, running, peer, peer)
    except CapabilityError as error:
        raise UsageError(f"offer {agent}: {error}") from error


def _latency(peer: PeerView) -> float | None:
    return min((each.rtt_ms for each in peer.paths if each.rtt_ms is not None), default=None)


def _candidate(offer: Offer, here: str, latency_ms: float | None) -> Candidate:
    return Candidate(
        f"{offer.nickname}@{offer.node_id}",
        offer.node_id,
        frozenset(offer.capabilities),
        offer.capacity,
        offer.running,
        latency_ms,
        own=offer.node_id == here,
    )
