"""What operators wish: to declare, to adopt, to hand on, to offer, to consent; each gets one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.proto.continuity import frames, values, wants
from covey.proto.continuity.book import Book
from covey.proto.continuity.case import Case, Promise
from covey.proto.continuity.electing import Electing
from covey.proto.continuity.line import Line, begun
from covey.proto.continuity.values import Member, Plan, ProofError
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.link import Peer
    from covey.proto.turn import Turn


@dataclass(frozen=True, slots=True)
class Waiting:
    """A wish that is answered once an agent's line is as wished."""

    token: int
    agent: str
    holder: str
    plan: str
    until: float


class Wishes:
    """Operators' wishes, and their answers."""

    def __init__(self, book: Book, electing: Electing, take: Callable[[Case, Line, Turn], None]) -> None:
        self._book = book
        self._electing = electing
        self._take = take
        self._waiting: list[Waiting] = []
        self._offers: dict[str, tuple[int, float]] = {}

    def table(self) -> dict[type, Callable[[Any, Turn], None]]:
        """Return which wish is done by what."""
        return {
            wants.Declare: self._declare,
            wants.Adopt: self._adopt,
            wants.HandOn: self._hand_on,
            wants.Offer: self._offer,
            wants.Consent: self._consent,
        }

    def tick(self, turn: Turn) -> None:
        """Answer whose time is over."""
        now = turn.now.monotonic
        for waiting in [each for each in self._waiting if now >= each.until]:
            self._waiting.remove(waiting)
            case = self._book.cases[waiting.agent]
            asked = sorted(case.attempt.votes) if case.attempt is not None else []
            names = [m.name for m in case.plan.members if m.author in asked]
            detail = f"votes so far: {', '.join(names) or 'none'}; {case.plan.majority} decide"
            self._answer(waiting.token, turn, "no_majority", detail)
        for to in [to for to, (_, until) in self._offers.items() if now >= until]:
            token, _ = self._offers.pop(to)
            self._answer(token, turn, "no_answer", "the node did not answer the offer")

    def settle(self, case: Case, turn: Turn) -> None:
        """Answer who waited for what now holds, or for what cannot come any more."""
        line = case.line
        for waiting in [each for each in self._waiting if each.agent == line.agent]:
            self._waiting.remove(waiting)
            if waiting.holder == line.holder.author and waiting.plan in ("", line.plan.digest):
                facts = {"epoch": line.epoch, "holder": line.holder.name, "plan": line.plan.number}
                self._answer(waiting.token, turn, facts=facts)
            else:
                detail = f"{line.holder.name} holds it since epoch {line.epoch}"
                self._answer(waiting.token, turn, "superseded", detail)

    def failed(self, agent: str, trouble: str, turn: Turn) -> None:
        """Answer who waited for something that went wrong on this peer."""
        for waiting in [each for each in self._waiting if each.agent == agent]:
            self._waiting.remove(waiting)
            self._answer(waiting.token, turn, "not_ready", trouble)

    # --- declare ---------------------------------------------------------------------------------

    def _declare(self, wish: wants.Declare, turn: Turn) -> None:
        book = self._book
        case = book.cases.get(book.author)
        try:
            members = self._members(wish, case)
            before = None if case is None else case.plan
            epochs = wish.epochs + (0 if case is None else case.line.epoch)
            classes = sorted(set(wish.classes))
            plan = values.make_plan(
                book.identity, book.room, members, classes, epochs, turn.now.wall_ms, before
            )
            if case is None:
                case = Case(begun(plan))
        except ProofError as error:
            self._answer(wish.token, turn, "plan", str(error))
            return
        if book.broken:
            self._answer(wish.token, turn, "broken", book.broken)
        elif case.plan is plan:
            book.cases[book.author] = case
            book.host.want(wants.Changed(case.line, None), turn)
            book.keep(turn, lambda later: self._declared(wish.token, plan, later))
        elif (case.plan.members, case.plan.classes) == (plan.members, plan.classes):
            self._answer(wish.token, turn, facts={"plan": case.plan.number, "unchanged": True})
        else:
            self._replace(wish, case, plan, turn)

    def _declared(self, token: int, plan: Plan, turn: Turn) -> None:
        case = self._book.cases[plan.agent]
        self._book.announce(case.line, turn)
        self._answer(token, turn, facts={"plan": plan.number, "epoch": case.line.epoch})

    def _replace(self, wish: wants.Declare, case: Case, plan: Plan, turn: Turn) -> None:
        """Close the plan in force in favour of another: its voters decide, or the operator does."""
        if case.line.holder.author != self._book.author:
            detail = f"{case.line.holder.name} holds it: covey continuity handback first"
            self._answer(wish.token, turn, "not_holder", detail)
            return
        closing = case.promise.closing and case.promise.plan == case.plan.digest
        if closing and not wish.force:
            detail = "an earlier declaration still waits for a majority; --force puts this one in its place"
            self._answer(wish.token, turn, "busy", detail)
            return
        if not wish.force:
            self._wait(wish.token, case, self._book.author, plan.digest, turn)
            case.attempt = None
            if not self._electing.begin(case, "closed", turn, following=plan):
                self.failed(case.line.agent, "the plan in force has no further epoch: --force", turn)
            return
        self._force(wish.token, case, turn, plan)

    def _members(self, wish: wants.Declare, case: Case | None) -> list[Member]:
        """Return who is named, each as it is here, or as the plan in force knows it."""
        book = self._book
        own = book.identity
        found = [Member(book.author, own.node_id, own.name, own.public_key, "owner")]
        roles: list[tuple[str, values.Role]] = [(word, "standby") for word in wish.standbys]
        roles += [(word, "witness") for word in wish.witnesses]
        for word, role in roles:
            peer = book.member(word)
            if peer is not None:
                author = _author(book, peer)
                name = peer.name[: limits.CONTINUITY_NAME_CHARS]
                found.append(Member(author, peer.node_id, name, peer.public_key, role))
                continue
            known = () if case is None else case.plan.members
            same = [m for m in known if word in (m.author, m.node_id, m.name) and m.author != book.author]
            if len(same) != 1:
                raise ProofError(f"no peer here that keeps agents is called {word}")
            found.append(Member(same[0].author, same[0].node_id, same[0].name, same[0].key, role))
        return found

    # --- adopt, hand on --------------------------------------------------------------------------

    def _adopt(self, wish: wants.Adopt, turn: Turn) -> None:
        book = self._book
        case = self._case(wish.token, wish.agent, turn)
        if case is None:
            return
        if case.role(book.author) in (None, "witness"):
            self._answer(wish.token, turn, "no_standby", "its plan does not name this peer as one")
        elif case.line.holder.author == book.author:
            self._answer(wish.token, turn, "held", "it is held here already")
        elif wish.force:
            self._force(wish.token, case, turn, None)
        else:
            self._wait(wish.token, case, book.author, "", turn)
            if case.attempt is None and not self._electing.begin(case, "failed", turn, release=case.release):
                self.failed(case.line.agent, "the plan has no further epoch", turn)

    def _force(self, token: int, case: Case, turn: Turn, following: Plan | None) -> None:
        """Do it on the operator's word; the term says so, and a majority's of its epoch goes before it."""
        why: values.Why = "forced" if following is None else "closed"
        case.attempt = None
        term = self._electing.term(case, why, turn, following=following)
        if term is None:
            self._answer(token, turn, "epochs", "the plan has no further epoch")
            return
        self._wait(token, case, self._book.author, "" if following is None else following.digest, turn)
        case.promise = Promise(term.epoch, term.digest, following is not None, case.plan.digest)
        turn.log("warn", "continuity-forced", agent=case.line.agent, epoch=term.epoch)
        if following is not None:
            self._take(case, case.line.advanced(term, following), turn)
            return
        self._electing.hold(case, term, turn)

    def _hand_on(self, wish: wants.HandOn, turn: Turn) -> None:
        book = self._book
        case = self._case(wish.token, wish.agent, turn)
        if case is None:
            return
        to = case.plan.owner if not wish.to else self._named(case, wish.to)
        if case.line.holder.author != book.author:
            self._answer(wish.token, turn, "not_holder", f"{case.line.holder.name} holds it")
        elif to is None or to.role == "witness":
            self._answer(wish.token, turn, "no_standby", "its plan does not name that peer as a standby")
        elif to.author == book.author:
            self._answer(wish.token, turn, "held", "it is held here already")
        elif to.author not in book.present:
            self._answer(wish.token, turn, "away", f"{to.name} is not here")
        else:
            self._wait(wish.token, case, to.author, "", turn)
            case.released, case.payload = to.author, wish.payload
            case.frozen_until = turn.now.monotonic + limits.CONTINUITY_FREEZE_SECONDS

    # --- offers, consent -------------------------------------------------------------------------

    def _offer(self, wish: wants.Offer, turn: Turn) -> None:
        peer = self._book.member(wish.to)
        if peer is None:
            detail = f"no peer here that keeps agents is called {wish.to}"
            self._answer(wish.token, turn, "away", detail)
            return
        author = _author(self._book, peer)
        self._offers[author] = (wish.token, turn.now.monotonic + limits.CONTINUITY_ANSWER_SECONDS)
        frame = frames.write(
            "offer", agent=self._book.author, classes=list(wish.classes), bytes=wish.size_bytes
        )
        self._book.send(author, frame, turn)

    def heard_viable(self, author: str, said: dict[str, Any], turn: Turn) -> None:
        """Take a node's answer to an offer; one that nobody waits for says nothing."""
        waiting = self._offers.pop(author, None)
        if waiting is None or said["agent"] != self._book.author:
            turn.count("continuity.offers.unasked")
            return
        facts = {"author": author, "report": said["report"]}
        reason = "not_viable" if said["refusal"] else ""
        self._answer(waiting[0], turn, reason, said["refusal"], facts)

    def _consent(self, wish: wants.Consent, turn: Turn) -> None:
        peer: Peer | None = self._book.member(wish.author)
        author = wish.author if peer is None else _author(self._book, peer)
        if wish.given and len(self._book.consents) >= limits.CONTINUITY_AGENTS:
            self._answer(wish.token, turn, "full", f"{limits.CONTINUITY_AGENTS} consents fit")
            return
        (self._book.consents.add if wish.given else self._book.consents.discard)(author)
        self._book.keep(turn, lambda later: self._answer(wish.token, later, facts={"author": author}))

    # --- within ----------------------------------------------------------------------------------

    def _case(self, token: int, word: str, turn: Turn) -> Case | None:
        found = [
            case
            for case in self._book.cases.values()
            if word in (case.line.agent, case.plan.owner.node_id, case.plan.owner.name)
        ]
        if self._book.broken:
            self._answer(token, turn, "broken", self._book.broken)
        elif len(found) != 1:
            self._answer(token, turn, "unknown_agent", f"{len(found)} agents here are called {word}")
        else:
            return found[0]
        return None

    def _named(self, case: Case, word: str) -> Member | None:
        found = [m for m in case.plan.members if word in (m.author, m.node_id, m.name)]
        return found[0] if len(found) == 1 else None

    def _wait(self, token: int, case: Case, holder: str, plan: str, turn: Turn) -> None:
        until = turn.now.monotonic + limits.CONTINUITY_ANSWER_SECONDS
        self._waiting.append(Waiting(token, case.line.agent, holder, plan, until))

    def _answer(
        self,
        token: int,
        turn: Turn,
        reason: str = "",
        detail: str = "",
        facts: dict[str, Any] | None = None,
    ) -> None:
        self._book.host.want(wants.Answer(token, reason, detail, facts or {}), turn)


def _author(book: Book, peer: Peer) -> str:
    return next(author for author, each in book.present.items() if each is peer)
