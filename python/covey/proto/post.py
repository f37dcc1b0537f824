"""Directed sends, from the durable outbox to their end: numbered, resumed where the receiver stands, told.

The store's outbox is the truth; here is what of it is on its way now. A peer that speaks `x-covey-delivery`
says first how far it took our numbers: what is behind its cursor is asked about, what is beyond is sent,
in order, announced with its number. Nothing leaves the outbox but by what the peer says, or by its deadline.
To a peer without the extension a record is handed over once, and that is all we ever know: accepted.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from covey import limits
from covey.model import PeerSend, SendState
from covey.proto import effects as fx
from covey.proto import mail, receipts
from covey.proto.news import SendSettled
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.legacy import Line
    from covey.proto.link import Link, Peer
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers
    from covey.proto.turn import Turn

_EXPIRY = ("outbox", "")
_NOTHING = receipts.Cursor(None, 0)
_GONE = "its receiver no longer knows what became of it"


@dataclass(frozen=True, slots=True)
class Letter:
    """One directed record on its way: its number at its peer, and its last moment."""

    record: _core.Record
    key: str
    assertion_id: str
    number: int
    deadline_ms: int


@dataclass(slots=True, eq=False)
class Box:
    """What is on its way to one peer. `waiting` is in the order of numbers; the rest by assertion id."""

    stream: str = ""
    base: int = 1
    after: int = 0
    """The highest number that was taken from the outbox."""
    loading: bool = True
    more: bool = False
    """The outbox holds more than was taken from it."""
    said: receipts.Cursor | None = None
    """How far the peer says it took numbers of ours; None until it has said so, or need not."""
    waiting: dict[str, Letter] = field(default_factory=dict)
    sent: dict[str, Letter] = field(default_factory=dict)
    asked: dict[str, Letter] = field(default_factory=dict)
    unfinished: dict[str, None] = field(default_factory=dict)
    """What it has, and has not said to have finished."""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    announce: bool = False
    """Something beside records is to be announced: where our numbers stand, or a gap."""
    link: int | None = None
    resumed_at: float = float("-inf")
    heard_at: float = float("-inf")
    ask_wait: float = limits.REASK_SECONDS
    """How long until what is unfinished is asked about again: word of it may be lost with a link."""

    @property
    def ready(self) -> bool:
        """Tell whether records may leave."""
        return not self.loading and self.said is not None

    @property
    def open(self) -> list[str]:
        """Return what the peer owes us a word about."""
        return [*self.unfinished, *self.asked, *self.sent]

    @property
    def cursor(self) -> int:
        """Return how far the peer took these numbers; a cursor of an earlier store says nothing of them."""
        return self.said.cursor if self.said is not None and self.said.stream == self.stream else 0


class Post:
    """Directed sends of one node.

    Args:
        sessions: Whose peers are written to.
        timers: Where deadlines are set.
        room: Records of another room are not sent in this one.
    """

    def __init__(self, sessions: Sessions, timers: Timers, room: str) -> None:
        self._sessions = sessions
        self._timers = timers
        self._room = room
        self._boxes: dict[str, Box] = {}

    def __len__(self) -> int:
        """Return how many letters were handed to a session and have no word from their peer yet."""
        return sum(len(box.sent) for box in self._boxes.values())

    # --- a peer comes, says how far it is, goes ---------------------------------------------------

    def started(self, turn: Turn) -> None:
        """End what expired while nobody looked."""
        turn.add(mail.ExpireSends(turn.now.wall_ms))

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Take up what waits for a peer whose first session is open."""
        box = self._boxes[peer.node_id] = Box(said=None if peer.receipts else _NOTHING)
        if peer.receipts:
            self._timers.set(("cursor", peer.node_id), turn.now.monotonic + limits.CURSOR_SECONDS)
        turn.add(mail.LoadOutbox(peer.node_id, box.after))

    def left(self, peer: Peer) -> None:
        """Let go of what is on its way: the outbox has it."""
        self._boxes.pop(peer.node_id, None)
        self._timers.cancel(("cursor", peer.node_id))
        self._timers.cancel(("reask", peer.node_id))

    def loaded(self, event: mail.OutboxLoaded, turn: Turn) -> None:
        """Take what the outbox holds for a peer, behind what was taken before."""
        peer, box = self._sessions.peers.get(event.node_id), self._boxes.get(event.node_id)
        if peer is None or box is None or not box.loading or event.after != box.after:
            return
        first = not box.stream
        box.loading, box.more, box.stream = False, event.more, event.stream
        if first:
            box.base, box.gaps = event.base, list(event.given_up)
            box.unfinished = dict.fromkeys(reversed(event.unfinished))
            box.announce = box.base > 1 or bool(box.gaps)
        for record, number, deadline_ms in event.records:
            box.after = max(box.after, number)
            letter = Letter(record, record.key, record.assertion_id, number, deadline_ms)
            if record.room != self._room:
                self._end(peer, letter, SendState.EXPIRED, "minted for another room", turn)
            else:
                box.waiting[letter.assertion_id] = letter
        for assertion_id, number in event.unreadable:
            box.after = max(box.after, number)
            said = (assertion_id, SendState.REFUSED, "its stored record cannot be read", True)
            turn.add(mail.SettleSends(peer.node_id, (said,)))
            self._give_up(box, number)
        self._go(peer, box, turn)

    def resumed(self, peer: Peer, cursor: receipts.Cursor, turn: Turn) -> None:
        """Take a peer's word on how far it took our numbers: go on from there."""
        box = self._boxes.get(peer.node_id)
        if box is None:
            return
        now = turn.now.monotonic
        if now < box.resumed_at + limits.CURSOR_PACE_SECONDS:
            turn.count("cursors.too_fast")
            return
        box.resumed_at = now
        self._timers.cancel(("cursor", peer.node_id))
        turn.count("cursors.heard")
        box.said = cursor
        self._take_back(box, [letter for letter in box.sent.values() if letter.number > box.cursor])
        self._go(peer, box, turn)

    def silent(self, node_id: str, turn: Turn) -> None:
        """Go on without a cursor: who gets a record twice knows it by its assertion."""
        peer, box = self._sessions.peers.get(node_id), self._boxes.get(node_id)
        if peer is not None and box is not None and box.said is None:
            turn.count("cursors.missing")
            box.said = _NOTHING
            self._go(peer, box, turn)

    # --- out ------------------------------------------------------------------------------------

    def offer(self, peer: Peer | None, letter: Letter, turn: Turn) -> PeerSend:
        """Let a durable directed record follow what waits for its peer; it leaves with the next `pump`.

        Returns:
            accepted when a session takes it now, unknown when it has to wait.
        """
        self._watch(letter.deadline_ms, turn)
        record = letter.record
        box = None if peer is None else self._boxes.get(peer.node_id)
        if peer is None or box is None:
            return PeerSend(
                record.to or "", peer.name if peer else "", SendState.UNKNOWN, self._kept(letter, turn)
            )
        if not box.loading and not box.more and letter.number > box.after:
            box.after = letter.number
            box.waiting[letter.assertion_id] = letter
        else:
            box.more = box.more or not box.loading
        ahead = len(box.waiting) + len(box.sent)
        link = peer.active
        if not box.ready or box.more or link is None or ahead > limits.POST_WINDOW:
            return PeerSend(
                peer.node_id, peer.name, SendState.UNKNOWN, "waits in the outbox for those before it"
            )
        if link.slow:
            return PeerSend(
                peer.node_id, peer.name, SendState.UNKNOWN, "slow: sent when the peer has taken more"
            )
        return PeerSend(peer.node_id, peer.name, SendState.ACCEPTED)

    def pump(self, peer: Peer, link: Link, session: Line, turn: Turn) -> bool:
        """Seal what may leave on this open session; tell whether there was anything."""
        box = self._boxes.get(peer.node_id)
        if box is None or box.loading or box.said is None:
            return False
        if box.link != link.id:  # what another link took may be lost; on this one all come in order
            self._take_back(box, list(box.sent.values()))
            box.link, box.ask_wait = link.id, limits.REASK_SECONDS
            self._ask_later(peer.node_id, box, turn)
        wrote, late = False, False
        while box.announce or (box.waiting and len(box.sent) < limits.POST_WINDOW):
            letters = list(itertools.islice(box.waiting.values(), limits.RECEIPTS_PER_FRAME))
            fitting = link.affords([letter.record for letter in letters], turn.now.monotonic)
            if not fitting and not box.announce:
                break
            taken = [box.waiting.pop(letter.assertion_id) for letter in letters[:fitting]]
            letters = [letter for letter in taken if letter.deadline_ms > turn.now.wall_ms]
            late = late or len(letters) < len(taken)
            wrote = self._seal(peer, box, letters, session, turn) or wrote
            link.spend([letter.record for letter in letters])
        if late:  # they are taken out, told and given up by their expiry
            turn.add(mail.ExpireSends(turn.now.wall_ms))
        return wrote

    def _seal(self, peer: Peer, box: Box, letters: list[Letter], session: Line, turn: Turn) -> bool:
        box.announce = False
        if peer.receipts:
            now_ms, gaps = turn.now.wall_ms, tuple(box.gaps[-limits.RECEIPTS_PER_FRAME :])
            sends = tuple(
                (each.number, each.assertion_id, max(0, each.deadline_ms - now_ms)) for each in letters
            )
            session.send_control(receipts.write_sent(receipts.Sent(box.stream, box.base, sends, gaps)))
            box.gaps.clear()
        elif not letters:
            return False
        if letters:
            session.send_records([letter.record for letter in letters])
            turn.count("records.sent", len(letters))
        if peer.receipts:
            box.sent.update((letter.assertion_id, letter) for letter in letters)
            self._ask_later(peer.node_id, box, turn)
        else:
            for letter in letters:
                self._end(peer, letter, SendState.ACCEPTED, "the peer never says more", turn)
        return True

    # --- what the peer says, and the clock --------------------------------------------------------

    def receipted(self, peer: Peer, receipt: receipts.Receipt, turn: Turn) -> bool:
        """Take one receipt; tell whether it is about a directed record of ours."""
        box = self._boxes.get(peer.node_id)
        if box is None:
            return False
        assertion_id = receipt.assertion_id
        # What waits to be sent again may be spoken of, too: by what an earlier link brought.
        places = (box.sent, box.asked, box.waiting)
        letter = next((place.pop(assertion_id) for place in places if assertion_id in place), None)
        if letter is None and assertion_id not in box.unfinished:
            return False
        if receipt.outcome == receipts.UNHEARD:
            self._unheard(peer, box, assertion_id, letter, turn)
            return True
        # Of a directed record admission's word is about memory alone: it was delivered.
        state = SendState.DELIVERED if receipt.outcome in ("redundant", "rejected") else receipt.state
        closes = receipt.closes and receipt.outcome not in ("redundant", "rejected")
        box.heard_at = turn.now.monotonic
        box.unfinished.pop(assertion_id, None)
        if not closes:
            box.unfinished[assertion_id] = None
            while len(box.unfinished) > limits.POST_UNFINISHED:
                del box.unfinished[next(iter(box.unfinished))]
            self._ask_later(peer.node_id, box, turn)
        turn.add(mail.SettleSends(peer.node_id, ((assertion_id, state, _why(receipt), closes),)))
        return True

    def receipts_done(self, peer: Peer, turn: Turn) -> None:
        """Go on once the receipts of a frame are taken: there is room for more."""
        box = self._boxes.get(peer.node_id)
        if box is None:
            return
        if box.more and not box.loading and len(box.waiting) + len(box.sent) < limits.POST_WINDOW // 2:
            box.loading = True
            turn.add(mail.LoadOutbox(peer.node_id, box.after))
        if box.waiting:
            self._sessions.pump(peer, turn)

    def settled(self, node_id: str, rows: Sequence[mail.SendEnd], turn: Turn) -> None:
        """Tell what is durable now of sends to a peer."""
        peer = self._sessions.peers.get(node_id)
        for row in rows:
            turn.count(f"sends.{row.state.value}")
            send = PeerSend(node_id, peer.name if peer else "", row.state, row.reason)
            turn.add(fx.Notify(SendSettled(row.key, row.assertion_id, send, final=row.closed)))

    def expired(self, event: mail.SendsExpired, turn: Turn) -> None:
        """Take out what expired; its peer hears that these numbers never come."""
        if event.next_ms is not None:
            self._watch(event.next_ms, turn)
        for row in event.rows:
            self.settled(row.node_id, (row,), turn)
            peer, box = self._sessions.peers.get(row.node_id), self._boxes.get(row.node_id)
            if peer is None or box is None:
                continue
            box.sent.pop(row.assertion_id, None)
            box.asked.pop(row.assertion_id, None)
            box.waiting.pop(row.assertion_id, None)
            self._give_up(box, row.number)
            self._sessions.pump(peer, turn)

    def expiry_due(self, turn: Turn) -> None:
        """Look what has expired."""
        turn.add(mail.ExpireSends(turn.now.wall_ms))

    def abandon(self, reason: str, turn: Turn) -> None:
        """Say that this peer stops before these met their end; the outbox goes on with them."""
        for node_id, box in self._boxes.items():
            peer = self._sessions.peers.get(node_id)
            for letter in (*box.sent.values(), *box.asked.values(), *box.waiting.values()):
                send = PeerSend(node_id, peer.name if peer else "", SendState.UNKNOWN, reason)
                turn.count(f"sends.{send.state.value}")
                turn.add(fx.Notify(SendSettled(letter.key, letter.assertion_id, send, final=False)))

    # --- below ------------------------------------------------------------------------------------

    def _go(self, peer: Peer, box: Box, turn: Turn) -> None:
        """Ask about what the peer's cursor has passed, then send the rest."""
        if not box.ready:
            return
        passed = [letter for letter in box.waiting.values() if letter.number <= box.cursor]
        for letter in passed:
            box.asked[letter.assertion_id] = box.waiting.pop(letter.assertion_id)
        self._ask(peer, [*box.asked, *box.unfinished])
        self._sessions.pump(peer, turn)

    def ask_due(self, node_id: str, turn: Turn) -> None:
        """Ask again about what has no word or is not finished, the newest of it, ever more seldom."""
        peer, box = self._sessions.peers.get(node_id), self._boxes.get(node_id)
        if peer is None or box is None or not box.open:
            return
        if turn.now.monotonic >= box.heard_at + limits.REASK_SECONDS:  # who is still answering is not asked
            turn.count("asks.repeated")
            self._ask(peer, box.open[-limits.RECEIPTS_PER_FRAME :])
        box.ask_wait = min(box.ask_wait * 2.0, limits.REASK_LAST_SECONDS)
        self._ask_later(node_id, box, turn)

    def _ask(self, peer: Peer, assertion_ids: Sequence[str]) -> None:
        link = peer.active
        session = link.speaking if link is not None and not link.full else None
        if link is None or session is None or not peer.receipts:
            return
        for at in range(0, len(assertion_ids), limits.RECEIPTS_PER_FRAME):
            session.send_control(receipts.write_ask(assertion_ids[at : at + limits.RECEIPTS_PER_FRAME]))
            self._sessions.touch(link)

    def _ask_later(self, node_id: str, box: Box, turn: Turn) -> None:
        owed = box.unfinished or box.asked or box.sent
        if owed and self._timers.wanted(("reask", node_id)) is None:
            self._timers.set(("reask", node_id), turn.now.monotonic + box.ask_wait)

    def _unheard(self, peer: Peer, box: Box, assertion_id: str, letter: Letter | None, turn: Turn) -> None:
        turn.count("receipts.unheard")
        if letter is not None:
            self._take_back(box, [letter])
            return
        del box.unfinished[assertion_id]
        turn.add(mail.SettleSends(peer.node_id, ((assertion_id, SendState.DELIVERED, _GONE, True),)))

    def _take_back(self, box: Box, letters: list[Letter]) -> None:
        """Let letters wait again, in their places."""
        for letter in letters:
            box.sent.pop(letter.assertion_id, None)
        waiting = sorted((*letters, *box.waiting.values()), key=lambda letter: letter.number)
        box.waiting = {letter.assertion_id: letter for letter in waiting}

    def _give_up(self, box: Box, number: int) -> None:
        box.gaps.append((number, number))
        box.announce = True

    def _end(self, peer: Peer, letter: Letter, state: SendState, reason: str, turn: Turn) -> None:
        turn.add(mail.SettleSends(peer.node_id, ((letter.assertion_id, state, reason, True),)))
        box = self._boxes.get(peer.node_id)
        if box is not None and state is SendState.EXPIRED:
            self._give_up(box, letter.number)

    def _watch(self, deadline_ms: int, turn: Turn) -> None:
        """Look at the deadlines again when this one has come, if not before; never later than in an hour."""
        wait = min(max(0.0, (deadline_ms - turn.now.wall_ms) / 1000), limits.EXPIRY_LOOK_SECONDS)
        wanted = self._timers.wanted(_EXPIRY)
        if wanted is None or turn.now.monotonic + wait < wanted:
            self._timers.set(_EXPIRY, turn.now.monotonic + wait)

    def _kept(self, letter: Letter, turn: Turn) -> str:
        seconds = max(1, -(-(letter.deadline_ms - turn.now.wall_ms) // 1000))
        while_kept = f"{seconds // 3600} h" if seconds >= 3600 else f"{seconds} s"
        return f"not connected: kept in the outbox for {while_kept}, sent when the peer comes"


def _why(receipt: receipts.Receipt) -> str | None:
    """Name the outcome where the state alone does not."""
    if receipt.reason is not None or receipt.outcome in ("admitted", "executed"):
        return receipt.reason
    return None if receipt.outcome == "delivered" else receipt.outcome
