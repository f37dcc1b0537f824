"""Who holds an agent next: asking for votes, giving them, and what a majority decides.

A try keeps its term for as long as it stands: asking again for the same one costs no epoch, so whoever is cut
off from the majority uses none up. A new one goes past every epoch that somebody has promised.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.proto.continuity import frames, values, wants
from covey.proto.continuity.book import Book, index_of
from covey.proto.continuity.case import Attempt, Case, Promise
from covey.proto.continuity.line import Line, read_signed, signed
from covey.proto.continuity.values import Plan, ProofError, Release, Term
from covey.proto.continuity.voting import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from covey.proto.link import Peer
    from covey.proto.turn import Turn


class Electing:
    """Candidates and voters.

    Args:
        book: The cases.
        take: Called with a line that holds from now on, where the shell has nothing to make ready for it.
    """

    def __init__(self, book: Book, take: Callable[[Case, Line, Turn], None]) -> None:
        self._book = book
        self._take = take

    # --- time ------------------------------------------------------------------------------------

    def tick(self, case: Case, turn: Turn) -> None:
        """Look at the holder; go on with a try, or begin one where it is time."""
        book = self._book
        self._watch(case, turn)
        if book.broken or case.role(book.author) in (None, "witness"):
            return
        if case.attempt is not None:
            self._go_on(case, case.attempt, turn)
        elif case.line.holder.author == book.author:
            if case.contested and not case.promise.closing and turn.now.monotonic >= case.next_try:
                self.begin(case, "renewed", turn)
        elif self._may_begin(case, turn):
            why: values.Why = "failed" if case.release is None else "released"
            self.begin(case, why, turn, release=case.release)

    def absent(self, case: Case, turn: Turn) -> bool:
        """Tell whether this peer's failure detector has given the holder up."""
        holder = case.line.holder
        if holder.author == self._book.author or case.gone_since is None:
            return False
        dead = self._book.look(holder.node_id) == "dead"
        wait = limits.CONTINUITY_DEAD_SECONDS if dead else limits.CONTINUITY_LEFT_SECONDS
        return turn.now.monotonic >= case.gone_since + wait

    def _watch(self, case: Case, turn: Turn) -> None:
        if self._book.look(case.line.holder.node_id) in ("alive", "suspect"):
            case.gone_since = None
        elif case.gone_since is None:
            case.gone_since = turn.now.monotonic

    def _may_begin(self, case: Case, turn: Turn) -> bool:
        book, now = self._book, turn.now.monotonic
        if case.role(book.author) == "standby" and not book.consented(case.line.agent):
            return False
        if now < case.next_try or (case.promise.closing and case.promise.plan == case.plan.digest):
            return False
        if case.release is not None:
            return case.mark >= case.release.mark
        if not case.plan.automatic or not self.absent(case, turn):
            case.next_try = 0.0
            return False
        if case.next_try == 0.0:
            place = index_of(list(case.plan.keepers), book.author)
            case.next_try = now + limits.CONTINUITY_STEP_SECONDS * (place + 0.3 * turn.jitter())
            return now >= case.next_try
        return self.reach(case) >= case.plan.majority

    def reach(self, case: Case) -> int:
        """Return how many voters this peer could ask now, itself among them."""
        return sum(m.author in self._book.present or m.author == self._book.author for m in case.plan.members)

    # --- a try -----------------------------------------------------------------------------------

    def begin(
        self,
        case: Case,
        why: values.Why,
        turn: Turn,
        *,
        release: Release | None = None,
        following: Plan | None = None,
    ) -> bool:
        """Ask for the next epoch; False where the plan has no further one."""
        term = self.term(case, why, turn, following=following)
        if term is None:
            return False
        case.attempt = Attempt(term, following, release)
        turn.count(f"continuity.tries.{why}")
        turn.log("info", "continuity-asks", agent=case.line.agent, epoch=term.epoch, why=why)
        self._vote(case, term, following, release, self._book.author, turn)
        return True

    def term(self, case: Case, why: values.Why, turn: Turn, *, following: Plan | None = None) -> Term | None:
        """Return the term this peer may ask for next, signed; None where the plan has no further epoch."""
        book = self._book
        epoch = max(case.line.epoch, case.promise.epoch, case.least) + 1
        if epoch > case.plan.epochs:
            turn.count("continuity.epochs_used_up")
            return None
        source = case.source or case.line.agent
        heads = {} if source == book.author else book.heads(case, source, book.author) or {}
        return values.make_term(
            book.identity,
            case.plan,
            epoch,
            why,
            turn.now.wall_ms,
            mark=case.mark,
            source=source,
            heads=heads,
            following=following,
        )

    def _go_on(self, case: Case, attempt: Attempt, turn: Turn) -> None:
        if attempt.won:
            return
        back = attempt.term.why == "failed" and not self.absent(case, turn)
        if attempt.term.holder == case.line.holder.author:
            back = False
        if back:
            turn.count("continuity.tries.given_up")
            case.attempt = None
            return
        if turn.now.monotonic >= attempt.asked_at + limits.CONTINUITY_ASK_SECONDS:
            self._ask(case, attempt, turn)

    def _ask(self, case: Case, attempt: Attempt, turn: Turn) -> None:
        attempt.asked_at = turn.now.monotonic
        term, following, release = attempt.term, attempt.following, attempt.release
        frame = frames.write(
            "ask",
            term=signed(term.body, term.signature),
            plan=case.plan.digest,
            next=None if following is None else signed(following.body, following.signature),
            release=None if release is None else signed(release.body, release.signature),
        )
        for member in case.others(self._book.author):
            if member.author not in attempt.votes:
                self._book.send(member.author, frame, turn)

    # --- votes -----------------------------------------------------------------------------------

    def heard_ask(self, peer: Peer, author: str, said: dict[str, Any], turn: Turn) -> None:
        """Take a request for a vote.

        Raises:
            ProofError: A part of it does not hold.
        """
        book = self._book
        case = next((each for each in book.cases.values() if each.plan.digest == said["plan"]), None)
        if case is None or case.role(book.author) is None or book.broken:
            turn.count("continuity.asks.unknown")
            return
        term = values.read_term(*read_signed(said["term"]), {}, case.plan)
        if term.holder != author:
            raise ProofError("term: asked for by somebody else")
        following = None if said["next"] is None else values.read_plan(*read_signed(said["next"]))
        release = None
        if said["release"] is not None:
            release = values.read_release(*read_signed(said["release"]), case.plan)
        self._vote(case, term, following, release, author, turn)

    def _vote(
        self,
        case: Case,
        term: Term,
        following: Plan | None,
        release: Release | None,
        asker: str,
        turn: Turn,
    ) -> None:
        """Give a vote once the promise is durable, or say why not."""
        book = self._book
        ruling = judge(case, term, following, release, book.author, lambda: self.absent(case, turn))
        if ruling.reason:
            turn.count(f"continuity.votes.{ruling.reason}")
            if ruling.reason == "stale":
                book.send(asker, frames.write("line", line=case.line.wire()), turn)
            self._tell_vote(case, term, asker, None, ruling.reason, ruling.least, turn)
            return
        case.promise = Promise(term.epoch, term.digest, following is not None, case.plan.digest)
        vote = book.identity.sign_statement(values.VOTE, term.vote_body())
        turn.count("continuity.votes.given")
        book.keep(turn, lambda later: self._tell_vote(case, term, asker, vote, "", 0, later))

    def _tell_vote(
        self, case: Case, term: Term, asker: str, vote: bytes | None, reason: str, least: int, turn: Turn
    ) -> None:
        if asker == self._book.author:
            self._counted(case, term.digest, asker, vote, reason, least, turn)
            if case.attempt is not None and not case.attempt.won and case.attempt.term is term:
                self._ask(case, case.attempt, turn)
            return
        shown = None if vote is None else values.b64(vote)
        frame = frames.write(
            "vote",
            agent=term.agent,
            epoch=term.epoch,
            term=term.digest,
            vote=shown,
            reason=reason,
            least=least,
        )
        self._book.send(asker, frame, turn)

    def heard_vote(self, author: str, said: dict[str, Any], turn: Turn) -> None:
        """Take the answer of a voter.

        Raises:
            ProofError: The vote does not hold.
        """
        case = self._book.cases.get(said["agent"])
        if case is None or case.attempt is None or case.attempt.term.digest != said["term"]:
            turn.count("continuity.votes.late")
            return
        vote = None if said["vote"] is None else values.unb64(said["vote"], 64)
        if vote is not None:
            values.check_vote(case.attempt.term, case.plan, author, vote)
        self._counted(case, said["term"], author, vote, said["reason"], said["least"], turn)

    def _counted(
        self, case: Case, digest: str, author: str, vote: bytes | None, reason: str, least: int, turn: Turn
    ) -> None:
        attempt = case.attempt
        if attempt is None or attempt.won or attempt.term.digest != digest:
            return
        if vote is None:
            if reason in ("stale", "voted", "behind", "closing"):
                self._back_off(case, min(least, case.plan.epochs), turn)
            return
        attempt.votes[author] = vote
        if len(attempt.votes) >= case.plan.majority:
            self._won(case, attempt, turn)

    def _back_off(self, case: Case, least: int, turn: Turn) -> None:
        """Give a try up that cannot win as it is; another, later, may be somebody else's."""
        case.least = max(case.least, least)
        case.attempt = None
        case.next_try = turn.now.monotonic + limits.CONTINUITY_BACK_SECONDS * (0.25 + 1.5 * turn.jitter())

    def _won(self, case: Case, attempt: Attempt, turn: Turn) -> None:
        """Let the shell make ready what the term brings; it is told to others after that."""
        attempt.won = True
        term = replace(attempt.term, votes=dict(attempt.votes))
        attempt.term = term
        turn.log("info", "continuity-elected", agent=term.agent, epoch=term.epoch, votes=len(term.votes))
        if term.holder == case.line.holder.author:
            self._take(case, case.line.advanced(term, attempt.following), turn)
        else:
            self._book.host.want(wants.Prepare(term.agent, term, term.source, case.payload), turn)

    def hold(self, case: Case, term: Term, turn: Turn) -> None:
        """Make ready what an operator's word brings; it is told to others after that."""
        case.attempt = Attempt(term, None, None, won=True)
        self._book.keep(turn, lambda later: self._prepare(term, later))

    def _prepare(self, term: Term, turn: Turn) -> None:
        self._book.host.want(wants.Prepare(term.agent, term, term.source), turn)
