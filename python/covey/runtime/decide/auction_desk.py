"""Auctions as a person asks about them: the verb `auction` of the control socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from covey import limits
from covey.errors import IpcError
from covey.fleet.auction_record import AuctionRecord
from covey.fleet.vote_record import Finding
from covey.runtime.decide.asked import number, text, texts
from covey.runtime.decide.auctions import Auctions, record_of

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
            raise IpcError(f"op: expected one of {', '.join(operations)}", code="invalid_argument")
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
        record = record_of(arguments.get("record"))
        return shown(record, await self._auctions.check(record))

    async def _report(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        done = arguments.get("done")
        if not isinstance(done, bool):
            raise IpcError("done: expected true or false", code="invalid_argument")
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
