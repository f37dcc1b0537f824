"""The way of open blocks out to each peer: what waits, what was handed to a session, and every send's end.

accepted: handed to an open session. delivered or refused: the peer's receipt says so. unknown: it may or may
not have arrived. expired: it waited past its time. Without receipts a send ends as accepted.

What was handed to a session that ended before its receipt came is sent again on the next one: the receiver
knows a record by its key, so twice is once. Directed blocks have a way of their own (`proto/post`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from covey import limits
from covey.model import PeerSend, SendState
from covey.proto.effects import Notify
from covey.proto.news import SendSettled
from covey.proto.turn import Turn

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.legacy import Line
    from covey.proto.link import Link, Peer
    from covey.proto.receipts import Receipt


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One open record on its way."""

    record: _core.Record
    key: str
    assertion_id: str


def outgoing(record: _core.Record) -> Outgoing:
    """Read from a record what a send needs; once for all peers."""
    return Outgoing(record, record.key, record.assertion_id)


class Outlet:
    """One peer's queue: `waiting` is not sealed yet; `sent` was handed over and has no receipt."""

    __slots__ = ("moved_at", "sent", "waiting")

    def __init__(self) -> None:
        self.moved_at = 0.0
        """When it last got shorter, or a first record came in."""
        self.waiting: deque[Outgoing] = deque()
        self.sent: dict[str, tuple[Outgoing, int]] = {}
        """By assertion id: the record, and the link it was handed to."""

    def __len__(self) -> int:
        return len(self.waiting) + len(self.sent)

    @property
    def room(self) -> bool:
        """Tell whether one more record may wait."""
        return len(self) < limits.OUTLET_RECORDS

    def pressed(self, now: float) -> bool:
        """Tell whether an emission should wait: the queue is long, and its peer is still taking records."""
        return len(self) >= limits.OUTLET_PRESSED and now < self.moved_at + limits.OUTLET_STALLED_SECONDS

    def session_ended(self, link: int) -> None:
        """Put what this link took and no receipt names back in front of what waits, in its order."""
        again = [item for item, taken_by in self.sent.values() if taken_by == link]
        for item in again:
            del self.sent[item.assertion_id]
        self.waiting.extendleft(reversed(again))


def offer(peer: Peer, item: Outgoing, turn: Turn) -> PeerSend:
    """Queue a record for a peer; it leaves with the next `pump`.

    Returns:
        accepted when a session takes it now, unknown when it has to wait, refused when the queue is full.
    """
    if not peer.outlet.room:
        turn.count("sends.refused.queue_full")
        return PeerSend(peer.node_id, peer.name, SendState.REFUSED, "queue full: the peer reads too slowly")
    if not peer.outlet:
        peer.outlet.moved_at = turn.now.monotonic
    peer.outlet.waiting.append(item)
    if peer.active is None:
        return PeerSend(peer.node_id, peer.name, SendState.UNKNOWN, "away: sent when the peer comes back")
    if peer.active.full:
        return PeerSend(peer.node_id, peer.name, SendState.UNKNOWN, "slow: sent when the peer has read more")
    return PeerSend(peer.node_id, peer.name, SendState.ACCEPTED)


def pump(peer: Peer, link: Link, session: Line, turn: Turn) -> bool:
    """Seal everything that waits for a peer on this open session; tell whether there was anything."""
    outlet = peer.outlet
    if not outlet.waiting:
        return False
    items = tuple(outlet.waiting)
    outlet.waiting.clear()
    session.send_records([item.record for item in items])
    turn.count("records.sent", len(items))
    if peer.receipts:
        outlet.sent.update((item.assertion_id, (item, link.id)) for item in items)
    else:
        outlet.moved_at = turn.now.monotonic
        settle_all(peer, items, SendState.ACCEPTED, None, turn)
    return True


def receipted(peer: Peer, receipt: Receipt, turn: Turn) -> bool:
    """Move a send to the end its receipt states; False where it is about nothing that was sent so."""
    taken = peer.outlet.sent.pop(receipt.assertion_id, None)
    if taken is None:
        return False
    peer.outlet.moved_at = turn.now.monotonic
    _tell(peer, taken[0], receipt.state, receipt.reason or _word(receipt), turn)
    return True


def settle_all(
    peer: Peer, items: Iterable[Outgoing], state: SendState, reason: str | None, turn: Turn
) -> None:
    """End several sends the same way."""
    for item in items:
        _tell(peer, item, state, reason, turn)


def abandon(peer: Peer, state: SendState, reason: str, turn: Turn) -> None:
    """End everything still on its way to a peer."""
    outlet = peer.outlet
    items = (*(item for item, _ in outlet.sent.values()), *outlet.waiting)
    outlet.sent.clear()
    outlet.waiting.clear()
    for item in items:
        _tell(peer, item, state, reason, turn)


def _tell(peer: Peer, item: Outgoing, state: SendState, reason: str | None, turn: Turn) -> None:
    turn.count(f"sends.{state.value}")
    send = PeerSend(peer.node_id, peer.name, state, reason)
    turn.add(Notify(SendSettled(item.key, item.assertion_id, send)))


def _word(receipt: Receipt) -> str | None:
    """Name the outcome where the state alone does not."""
    return None if receipt.outcome == "admitted" else receipt.outcome
