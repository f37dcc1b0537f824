"""Auctions as a person asks about them: the verb `auction` of the control socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from covey import limits
from covey.errors import RefusedArgumentError
from covey.fleet import auction_record as ar
from covey.fleet.auction_record import AuctionRecord
from covey.fleet.vote_record import Finding
from covey.runtime.decide.asked import number, text, texts
from covey.runtime.decide.auctions import Auctions
from covey.runtime.decide.book import given

Names = Callable[[], Awaitable[Mapping[str, str]]]


class AuctionDesk:
    """Answers about one agent's auctions.

    Args:
        auctions: Its auctions.
        names: Whom people know.
    """

    def __init__(self, auctions: Auctions, names: Names) -> None:
        self._auctions = auctions
        self._names = names

    async def answer(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request.

        Raises:
            CoveyError: An argument is wrong, or it cannot be done.
        """
        operations = {
            "hold": self._hold,
            "list": self._list,
            "show": self._show,
            "verify": self._verify,
            "report": self._report,
        }
        operation = operations.get(str(arguments.get("op")))
        if operation is None:
            raise RefusedArgumentError(f"op: expected one of {', '.join(operations)}")
        return {**await operation(arguments), "names": await self._names()}

    async def _hold(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        bidders = arguments.get("bidders")
        record = await self._auctions.hold(
            text(arguments, "task"),
            needs=texts(arguments.get("needs", []), "needs"),
            bidders=None if bidders is None else texts(bidders, "bidders"),
            seconds=number(arguments, "seconds", limits.AUCTION_SECONDS),
            confirm_seconds=number(arguments, "confirm_seconds", limits.AUCTION_CONFIRM_SECONDS),
        )
        return shown(record, await self._auctions.check(record))

    async def _list(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"kept": await asyncio.to_thread(self._kept)}

    def _kept(self) -> list[dict[str, Any]]:
        return [row(self._auctions.record(each)) for each in self._auctions.kept()[: limits.DECIDE_LISTED]]

    async def _show(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        record = await asyncio.to_thread(self._auctions.record, text(arguments, "lot"))
        return shown(record, await self._auctions.check(record))

    async def _verify(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        record = given(arguments.get("record"), ar.read_record)
        return shown(record, await self._auctions.check(record))

    async def _report(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        done = arguments.get("done")
        if not isinstance(done, bool):
            raise RefusedArgumentError("done: expected true or false")
        return {"kept": [row(await self._auctions.report(text(arguments, "lot"), done=done))], "done": done}


def shown(record: AuctionRecord, finding: Finding) -> dict[str, Any]:
    """Return a record with what a check of it found."""
    return {"record": record.to_dict(), "holds": finding.holds, "problems": list(finding.problems)}


def row(record: AuctionRecord) -> dict[str, Any]:
    """Return what a list says of a record."""
    return {
        "id": record.lot.id,
        "task": record.lot.task,
        "auctioneer": record.auctioneer,
        "ended_ms": record.ended_ms,
        "stage": record.stage,
        "winner": record.winner,
        "bids": len(record.of("bid")),
    }
