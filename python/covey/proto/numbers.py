"""What peers address to this one: how far each one's numbers were taken, and which are missing.

A number is settled when its record is durable here, was refused here, or will never come. The cursor (all
numbers up to it are settled) is told on every session, so that the sender goes on from there. A record is
known by its signed assertion and by nothing else: a number that comes twice, or never, can cost a question
or an event `Gap`, and neither a second delivery nor a silent loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from covey import _core, limits
from covey.proto import effects as fx
from covey.proto import mail, receipts
from covey.proto.link import Lane
from covey.proto.news import Gap
from covey.proto.spans import Spans
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.inbox import Origin, Trust
    from covey.proto.link import Peer
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers
    from covey.proto.turn import Turn

_GIVEN_UP = "given up by its sender"
_NOT_HELD = "settled at its sender, and not held here"
_RENEWED = "its sender began anew: what it had not delivered is lost"
_LATE = "could not be stored in its place: asked for again"


@dataclass(slots=True, eq=False)
class Stream:
    """One sender's numbers. `early` holds announcements until what the store remembers is read."""

    loaded: bool = False
    name: str | None = None
    spans: Spans = field(default_factory=Spans)
    expected: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    """By assertion id: the number, and when it expires here in wall milliseconds."""
    early: deque[receipts.Sent] = field(default_factory=deque)
    late_upto: int = 0
    """Holes up to here were told as late."""
    told_on: int | None = None
    """The link our cursor was told on last."""
    failures: int = 0
    """Batches of this sender that could not be stored, since one could."""
    asks: Lane = field(default_factory=lambda: Lane(limits.ASKS_PER_SECOND, limits.ASKS_BURST))


class Numbers:
    """Every sender's numbers at one node."""

    def __init__(self, sessions: Sessions, timers: Timers, trust: Trust) -> None:
        self._sessions = sessions
        self._timers = timers
        self._trust = trust
        self._streams: dict[str, Stream] = {}

    # --- a peer comes and goes --------------------------------------------------------------------

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell a peer how far its numbers were taken, once that is known."""
        stream = self._streams.get(peer.node_id)
        if stream is None:
            self._streams[peer.node_id] = Stream()
            turn.add(mail.LoadStream(peer.node_id))
        elif stream.loaded:
            self._tell_cursor(peer, stream, turn)

    def answered(self, peer: Peer, turn: Turn) -> None:
        """Tell our cursor to a peer that told its own on a link that never heard ours: it may be new."""
        stream = self._streams.get(peer.node_id)
        link = peer.active
        if stream is not None and stream.loaded and link is not None and stream.told_on != link.id:
            self._tell_cursor(peer, stream, turn)

    def forget(self, node_id: str) -> None:
        """Let a peer go that is not expected back; the store remembers."""
        self._streams.pop(node_id, None)
        self._timers.cancel(("renumber", node_id))

    def loaded(self, event: mail.StreamLoaded, turn: Turn) -> None:
        """Take what the store remembers of a sender."""
        stream, peer = self._streams.get(event.node_id), self._sessions.peers.get(event.node_id)
        if stream is None or stream.loaded or peer is None:
            return
        stream.loaded, stream.name = True, event.stream
        stream.spans = Spans(event.cursor, event.beyond)
        # Told before, unless the disk failed or the process died too soon.
        for hole in stream.spans.holes(stream.spans.last):
            self._missing(peer, stream, hole, _LATE, turn, late=True)
        stream.late_upto = stream.spans.last
        while stream.early:
            self._apply(peer, stream, stream.early.popleft(), turn)
        self._tell_cursor(peer, stream, turn)

    # --- what a sender says -----------------------------------------------------------------------

    def announced(self, peer: Peer, sent: receipts.Sent, turn: Turn) -> None:
        """Take the numbers of what a peer is about to send."""
        stream = self._streams.get(peer.node_id)
        if stream is None:
            turn.count("numbers.unexpected")
        elif stream.loaded:
            self._apply(peer, stream, sent, turn)
        elif len(stream.early) < limits.NUMBERS_EARLY:
            stream.early.append(sent)
        else:
            turn.count("numbers.dropped")

    def asked(self, peer: Peer, assertion_ids: Sequence[str], turn: Turn) -> None:
        """Look up what a peer asks about; beyond its pace a question has no answer."""
        stream = self._streams.get(peer.node_id)
        if stream is None:
            return
        stream.asks.refill(turn.now.monotonic)
        if stream.asks.wait_seconds() > 0.0:
            turn.count("asks.too_fast")
            return
        stream.asks.tokens -= 1.0
        turn.count("asks.heard")
        turn.add(mail.LoadEndings(peer.node_id, tuple(assertion_ids)))

    def answer(self, event: mail.EndingsLoaded, turn: Turn) -> None:
        """Tell a peer what is known of what it asked about."""
        peer = self._sessions.peers.get(event.node_id)
        if peer is None or not event.asked:
            return
        known = {assertion_id: (how or "delivered", why) for assertion_id, how, why in event.found}
        results = [(each, *known.get(each, (receipts.UNHEARD, None))) for each in event.asked]
        self._sessions.owe(peer, (len(results), receipts.write(results)), turn)

    # --- what reception did -----------------------------------------------------------------------

    def attention(self, outcomes: _core.OutcomeBatch, origin: Origin) -> _core.Attention | None:
        """Gather what the inbox is told of a batch: whose blocks may wake, and what the sender numbered."""
        authors = outcomes.authors()
        if not authors:
            return None
        wakers = [author for author in authors if self._trust.wakes(author, origin, "")]
        stream = self._streams.get(origin.node_id)
        numbers = []
        if stream is not None and stream.expected:
            for _, assertion_id, _ in outcomes.addressed():
                number, expires_ms = stream.expected.get(assertion_id, (0, None))
                if number:
                    numbers.append((assertion_id, number, expires_ms))
        name = (stream.name if stream is not None else None) or ""
        context = tuple(origin.context) if wakers else ()
        return _core.Attention(wakers, context=context, stream=name, numbers=numbers)

    def settled(
        self, outcomes: _core.OutcomeBatch, node_id: str, turn: Turn, *, doubtful: bool
    ) -> dict[int, tuple[int, int | None]]:
        """Take what is durable of a batch; tell what is missing before it, ahead of its deliveries.

        Returns:
            By position in the batch: the number, and when it expires here.
        """
        stream, peer = self._streams.get(node_id), self._sessions.peers.get(node_id)
        found: dict[int, tuple[int, int | None]] = {}
        if stream is None or peer is None or not stream.expected:
            return found
        cursor, stream.failures = stream.spans.cursor, 0
        for index, assertion_id, kind in outcomes.addressed():
            if assertion_id not in stream.expected or (kind == "duplicate" and doubtful):
                continue
            found[index] = number, _ = stream.expected.pop(assertion_id)
            if kind == "refused" and number not in stream.spans:
                self._missing(peer, stream, (number, number), f"refused: {outcomes[index].reason}", turn)
            stream.spans.add(number, number)
        for first, last in stream.spans.holes(stream.spans.last):
            if last > stream.late_upto:
                span = (max(first, stream.late_upto + 1), last)
                self._missing(peer, stream, span, _LATE, turn, late=True)
                self._ask_again(node_id, stream, turn)
        stream.late_upto = max(stream.late_upto, stream.spans.last)
        self._moved(node_id, stream, cursor, turn)
        return found

    def failed(self, node_id: str, turn: Turn) -> None:
        """Take note that a batch of this sender was not stored: what it held must come again."""
        stream = self._streams.get(node_id)
        if stream is not None and stream.expected:
            stream.failures += 1
            self._ask_again(node_id, stream, turn)

    def again_due(self, node_id: str, turn: Turn) -> None:
        """Tell the cursor again: the sender goes on from there."""
        stream, peer = self._streams.get(node_id), self._sessions.peers.get(node_id)
        if stream is not None and peer is not None and stream.loaded and stream.expected:
            self._tell_cursor(peer, stream, turn)

    def ended(self, event: mail.EndingKept, turn: Turn) -> None:
        """Tell a sender how the application ended its block; one that is away asks when it is back."""
        peer = self._sessions.peers.get(event.node_id)
        turn.count(f"endings.{event.how}")
        if peer is not None and peer.receipts and peer.links:
            told = receipts.write([(event.assertion_id, event.how, event.why)])
            self._sessions.owe(peer, (1, told), turn)

    # --- below ------------------------------------------------------------------------------------

    def _apply(self, peer: Peer, stream: Stream, sent: receipts.Sent, turn: Turn) -> None:
        if sent.stream != stream.name:
            if stream.name is not None and (stream.spans.cursor or len(stream.spans) or stream.expected):
                turn.log("warn", "stream-renewed", peer=peer.name, cursor=stream.spans.cursor)
                self._tell_gap(peer, stream, (stream.spans.cursor + 1, None), _RENEWED, turn)
            stream.name, stream.spans, stream.late_upto = sent.stream, Spans(), 0
            stream.expected.clear()
        cursor = stream.spans.cursor
        for first, last in sent.gaps:
            self._missing(peer, stream, (first, last), _GIVEN_UP, turn)
        if sent.base > 1:
            self._missing(peer, stream, (1, sent.base - 1), _NOT_HELD, turn)
        for number, assertion_id, left_ms in sent.sends:
            stream.expected[assertion_id] = (number, None if left_ms is None else turn.now.wall_ms + left_ms)
        while len(stream.expected) > limits.NUMBERS_EXPECTED:
            del stream.expected[next(iter(stream.expected))]
            turn.count("numbers.forgotten")
        self._moved(peer.node_id, stream, cursor, turn)

    def _missing(
        self,
        peer: Peer,
        stream: Stream,
        span: tuple[int, int],
        reason: str,
        turn: Turn,
        *,
        late: bool = False,
    ) -> None:
        """Tell what of a range was neither delivered nor told before; what may still come stays open."""
        first, last = span
        if late:
            fresh = [(max(a, first), b) for a, b in stream.spans.holes(last) if b >= first]
        else:
            fresh = stream.spans.add(first, last)
        for part in fresh:
            self._tell_gap(peer, stream, part, reason, turn, late=late)
        while (
            len(stream.spans) > limits.NUMBERS_HOLES
        ):  # more holes than anybody honest leaves: fill the first
            hole = stream.spans.lowest_hole()
            if hole is None:
                break
            self._tell_gap(peer, stream, hole, "too many holes", turn)
            stream.spans.add(*hole)

    def _tell_gap(
        self,
        peer: Peer,
        stream: Stream,
        span: tuple[int, int | None],
        reason: str,
        turn: Turn,
        *,
        late: bool = False,
    ) -> None:
        first, last = span
        turn.count("gaps.late" if late else "gaps.told")
        turn.log("warn", "gap", peer=peer.name, first=first, last=last, reason=reason, late=late)
        turn.add(mail.KeepGap(peer.node_id, stream.name or "", first, last or 0, late, reason))
        turn.add(fx.Notify(Gap(peer.node_id, peer.name, first, last, reason, late)))

    def _moved(self, node_id: str, stream: Stream, before: int, turn: Turn) -> None:
        if stream.name is not None and stream.spans.cursor != before:
            turn.add(mail.StreamMoved(node_id, stream.name, stream.spans.cursor))

    def _ask_again(self, node_id: str, stream: Stream, turn: Turn) -> None:
        if self._timers.wanted(("renumber", node_id)) is None:
            wait = min(
                limits.RENUMBER_SECONDS * 2.0 ** min(stream.failures, 10), limits.RENUMBER_LAST_SECONDS
            )
            self._timers.set(("renumber", node_id), turn.now.monotonic + wait)

    def _tell_cursor(self, peer: Peer, stream: Stream, turn: Turn) -> None:
        if not peer.receipts or peer.active is None:
            return
        stream.told_on = peer.active.id
        frame = receipts.write_cursor(receipts.Cursor(stream.name, stream.spans.cursor))
        self._sessions.owe(peer, (1, frame), turn)
