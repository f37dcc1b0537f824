"""Votes as a person asks about them: the verb `vote` of the control socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast, get_args

from covey import limits
from covey.errors import RefusedArgumentError
from covey.fleet import vote_record as vr
from covey.fleet.vote import ABSTAIN, TiePolicy
from covey.fleet.vote_record import Finding, VoteRecord
from covey.runtime.decide.asked import number, text, texts
from covey.runtime.decide.book import given
from covey.runtime.decide.votes import Asked, Votes

Names = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives the names that are known, by nodeId."""


class VoteDesk:
    """Answers about one agent's votes.

    Args:
        votes: Its votes.
        names: Whom people know.
    """

    def __init__(self, votes: Votes, names: Names) -> None:
        self._votes = votes
        self._names = names

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request.

        Raises:
            CoveyError: An argument is wrong, or it cannot be done.
        """
        operations = {
            "call": self._call,
            "cast": self._cast,
            "list": self._list,
            "show": self._show,
            "verify": self._verify,
        }
        operation = operations.get(str(arguments.get("op")))
        if operation is None:
            raise RefusedArgumentError(f"op: expected one of {', '.join(operations)}")
        return {**await operation(arguments), "names": await self._names()}

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
        return shown(record, await self._votes.check(record))

    async def _cast(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        option = arguments.get("option")
        asked = await self._votes.cast(
            text(arguments, "vote"), ABSTAIN if option is None else text(arguments, "option")
        )
        return {"asked": _asked(asked)}

    async def _list(self, _: Mapping[str, Any]) -> dict[str, Any]:
        kept = await asyncio.to_thread(self._kept)
        return {"open": [_asked(each) for each in self._votes.asked()], "kept": kept}

    def _kept(self) -> list[dict[str, Any]]:
        return [row(self._votes.record(each)) for each in self._votes.kept()[: limits.DECIDE_LISTED]]

    async def _show(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        record = await asyncio.to_thread(self._votes.record, text(arguments, "vote"))
        return shown(record, await self._votes.check(record))

    async def _verify(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        record = given(arguments.get("record"), vr.read_record)
        return shown(record, await self._votes.check(record))


def shown(record: VoteRecord, finding: Finding) -> dict[str, Any]:
    """Return a record with what a check of it found."""
    return {"record": record.to_dict(), "holds": finding.holds, "problems": list(finding.problems)}


def row(record: VoteRecord) -> dict[str, Any]:
    """Return what a list says of a record."""
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
