"""What is received: batches through lane and admission, and what is told once they are durable.

A peer we do not know is read no faster than its lane allows; every peer waits for its turn where more comes
than can be verified (`shares`), and for the store where that is behind with what it brought. Waiting means
that reading from the connection pauses: nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from covey import _core, limits
from covey.proto import effects as fx
from covey.proto.admission import Admission, Batch
from covey.proto.inbox import Origin, Trust, news_of
from covey.proto.legacy import LegacyLine
from covey.proto.shares import Turns
from covey.proto.turn import Turn

if TYPE_CHECKING:
    from covey.proto.fetching import Fetching
    from covey.proto.link import Lane, Link, Peer
    from covey.proto.numbers import Numbers
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers

_OUTCOMES = ("admitted", "redundant", "rejected", "duplicate", "refused")
_COUNTED: Final = {kind: f"records.{kind}" for kind in _OUTCOMES}


class Reception:
    """The receiving half of a node.

    Args:
        intake: The node-wide native judge.
        sessions: Whose connections the batches came from, and where receipts go.
        next_token: Gives the token of the next store request.
        fetching: Learns what is held, and which parents a peer's blocks name.
        numbers: Learns what is durable of what was addressed to this peer.
    """

    def __init__(
        self,
        intake: _core.Intake,
        sessions: Sessions,
        trust: Trust,
        timers: Timers,
        next_token: Callable[[], int],
        fetching: Fetching,
        numbers: Numbers,
    ) -> None:
        self._admission = Admission(intake)
        self._turns = Turns()
        self._sessions = sessions
        self._trust = trust
        self._timers = timers
        self._next_token = next_token
        self._fetching = fetching
        self._numbers = numbers
        self._behind: dict[int, Link] = {}
        """Links whose reading is paused, or whose last batches still wait."""
        self.watched = False

    def __len__(self) -> int:
        return len(self._admission)

    def take(self, link: Link, batch: _core.RecordBatch, turn: Turn) -> None:
        """Take a batch that a session opened."""
        count = len(batch)
        turn.count("records.received", count)
        if not self._sessions.flow.took(link, count, batch.size_bytes, turn):
            return
        link.waiting.append(batch)
        self.judge(link, turn)

    def judge(self, link: Link, turn: Turn) -> None:
        """Judge what waits on a link as far as its lane and the store allow; pause reading for the rest."""
        node_id = link.node_id or ""
        peer = self._sessions.peers.get(node_id)
        at_once = False
        while link.waiting and self._admission.room(node_id) and self._may(link, peer, turn):
            batch = link.waiting.popleft()
            count = len(batch)
            if peer is not None and 0 < peer.share.credit < count:
                batch, rest = batch.split(peer.share.credit)  # a share is a share, however records are packed
                count = peer.share.credit
                link.waiting.appendleft(rest)
            if link.lane is not None:
                link.lane.tokens -= count
            if peer is not None:
                peer.share.credit -= count
            origin, attend = self._origin(link, turn), self._numbers.attention
            durable = self._admission.judge(link, batch, origin, self._next_token(), turn, attend)
            at_once = at_once or durable
        if at_once:
            self._settle(turn)
        wait = bool(link.waiting) or not self._admission.room(node_id)
        if wait:
            self._behind[link.id] = link
        else:
            self._behind.pop(link.id, None)
        if wait != link.paused and link.id in self._sessions.links and link.state != "closing":
            link.paused = wait
            turn.count("reading.paused" if wait else "reading.resumed")
            turn.add(fx.Reading(link.id, not wait))

    def charge(self, link: Link, count: int, turn: Turn) -> None:
        """Charge who proves nothing for what came to nothing: checking it cost as much as a record.

        A stock peer's signatures are checked as its frames are read, before any lane, so one who goes on is
        let go.
        """
        if link.lane is None or not isinstance(link.session, LegacyLine):
            return
        link.lane.refill(turn.now.monotonic)
        link.lane.tokens -= count
        if link.lane.tokens < -link.lane.burst:
            self._sessions.end(link, "too_many_refused", turn)

    def lane_due(self, link_id: int, turn: Turn) -> None:
        """Go on with a link whose lane has room again."""
        link = self._behind.get(link_id)
        if link is not None:
            self.judge(link, turn)

    def turn_due(self, turn: Turn) -> None:
        """Verify for the peer that has waited longest, once; others are read in between."""
        peer = self._turns.next()
        for link in tuple(self._behind.values()) if peer is not None else ():
            if peer is not None and link.node_id == peer.node_id:
                self.judge(link, turn)
        if self._turns:
            self._timers.set(("turn", ""), turn.now.monotonic)

    def calm_due(self, node_id: str, turn: Turn) -> None:
        """Let a peer count as pressing no more, where it has not had to wait for a while."""
        peer = self._sessions.peers.get(node_id)
        if peer is None:
            return
        calm_at = peer.share.waited_at + limits.CALM_SECONDS
        if turn.now.monotonic < calm_at:
            self._timers.set(("calm", node_id), calm_at)
        else:
            peer.share.pressing = False
            turn.count("peers.calmed")

    def link_lost(self, link_id: int, turn: Turn) -> None:
        """Let go of what a stranger left behind; what a known peer sent before it left is still judged."""
        link = self._behind.get(link_id)
        if link is not None and link.lane is not None:
            turn.count("records.dropped.stranger_left", sum(len(batch) for batch in link.waiting))
            del self._behind[link_id]

    def stored(self, answers: Sequence[fx.Done], turn: Turn) -> list[fx.Done]:
        """Take the store's answers; return those that were not ours."""
        others = [done for done in answers if not self._admission.stored(done.token, done.held)]
        if self._behind or len(others) < len(answers):
            self._go_on(turn)
        return others

    def failed(self, token: int, reason: str, turn: Turn) -> bool:
        """Take the store's refusal; tell whether it was ours."""
        batch = self._admission.failed(token, reason, turn)
        if batch is not None:
            self._numbers.failed(batch.origin.node_id, turn)
            self._sessions.flow.done(batch.link, batch.size, batch.size_bytes, turn)
        self._go_on(turn)
        return batch is not None

    def complain(self, link: Link, event: str, reason: str, detail: str, turn: Turn) -> None:
        """Log a reason once for each link: a hostile peer must not fill the log. Counters have them all."""
        if reason not in link.complained:
            link.complained.add(reason)
            turn.log("warn", event, reason=reason, detail=detail, address=link.address, peer=link.node_id)

    # --- below ----------------------------------------------------------------------------------

    def _may(self, link: Link, peer: Peer | None, turn: Turn) -> bool:
        """Tell whether a batch of this link may be verified now; if not, have it looked at again."""
        now = turn.now.monotonic
        if link.lane is not None and not self._lane_open(link, link.lane, now):
            return False
        if peer is None or self._turns.may(peer, now):
            return True
        self._turns.wait(peer)
        self._timers.set(("turn", ""), now)
        turn.count("turns.waited")
        if peer.share.waits(now):
            turn.count("peers.pressing")
            detail = "it sends more than its share of what is verified here, and is read in its turn"
            self.complain(link, "peer-presses", "pressing", detail, turn)
            self._timers.set(("calm", peer.node_id), now + limits.CALM_SECONDS)
        return False

    def _lane_open(self, link: Link, lane: Lane, now: float) -> bool:
        lane.refill(now)
        wait = lane.wait_seconds()
        if wait > 0.0:
            self._timers.set(("lane", link.id), now + wait)
        return wait == 0.0

    def _origin(self, link: Link, turn: Turn) -> Origin:
        node_id = link.node_id or ""
        peer = self._sessions.peers.get(node_id)
        name = peer.name if peer else ""
        context = link.context.union(peer.fetched) if peer and peer.fetched else link.context
        claimed = peer.fingerprint if peer and peer.claimed else None
        return Origin(node_id, name, link.loopback, context, turn.now.wall_ms, claimed)

    def _go_on(self, turn: Turn) -> None:
        """Tell what is durable, then let the links read on that had to wait for the store."""
        self._settle(turn)
        for link in tuple(self._behind.values()) if self._behind else ():
            if self._admission.room(link.node_id or "", again=True):
                self.judge(link, turn)

    def _settle(self, turn: Turn) -> None:
        for batch in self._admission.settled():
            for kind, name in _COUNTED.items():
                if batch.counts[kind]:
                    turn.count(name, batch.counts[kind])
            turn.count("records.held", len(batch.held))
            self._sessions.flow.done(batch.link, batch.size, batch.size_bytes, turn)
            if batch.origin.claimed is None:
                self._sessions.extensions.judged(batch.outcomes, turn)
            self._tell(batch, self._sessions.peers.get(batch.origin.node_id), turn)

    def _tell(self, batch: Batch, peer: Peer | None, turn: Turn) -> None:
        """Tell subscribers, record by record; the sender, with one frame for the batch."""
        outcomes, node_id = batch.outcomes, batch.origin.node_id
        for index in outcomes.refused:
            self._refused(batch, outcomes[index], turn)
        numbered = self._numbers.settled(outcomes, node_id, turn, doubtful=batch.doubtful)
        taken = self._addressed(batch, numbered, turn)
        if self.watched:
            for index in range(batch.size):
                if index in taken:
                    continue
                told = news_of(
                    outcomes[index],
                    batch.origin,
                    self._trust,
                    held=index in batch.held,
                    numbered=numbered.get(index),
                )
                for news in told:
                    turn.add(fx.Notify(news))
        if peer is None:
            return
        receipt = outcomes.receipt(duplicates=not batch.doubtful) if peer.receipts else None
        if receipt is not None:
            self._sessions.owe(peer, receipt, turn, by=batch.link)
        parents = outcomes.missing_parents()
        if parents:
            self._fetching.parents(peer, parents, turn)

    def _addressed(
        self, batch: Batch, numbered: Mapping[int, tuple[int, int | None]], turn: Turn
    ) -> frozenset[int]:
        """Hand the extensions what is theirs of what was addressed here; return which it was."""
        taken = []
        if batch.origin.claimed is not None or not self._sessions.extensions.schemas:
            return frozenset()
        for index, _, _ in batch.outcomes.addressed():
            outcome = batch.outcomes[index]
            record = outcome.record
            if record is None or not outcome.directed:
                continue
            extension = self._sessions.extensions.addressed(record)
            if extension is None:
                continue
            taken.append(index)
            if outcome.deliver and index not in batch.held:
                wakes = self._trust.wakes(record.node_id, batch.origin, record.key)
                extension.addressed(record, turn, wakes=wakes, expires_ms=numbered.get(index, (0, None))[1])
        return frozenset(taken)

    def _refused(self, batch: Batch, outcome: _core.Outcome, turn: Turn) -> None:
        """Count a record that did not verify; a peer whose own signature is bad has broken its session."""
        reason = outcome.reason or "unknown"
        turn.count(f"records.refused.{reason}")
        link = self._sessions.links.get(batch.link)
        if link is None:
            return
        self.complain(link, "record-refused", reason, outcome.detail or "", turn)
        if reason == "bad_signature" and outcome.node_id == link.node_id:
            self._sessions.end(link, reason, turn, code=1006, message="a record's signature does not verify")
