"""What is received: batches through lane and admission, and what is told once they are durable.

A peer we do not know is read no faster than its lane allows; everyone waits when the store is far behind.
Waiting means that reading from the connection pauses: nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from covey import _core
from covey.proto import effects as fx
from covey.proto.admission import Admission, Batch
from covey.proto.inbox import Origin, Trust, news_of
from covey.proto.legacy import LegacyLine
from covey.proto.turn import Turn

if TYPE_CHECKING:
    from covey.proto.fetching import Fetching
    from covey.proto.link import Link, Peer
    from covey.proto.numbers import Numbers
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers

_OUTCOMES = ("admitted", "redundant", "rejected", "duplicate", "refused")


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
        turn.count("records.received", len(batch))
        link.waiting.append(batch)
        self.judge(link, turn)

    def judge(self, link: Link, turn: Turn) -> None:
        """Judge what waits on a link as far as its lane and the store allow; pause reading for the rest."""
        while link.waiting and not self._admission.busy and self._lane_open(link, turn):
            batch = link.waiting.popleft()
            if link.lane is not None:
                link.lane.tokens -= len(batch)
            origin, attend = self._origin(link, turn), self._numbers.attention
            self._admission.judge(link, batch, origin, self._next_token(), turn, attend)
        self._settle(turn)
        wait = bool(link.waiting) or self._admission.busy
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

    def link_lost(self, link_id: int, turn: Turn) -> None:
        """Let go of what a stranger left behind; what a known peer sent before it left is still judged."""
        link = self._behind.get(link_id)
        if link is not None and link.lane is not None:
            turn.count("records.dropped.stranger_left", sum(len(batch) for batch in link.waiting))
            del self._behind[link_id]

    def stored(self, answers: Sequence[fx.Done], turn: Turn) -> list[fx.Done]:
        """Take the store's answers; return those that were not ours."""
        others = [done for done in answers if not self._admission.stored(done.token, done.held)]
        self._go_on(turn)
        return others

    def failed(self, token: int, reason: str, turn: Turn) -> bool:
        """Take the store's refusal; tell whether it was ours."""
        batch = self._admission.failed(token, reason, turn)
        if batch is not None:
            self._numbers.failed(batch.origin.node_id, turn)
        self._go_on(turn)
        return batch is not None

    def complain(self, link: Link, event: str, reason: str, detail: str, turn: Turn) -> None:
        """Log a reason once for each link: a hostile peer must not fill the log. Counters have them all."""
        if reason not in link.complained:
            link.complained.add(reason)
            turn.log("warn", event, reason=reason, detail=detail, address=link.address, peer=link.node_id)

    # --- below ----------------------------------------------------------------------------------

    def _lane_open(self, link: Link, turn: Turn) -> bool:
        if link.lane is None:
            return True
        link.lane.refill(turn.now.monotonic)
        wait = link.lane.wait_seconds()
        if wait > 0.0:
            self._timers.set(("lane", link.id), turn.now.monotonic + wait)
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
        if self._admission.relieved:
            for link in tuple(self._behind.values()):
                self.judge(link, turn)

    def _settle(self, turn: Turn) -> None:
        for batch in self._admission.settled():
            counts = batch.outcomes.counts
            for kind in _OUTCOMES:
                turn.count(f"records.{kind}", counts.get(kind, 0))
            turn.count("records.held", len(batch.held))
            if batch.origin.claimed is None:
                self._sessions.extensions.judged(batch.outcomes, turn)
            self._tell(batch, self._sessions.peers.get(batch.origin.node_id), turn)

    def _tell(self, batch: Batch, peer: Peer | None, turn: Turn) -> None:
        """Tell subscribers, record by record; the sender, with one frame for the batch."""
        outcomes, node_id = batch.outcomes, batch.origin.node_id
        for index in outcomes.refused:
            self._refused(batch, outcomes[index], turn)
        numbered = self._numbers.settled(outcomes, node_id, turn, doubtful=batch.doubtful)
        if self.watched:
            for index in range(batch.size):
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
