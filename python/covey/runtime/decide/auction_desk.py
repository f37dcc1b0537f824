"""Auctions as a person asks about them: the verb `auction` of the control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from covey import limits
from covey.errors import RefusedArgumentError
from covey.fleet import auction_record as ar
from covey.fleet.auction_record import AuctionRecord
from covey.runtime.decide.asked import number, text, texts
from covey.runtime.decide.auctions import Auctions
from covey.runtime.decide.desk import Names, RecordDesk, View


class AuctionDesk(RecordDesk[AuctionRecord]):
    """Answers about one agent's auctions.

    Args:
        auctions: Its auctions.
        names: Whom people know.
    """

    def __init__(self, auctions: Auctions, names: Names) -> None:
        super().__init__(auctions, VIEW, names, {"hold": self._hold, "report": self._report})
        self._auctions = auctions

    async def _hold(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        bidders = arguments.get("bidders")
        record = await self._auctions.hold(
            text(arguments, "task"),
            needs=texts(arguments.get("needs", []), "needs"),
            bidders=None if bidders is None else texts(bidders, "bidders"),
            seconds=number(arguments, "seconds", limits.AUCTION_SECONDS),
            confirm_seconds=number(arguments, "confirm_seconds", limits.AUCTION_CONFIRM_SECONDS),
        )
        return await self.checked(record)

    async def _report(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        done = arguments.get("done")
        if not isinstance(done, bool):
            raise RefusedArgumentError("done: expected true or false")
        return {"kept": [_row(await self._auctions.report(text(arguments, "lot"), done=done))], "done": done}


def _row(record: AuctionRecord) -> dict[str, Any]:
    return {
        "id": record.lot.id,
        "task": record.lot.task,
        "auctioneer": record.auctioneer,
        "ended_ms": record.ended_ms,
        "stage": record.stage,
        "winner": record.winner,
        "bids": len(record.of("bid")),
    }


VIEW: Final = View[AuctionRecord]("auctions", "lot", ar.read_record, _row, ar.check)
