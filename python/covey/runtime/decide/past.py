"""What became of an agent's earlier awards, by bidder: kept by auction, counted for scores."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from covey.fleet.auction import Past
from covey.fleet.signed_word import canonical
from covey.runtime.decide.book import Book, kept_pairs


class PastAwards:
    """The awards of one agent's auctions, and how their winners did.

    Args:
        book: Where they are kept.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._counted: Mapping[str, Past] | None = None

    async def known(self) -> dict[str, Past]:
        """Return what is known of every bidder; read from the book once."""
        if self._counted is None:
            self._counted = await asyncio.to_thread(self._load)
        return dict(self._counted)

    async def remember(self, lot_id: str, results: Sequence[tuple[str, bool]]) -> None:
        """Keep what became of awards, in place of what was said of the same bidders before."""
        if results:
            await asyncio.to_thread(self._keep, lot_id, results)
            self._counted = await asyncio.to_thread(self._load)

    def _keep(self, lot_id: str, results: Sequence[tuple[str, bool]]) -> None:
        before = self._book.load("past", lot_id)
        rows = {} if before is None else dict(kept_pairs("past", lot_id, before))
        rows |= dict(results)
        self._book.keep("past", lot_id, canonical(sorted(rows.items())))

    def _load(self) -> dict[str, Past]:
        done: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        for each in self._book.ids("past"):
            for who, held in kept_pairs("past", each, self._book.load("past", each) or b"[]"):
                (done if held else failed)[who] += 1
        return {who: Past(done[who], failed[who]) for who in {*done, *failed}}
