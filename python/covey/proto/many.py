"""Many own blocks at once: signed already, from the store to every peer's queue, without a value for each.

What is said here is for everybody and names no parents. The batch is durable as a whole or not at all; then
each peer takes as many of its blocks, in order, as its queue has room for, and the answer says how many.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from covey import limits
from covey.model import EmissionRefused, PeerSend, SendState
from covey.proto.effects import Done, EmitBatch, Notify, Reply, StoreBatch
from covey.proto.inbox import block_of
from covey.proto.news import Emitted
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.link import Peer
    from covey.proto.sessions import Sessions
    from covey.proto.turn import Turn

FULL = "queue full: the peer reads too slowly"


@dataclass(frozen=True, slots=True)
class LineRefused:
    """A line that became no block. `reason` is a stable word, `detail` is for a person."""

    line: int
    """From 1, empty lines counted."""
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class PeerTook:
    """How many blocks of a batch are on their way to one peer, and how many found its queue full."""

    node_id: str
    name: str
    taken: int
    refused: int
    state: SendState
    """Of those taken: accepted, or unknown where they wait for a peer that is away or slow."""


@dataclass(frozen=True, slots=True)
class EmittedMany:
    """What became of many lines: `minted` are durable now; of `duplicates`, lines, the content was held."""

    minted: int
    duplicates: tuple[int, ...] = ()
    refused: tuple[LineRefused, ...] = ()
    sends: tuple[PeerTook, ...] = ()


ManyResult = EmittedMany | EmissionRefused


class Many:
    """Batches between signature and store.

    Args:
        intake: Learns what was said.
        sessions: Whose peers get it.
        recent: The newest own broadcast records, for late joiners.
    """

    def __init__(self, intake: _core.Intake, sessions: Sessions, recent: deque[_core.Record]) -> None:
        self._intake = intake
        self._sessions = sessions
        self._recent = recent
        self._pending: dict[int, EmitBatch] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def begin(self, wanted: EmitBatch, token: int, turn: Turn, *, stopping: bool) -> None:
        """Ask for the storage of a batch, or answer at once."""
        for _, reason, _ in wanted.batch.refused:
            turn.count(f"emissions.refused.{reason}")
        if stopping:
            turn.count("emissions.refused.stopping", len(wanted.batch))
            turn.add(Reply(wanted.token, EmissionRefused("stopping", "this peer is shutting down")))
        elif len(wanted.batch):
            self._pending[token] = wanted
            turn.add(StoreBatch(token, wanted.batch, turn.now.wall_ms))
        else:
            turn.add(Reply(wanted.token, _result(wanted.batch, 0)))

    def stored(self, done: Done, turn: Turn) -> bool:
        """Take the store's answer; tell whether the token was a batch's."""
        wanted = self._pending.pop(done.token, None)
        if wanted is None:
            return False
        held = sorted(done.held)
        batch = wanted.batch.without(held) if held else wanted.batch
        turn.count("emissions.duplicate", len(held))
        turn.count("emissions.minted", len(batch))
        batch.admit(self._intake, turn.now.wall_ms)
        first = max(0, len(batch) - limits.ANCHOR_REPLAY_RECORDS)
        self._recent.extend(batch[place] for place in range(first, len(batch)))
        peers = tuple(self._sessions.peers.values())
        sends = tuple(_offered(peer, batch, turn) for peer in peers)
        duplicates = tuple(wanted.batch.lines(held))
        turn.add(Reply(wanted.token, _result(wanted.batch, len(batch), duplicates, sends)))
        for place in range(len(batch)) if turn.watched else ():
            each = tuple(_send(took, place) for took in sends)
            turn.add(Notify(Emitted(block_of(batch[place]), each)))
        for peer in peers:
            self._sessions.pump(peer, turn)
        return True

    def failed(self, token: int, reason: str, turn: Turn) -> bool:
        """Take the store's refusal; tell whether the token was a batch's."""
        wanted = self._pending.pop(token, None)
        if wanted is None:
            return False
        turn.count("emissions.refused.store", len(wanted.batch))
        turn.add(Reply(wanted.token, EmissionRefused("store", f"not stored, so not sent: {reason}")))
        return True


def _offered(peer: Peer, batch: _core.OwnBatch, turn: Turn) -> PeerTook:
    if not peer.outlet:
        peer.outlet.moved_at = turn.now.monotonic
    taken = batch.offer(peer.outlet.queue, limits.OUTLET_RECORDS, limits.OUTLET_BYTES)
    refused = len(batch) - taken
    turn.count("sends.refused.queue_full", refused)
    waits = peer.active is None or peer.active.slow
    state = SendState.UNKNOWN if waits else SendState.ACCEPTED
    return PeerTook(peer.node_id, peer.name, taken, refused, state)


def _send(took: PeerTook, place: int) -> PeerSend:
    """Return what became of one block of a batch at a peer, as those that watch hear it."""
    if place < took.taken:
        return PeerSend(took.node_id, took.name, took.state)
    return PeerSend(took.node_id, took.name, SendState.REFUSED, FULL)


def _result(
    batch: _core.OwnBatch, minted: int, duplicates: tuple[int, ...] = (), sends: tuple[PeerTook, ...] = ()
) -> EmittedMany:
    refused = tuple(LineRefused(*each) for each in batch.refused)
    return EmittedMany(minted, duplicates, refused, sends)
