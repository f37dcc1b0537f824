"""Both halves of directed delivery in one place: what a peer says about it, and which half answers.

The rules stand in `post` (our sends), `numbers` (theirs) and `delivery` (open blocks).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from covey import limits
from covey.model import PeerSend, SendState
from covey.proto import delivery, mail, receipts
from covey.proto.numbers import Numbers
from covey.proto.post import Letter, Post

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from covey.proto.emission import Pending
    from covey.proto.inbox import Trust
    from covey.proto.link import Peer
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers
    from covey.proto.turn import Turn

FRAMES = frozenset({receipts.FRAME_TYPE, receipts.SENT, receipts.CURSOR, receipts.ASK})


class MailRoom:
    """Directed delivery of one node."""

    def __init__(self, sessions: Sessions, timers: Timers, trust: Trust, room: str) -> None:
        self.post = Post(sessions, timers, room)
        self.numbers = Numbers(sessions, timers, trust)
        self._timers = timers
        self._undone: deque[mail.Effect] = deque(maxlen=limits.MAIL_UNDONE)
        sessions.deliver_also(self.post.pump, self.post.left)

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Take up both directions with a peer whose first session is open."""
        if peer.receipts:
            self.numbers.joined(peer, turn)
        self.post.joined(peer, turn)

    def send(self, pending: Pending, peer: Peer | None, turn: Turn) -> PeerSend:
        """Let a durable directed record go to its peer, who may be away."""
        record = pending.record
        if not pending.number:
            to = record.to or ""
            return PeerSend(to, "", SendState.UNKNOWN, "the same assertion is on its way already")
        letter = Letter(record, pending.key, record.assertion_id, pending.number, pending.deadline_ms)
        return self.post.offer(peer, letter, turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Act on one frame of the extension; of a malformed one nothing is used, it is counted and logged."""
        trouble = self._heard(peer, kind, frame, turn)
        if trouble is not None:
            turn.count(f"frames.refused.{kind}")
            turn.log("warn", "receipt-refused", peer=peer.name, type=kind, reason=trouble)

    def due(self, what: str, whom: str, turn: Turn) -> bool:
        """Act on a deadline, where it is one of delivery's."""
        if what == "cursor":
            self.post.silent(whom, turn)
        elif what == "reask":
            self.post.ask_due(whom, turn)
        elif what == "renumber":
            self.numbers.again_due(whom, turn)
        elif what == "outbox":
            self.post.expiry_due(turn)
        elif what == "rewish":
            again, self._undone = self._undone, deque(maxlen=limits.MAIL_UNDONE)
            for wish in again:
                turn.add(wish)
        else:
            return False
        return True

    def events(self) -> dict[type, Callable[[Any, Turn], None]]:
        """Return which events of the store and the application are taken here."""
        return {
            mail.OutboxLoaded: self.post.loaded,
            mail.SendsSettled: lambda e, turn: self.post.settled(e.node_id, e.rows, turn),
            mail.SendsExpired: self.post.expired,
            mail.StreamLoaded: self.numbers.loaded,
            mail.EndingsLoaded: self.numbers.answer,
            mail.Ended: lambda e, turn: turn.add(mail.KeepEnding(e.assertion_id, e.how, e.why)),
            mail.EndingKept: self.numbers.ended,
            mail.NotDone: self._not_done,
        }

    # --- below ------------------------------------------------------------------------------------

    def _heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> str | None:
        try:
            if kind == receipts.SENT:
                self.numbers.announced(peer, receipts.parse_sent(frame), turn)
            elif kind == receipts.CURSOR:
                self.numbers.answered(peer, turn)
                self.post.resumed(peer, receipts.parse_cursor(frame), turn)
            elif kind == receipts.ASK:
                self.numbers.asked(peer, receipts.parse_ask(frame), turn)
            else:
                self._receipts(peer, delivery.receipted(peer, frame, turn), turn)
        except receipts.BadReceiptError as error:
            return str(error)
        return None

    def _not_done(self, event: mail.NotDone, turn: Turn) -> None:
        """Want it again: the disk may have room by then. What more pushes out, the next session asks for."""
        turn.count("mail.not_done")
        self._undone.append(event.wish)
        if self._timers.wanted(("rewish", "")) is None:
            self._timers.set(("rewish", ""), turn.now.monotonic + limits.MAIL_AGAIN_SECONDS)

    def _receipts(self, peer: Peer, others: list[receipts.Receipt], turn: Turn) -> None:
        """Take the receipts of a frame that are about no open record."""
        for receipt in others:
            if not self.post.receipted(peer, receipt, turn):
                turn.count("receipts.ignored")
        self.post.receipts_done(peer, turn)
