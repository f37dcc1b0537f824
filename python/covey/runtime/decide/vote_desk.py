"""Votes as a person asks about them: the verb `vote` of the control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast, get_args

from covey import limits
from covey.errors import RefusedArgumentError
from covey.fleet import vote_record as vr
from covey.fleet.vote import ABSTAIN, TiePolicy
from covey.fleet.vote_record import VoteRecord
from covey.runtime.decide.asked import number, text, texts
from covey.runtime.decide.desk import Names, RecordDesk, View
from covey.runtime.decide.votes import Asked, Votes


class VoteDesk(RecordDesk[VoteRecord]):
    """Answers about one agent's votes.

    Args:
        votes: Its votes.
        names: Whom people know.
    """

    def __init__(self, votes: Votes, names: Names) -> None:
        super().__init__(votes, VIEW, names, {"call": self._call, "cast": self._cast})
        self._votes = votes

    def open(self) -> list[dict[str, Any]]:
        """Return the questions put to this agent that are not over."""
        return [_asked(each) for each in self._votes.asked()]

    async def _call(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        voters = arguments.get("voters")
        record = await self._votes.call(
            text(arguments, "text"),
            texts(arguments.get("options"), "options"),
            voters=None if voters is None else texts(voters, "voters"),
            seconds=number(arguments, "seconds", limits.DECIDE_SECONDS),
            quorum=number(arguments, "quorum", 0.5),
            majority=number(arguments, "majority", 0.5),
            tie=_tie(arguments.get("tie", "undecided")),
        )
        return await self.checked(record)

    async def _cast(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        option = arguments.get("option")
        asked = await self._votes.cast(
            text(arguments, "vote"), ABSTAIN if option is None else text(arguments, "option")
        )
        return {"asked": _asked(asked)}


def _row(record: VoteRecord) -> dict[str, Any]:
    summary = vr.summary(record.outcome)
    return {
        "id": record.question.id,
        "text": record.question.text,
        "caller": record.caller,
        "ended_ms": record.ended_ms,
        "kind": summary["kind"],
        "winner": summary["winner"],
        "counts": summary["counts"],
    }


VIEW: Final = View[VoteRecord]("votes", "vote", vr.read_record, _row, vr.check)


def _asked(asked: Asked) -> dict[str, Any]:
    return {
        "id": asked.question.id,
        "text": asked.question.text,
        "options": list(asked.question.options),
        "deadline_ms": asked.question.deadline_ms,
        "caller": asked.caller,
        "state": asked.state,
        "option": asked.option,
        "why": asked.why,
    }


def _tie(value: object) -> TiePolicy:
    if value not in get_args(TiePolicy):
        raise RefusedArgumentError(f"tie: expected one of {', '.join(get_args(TiePolicy))}")
    return cast("TiePolicy", value)
