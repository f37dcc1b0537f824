"""The engine of continuity: standbys keep an agent's state, and one goes on when its node is gone.

What belongs here: which room answers which event. Time, votes, marks and proofs stand beside this file
(docs/continuity.md). Nothing is voted, and no replica confirmed, before it is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from covey import _core, limits
from covey.proto.continuity import frames, wants
from covey.proto.continuity.book import Book, Look, Seen, concerns
from covey.proto.continuity.case import Case
from covey.proto.continuity.electing import Electing
from covey.proto.continuity.line import Line, read_line
from covey.proto.continuity.marks import Marks
from covey.proto.continuity.moving import Moving
from covey.proto.continuity.values import ProofError, Term
from covey.proto.continuity.wishes import Wishes
from covey.proto.link import Lane

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.state.scopes import Scope
    from covey.proto.turn import Turn


class Continuity:
    """Who holds which agent. An `Extension`.

    Args:
        identity: This peer.
        room: Where it is.
        seen: How many of its owner's operations of a scope are durable here; None for not settled.
        served: Tells whether a scope of this peer's own is spoken of.
        look: What the failure detector says of a nodeId.
    """

    name = "continuity"
    token: str | None = frames.TOKEN
    frames = frozenset({frames.TYPE})

    def __init__(
        self,
        identity: _core.Identity,
        room: str,
        *,
        seen: Seen,
        served: Callable[[str], bool],
        look: Look,
    ) -> None:
        self.book = Book(identity, room, seen=seen, served=served, look=look)
        self.electing = Electing(self.book, self._take)
        self._marks = Marks(self.book)
        self._moving = Moving(self.book)
        self._wishes = Wishes(self.book, self.electing, self._take)
        self._lanes: dict[str, Lane] = {}
        self._told: dict[type, Callable[[Any, Turn], None]] = {
            wants.Restored: self._on_restored,
            wants.Kept: lambda said, turn: self.book.kept(said.number, turn),
            wants.KeepFailed: lambda said, turn: self.book.failed(said.reason, turn),
            wants.Ready: self._on_ready,
            wants.Report: lambda said, turn: self._moving.report(said),
            **self._wishes.table(),
        }
        self._hear: dict[str, Callable[[Peer, str, dict[str, Any], Turn], None]] = {
            "line": self._on_line,
            "beat": lambda peer, author, said, turn: self._marks.heard_beat(author, said, turn),
            "held": lambda peer, author, said, turn: self._marks.heard_held(author, said),
            "ask": self.electing.heard_ask,
            "vote": lambda peer, author, said, turn: self.electing.heard_vote(author, said, turn),
            "release": lambda peer, author, said, turn: self._moving.heard_release(author, said, turn),
            "offer": lambda peer, author, said, turn: self._moving.heard_offer(author, said, turn),
            "viable": lambda peer, author, said, turn: self._wishes.heard_viable(author, said, turn),
        }

    # --- what the node engine says --------------------------------------------------------------

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self.book.host = host

    def started(self, turn: Turn) -> None:
        """Begin; what the disk holds comes as `Restored`."""
        self.book.host.timer("tick", turn.now.monotonic + limits.CONTINUITY_TICK_SECONDS)

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell a peer that has come what it should know."""
        author = _core.author_of(peer.public_key)
        self.book.present[author] = peer
        self._lanes[peer.node_id] = Lane(limits.STATE_PEER_BYTES_PER_SECOND, limits.STATE_PEER_BYTES_BURST)
        if self.book.ready:
            self._greet(author, turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Take note that a peer is not here."""
        self.book.present.pop(_core.author_of(peer.public_key), None)
        self._lanes.pop(peer.node_id, None)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Take one frame, within the peer's pace."""
        lane = self._lanes.get(peer.node_id)
        if lane is None or not self.book.ready:
            turn.count("continuity.dropped.early")
            return
        lane.refill(turn.now.monotonic)
        if lane.tokens <= 0.0:
            turn.count("continuity.dropped.pace")
            return
        lane.tokens -= len(frame)
        try:
            op, said = frames.read(frame)
            self._hear[op](peer, _core.author_of(peer.public_key), said, turn)
        except ProofError as error:
            turn.count("continuity.refused")
            turn.log("warn", "continuity-refused", peer=peer.name, reason=str(error))

    def due(self, whom: str, turn: Turn) -> None:
        """Look at every case."""
        if self.book.ready:
            for case in self.book.cases.values():
                self._marks.tick(case, turn)
                self._moving.tick(case, turn)
                self.electing.tick(case, turn)
            self._wishes.tick(turn)
        self.book.host.timer("tick", turn.now.monotonic + limits.CONTINUITY_TICK_SECONDS)

    def told(self, what: object, turn: Turn) -> None:
        """Take what the shell says."""
        self._told[type(what)](what, turn)

    # --- what others ask -------------------------------------------------------------------------

    def fenced(self, scope: Scope) -> bool:
        """Tell whether a scope is not spoken of: its owner does not hold the agent whose state it is."""
        agent, _, label = scope.label.removeprefix("as:").partition(":")
        if scope.label.startswith("as:"):
            case = self.book.cases.get(agent)
            return case is None or case.line.holder.author != scope.owner
        label, case = scope.label, self.book.cases.get(scope.owner)
        return case is not None and label in case.plan.classes and case.line.holder.author != scope.owner

    def refusal(self, label: str, now: float) -> str:
        """Say why this peer may not write an entry of a class now; empty where it may."""
        own = not label.startswith("as:")
        agent = self.book.author if own else label.split(":")[1]
        case = self.book.cases.get(agent)
        if case is None:
            return "" if own else "no such agent is held here"
        if own and label not in case.plan.classes:
            return ""
        holder = case.line.holder
        if holder.author != self.book.author:
            return f"{holder.name} holds {case.plan.owner.name} since epoch {case.line.epoch}"
        if now < case.frozen_until:
            return f"{case.plan.owner.name} is on its way to another node"
        return ""

    # --- what peers say --------------------------------------------------------------------------

    def _on_line(self, peer: Peer, author: str, said: dict[str, Any], turn: Turn) -> None:
        line = read_line(said["line"])
        case = self.book.cases.get(line.agent)
        if case is None:
            self._begun(peer, author, line, turn)
        elif line.rank > case.line.rank:
            self._take(case, line, turn, but=author)
        elif line.rank < case.line.rank:
            self.book.send(author, frames.write("line", line=case.line.wire()), turn)
        elif line.plan.digest != case.plan.digest:
            turn.count("continuity.split")
            turn.log("warn", "continuity-split", agent=line.agent, peer=peer.name)

    def _begun(self, peer: Peer, author: str, line: Line, turn: Turn) -> None:
        """Take a line that was not known, where it is this peer's business and there is room."""
        book = self.book
        full = len(book.cases) >= limits.CONTINUITY_AGENTS
        if line.plan.room != book.room or not concerns(line, book.author):
            turn.count("continuity.lines.foreign")
        elif full or book.begun[peer.node_id] >= limits.CONTINUITY_OF_PEER:
            turn.count("continuity.lines.full")
            turn.log("warn", "continuity-full", agent=line.agent, peer=peer.name)
        else:
            book.begun[peer.node_id] += 1
            book.cases[line.agent] = Case(line)
            book.host.want(wants.Changed(line, None), turn)
            book.keep(turn, lambda later: book.announce(line, later, but=author))

    # --- what the shell says ---------------------------------------------------------------------

    def _on_restored(self, said: wants.Restored, turn: Turn) -> None:
        self.book.restore(said.data, turn)
        for case in self.book.cases.values():
            self.book.host.want(wants.Changed(case.line, case.line), turn)
        for author in self.book.present:
            self._greet(author, turn)

    def _on_ready(self, said: wants.Ready, turn: Turn) -> None:
        """Let a term hold: what it brings is here."""
        case = self.book.cases.get(said.agent)
        if case is None or case.attempt is None or case.attempt.term.digest != said.term:
            turn.count("continuity.ready.late")
            return
        term = case.attempt.term
        if said.trouble:
            case.attempt, case.release = None, None
            case.next_try = turn.now.monotonic + limits.CONTINUITY_ANSWER_SECONDS
            turn.log("error", "continuity-not-ready", agent=said.agent, trouble=said.trouble)
            self._wishes.failed(said.agent, said.trouble, turn)
            return
        try:
            line = case.line.advanced(term)
        except ProofError:  # somebody else's later term came meanwhile
            case.attempt = None
            return
        self._take(case, line, turn)

    # --- within ----------------------------------------------------------------------------------

    def _greet(self, author: str, turn: Turn) -> None:
        for case in self.book.cases.values():
            if concerns(case.line, author):
                self.book.send(author, frames.write("line", line=case.line.wire()), turn)
            case.said = None  # and a keeper hears at once how far writes reach

    def _take(self, case: Case, line: Line, turn: Turn, but: str = "") -> None:
        """Let a line hold from now on."""
        book, before = self.book, case.line
        case.line = line
        case.attempt = case.release = case.payload = case.said = case.gone_since = None
        case.acked.clear()
        case.beats.clear()
        case.released, case.frozen_until, case.next_try = "", 0.0, 0.0
        case.contested = False
        self._say_taken(line, before, turn)
        book.host.want(wants.Changed(line, before), turn)
        self._wishes.settle(case, turn)
        book.keep(turn, lambda later: book.announce(line, later, but=but))

    def _say_taken(self, line: Line, before: Line, turn: Turn) -> None:
        last: Term | None = line.last
        turn.count("continuity.terms")
        turn.log(
            "info",
            "continuity-holder",
            agent=line.agent,
            holder=line.holder.name,
            epoch=line.epoch,
            why="" if last is None else last.why,
            decided=line.decided,
            before=before.holder.name,
        )
