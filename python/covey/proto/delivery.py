"""The way of open blocks out to each peer: what waits, what was handed to a session, and every send's end.

accepted: handed to an open session, or first in line for its credit. delivered or refused: the peer's receipt
says so. unknown: it may or may not have arrived. expired: it waited past its time. Without receipts a send
ends as accepted.

What was handed to a session that ended before its receipt came is sent again on the next one: the receiver
knows a record by its key, so twice is once. Directed blocks have a way of their own (`proto/post`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey import _core, limits
from covey.model import PeerSend, SendState
from covey.proto.effects import Notify
from covey.proto.news import SendSettled
from covey.proto.receipts import STATES, BadReceiptError, Receipt
from covey.proto.turn import Turn

if TYPE_CHECKING:
    from covey.proto.legacy import Line
    from covey.proto.link import Link, Peer


class Outlet:
    """One peer's queue, kept natively: no Python value for a record that is only counted."""

    __slots__ = ("moved_at", "queue")

    def __init__(self) -> None:
        self.moved_at = 0.0
        """When it last got shorter, or a first record came in."""
        self.queue = _core.Outlet()

    def __len__(self) -> int:
        return len(self.queue)

    def pressed(self, now: float) -> bool:
        """Tell whether an emission should wait: the queue is long, and its peer is still taking records."""
        long = len(self.queue) >= limits.OUTLET_PRESSED
        return long and now < self.moved_at + limits.OUTLET_STALLED_SECONDS

    def session_ended(self, link: int) -> None:
        """Put what this link took and no receipt names back in front of what waits, in its order."""
        self.queue.ended(link)


def offer(peer: Peer, record: _core.Record, turn: Turn) -> PeerSend:
    """Queue a record for a peer; it leaves with the next `pump`.

    Returns:
        accepted when a session takes it now or with the peer's next credit, unknown when it has to wait for
        longer, refused when the queue is full.
    """
    outlet, active = peer.outlet, peer.active
    waiting = len(outlet.queue)
    if waiting >= limits.OUTLET_RECORDS or outlet.queue.size_bytes >= limits.OUTLET_BYTES:
        turn.count("sends.refused.queue_full")
        return PeerSend(peer.node_id, peer.name, SendState.REFUSED, "queue full: the peer reads too slowly")
    if not waiting:
        outlet.moved_at = turn.now.monotonic
    outlet.queue.offer(record)
    if active is None:
        return PeerSend(peer.node_id, peer.name, SendState.UNKNOWN, "away: sent when the peer comes back")
    if active.slow:
        return PeerSend(peer.node_id, peer.name, SendState.UNKNOWN, "slow: sent when the peer has taken more")
    return PeerSend(peer.node_id, peer.name, SendState.ACCEPTED)


def pump(peer: Peer, link: Link, session: Line, turn: Turn) -> bool:
    """Seal what waits for a peer on this open session, as far as its credit goes; tell whether any did."""
    outlet, told = peer.outlet, not peer.receipts and turn.watched
    if not outlet.queue.waiting:
        return False
    spending = None if link.credit is None else link.credit.spending
    allowed = None if spending is None else spending.left()
    records: list[_core.Record] = []
    if told or not isinstance(session, _core.Session):
        records, size = outlet.queue.take(link.id, peer.receipts, allowed)
        count = session.send_records(records)
    else:
        count, size = outlet.queue.seal(session, link.id, peer.receipts, allowed)
    if spending is not None:
        spending.spend(count, size)
        if outlet.queue.waiting:
            spending.runs_short(turn.now.monotonic)
    turn.count("records.sent", count)
    if not peer.receipts and count:
        outlet.moved_at = turn.now.monotonic
        turn.count(f"sends.{SendState.ACCEPTED.value}", count)
        for record in records if told else ():
            _tell(peer, record.key, record.assertion_id, SendState.ACCEPTED, None, turn)
    return count > 0


def receipted(peer: Peer, frame: bytes, turn: Turn) -> list[Receipt]:
    """Move sends to the ends that a receipt frame states; return what is about nothing that was sent so.

    Raises:
        BadReceiptError: The frame is malformed; nothing was changed.
    """
    try:
        settled = peer.outlet.queue.settle(frame)
    except _core.CoreError as error:
        raise BadReceiptError(error.detail) from error
    if len(settled):
        peer.outlet.moved_at = turn.now.monotonic
        for outcome, count in settled.counts.items():
            turn.count(f"sends.{STATES[outcome]}", count)
        if turn.watched:
            for key, assertion_id, outcome, reason in settled.ended:
                word = None if outcome == "admitted" else outcome
                _tell(peer, key, assertion_id, STATES[outcome], reason or word, turn)
    return [Receipt(*each) for each in settled.others]


def abandon(peer: Peer, state: SendState, reason: str, turn: Turn) -> None:
    """End everything still on its way to a peer."""
    for key, assertion_id in peer.outlet.queue.drain():
        turn.count(f"sends.{state.value}")
        _tell(peer, key, assertion_id, state, reason, turn)


def _tell(peer: Peer, key: str, assertion_id: str, state: SendState, reason: str | None, turn: Turn) -> None:
    turn.add(Notify(SendSettled(key, assertion_id, PeerSend(peer.node_id, peer.name, state, reason))))
