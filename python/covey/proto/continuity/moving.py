"""Handing an agent on while its holder lives: a release to one member, and a node's answer to an offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.proto.continuity import frames, values, wants
from covey.proto.continuity.book import Book
from covey.proto.continuity.case import Case
from covey.proto.continuity.line import read_signed, signed
from covey.proto.continuity.values import ProofError

if TYPE_CHECKING:
    from covey.proto.turn import Turn


class Moving:
    """The giving and the taking side of a move."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._facts: Mapping[str, str | int] = {}

    def report(self, said: wants.Report) -> None:
        """Take what this node says of itself."""
        self._facts = said.facts

    def tick(self, case: Case, turn: Turn) -> None:
        """Say a release once nothing is on its way to the disk, and again while it is not answered."""
        book = self._book
        if not case.released or case.line.holder.author != book.author:
            return
        if turn.now.monotonic >= case.frozen_until:
            turn.count("continuity.releases.over")
            turn.log("warn", "continuity-release-over", agent=case.line.agent, to=case.released)
            case.released = ""
            return
        mark = book.written(case)
        if mark is None:
            return
        release = values.make_release(book.identity, case.plan, case.line.epoch, case.released, mark)
        frame = frames.write(
            "release",
            agent=case.line.agent,
            release=signed(release.body, release.signature),
            payload=case.payload,
        )
        book.send(case.released, frame, turn)

    def heard_release(self, author: str, said: dict[str, Any], turn: Turn) -> None:
        """Take a holder's word that this peer may have the agent.

        Raises:
            ProofError: It does not hold, or is not for this peer.
        """
        book = self._book
        case = book.cases.get(said["agent"])
        if case is None:
            raise ProofError("release: of an agent that is not known here")
        release = values.read_release(*read_signed(said["release"]), case.plan)
        if release.to != book.author or release.by != author or author != case.line.holder.author:
            raise ProofError("release: not from its holder to this peer")
        if release.epoch != case.line.epoch or case.role(book.author) == "witness":
            raise ProofError("release: of another epoch, or to a witness")
        if case.role(book.author) == "standby" and not book.consented(case.line.agent):
            turn.count("continuity.releases.unwanted")
            turn.log("warn", "continuity-not-consented", agent=case.line.agent)
            return
        if case.release is None:
            case.next_try = 0.0
        case.release, case.payload = release, said["payload"]

    def heard_offer(self, author: str, said: dict[str, Any], turn: Turn) -> None:
        """Say whether this node would take an agent: with its operator's prior consent, and where it can."""
        book = self._book
        refusal = ""
        free = self._facts.get("free_bytes", 0)
        needed = max(2 * said["bytes"], limits.CONTINUITY_FREE_BYTES)
        if said["agent"] != author:
            refusal = "not the agent's own word"
        elif not book.consented(author):
            refusal = "no consent: its operator gives it with covey agent allow"
        elif book.broken:
            refusal = "its own record of continuity cannot be used"
        elif not isinstance(free, int) or free < needed:
            refusal = f"too little space: {free} bytes free, {needed} needed"
        elif author not in book.cases and len(book.cases) >= limits.CONTINUITY_AGENTS:
            refusal = "it knows as many agents as it can"
        turn.count(f"continuity.offers.{'refused' if refusal else 'taken'}")
        report = dict(self._facts) if author in book.consents or "*" in book.consents else {}
        book.send(author, frames.write("viable", agent=said["agent"], refusal=refusal, report=report), turn)
