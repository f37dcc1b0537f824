"""Auctions over a bus: one call that announces, takes bids, awards until somebody confirms, keeps and tells.

Rules: on the loop's thread. Whoever holds one listens before it announces. A winner that is gone, silent or
declines gives way to the next; a confirmation counts for the award it names. A winner begins only once it
has heard that the auction ended with it: an award alone may be void already.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from covey import limits
from covey.errors import DecisionError
from covey.fleet import arguments as args
from covey.fleet import auction_record as ar
from covey.fleet.auction import (
    Auction,
    Award,
    Bid,
    Effect,
    Ended,
    Lot,
    Score,
    Withdraw,
    default_score,
)
from covey.fleet.auction_record import AuctionError, AuctionRecord
from covey.fleet.message import Message, MessageType
from covey.fleet.signed_word import Word, canonical
from covey.runtime.decide.book import Book, is_id, meant
from covey.runtime.decide.past import PastAwards
from covey.runtime.decide.post import Post
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.fleet.vote_record import Finding

_KIND = MessageType.TASK_AUCTION


@dataclass(frozen=True, slots=True)
class Terms:
    """What a bidder offers for a lot: how loaded it is (0 to 1), what it asks, how long it takes."""

    load: float = 0.0
    price: float = 0.0
    eta_seconds: float = 0.0


MakeBid = Callable[[Lot], Awaitable[Terms | None]]
"""Gives terms for a lot, or None to let it pass."""
Accept = Callable[[Lot], Awaitable[bool]]
"""Says whether an award is accepted."""
Won = Callable[[Lot], Awaitable[None]]
"""Is told that a lot is this agent's, confirmed: now the work begins."""


@dataclass(frozen=True, slots=True)
class _Bidder:
    bid: MakeBid
    capabilities: frozenset[str]
    accept: Accept | None
    won: Won | None


@dataclass(slots=True)
class _Sale:
    """An auction that is held here."""

    auction: Auction
    digest: str
    until: float
    root: Message | None = None
    present: frozenset[str] = frozenset()
    asked: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    words: list[Word] = field(default_factory=list)
    ended: Ended | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Heard:
    """A lot that was announced to this agent."""

    lot: Lot
    auctioneer: str
    message: Message
    until: float
    terms: Terms | None = None
    accepted: int = 0


class Auctions:
    """One agent's auctions: those it holds, and those it bids in.

    Args:
        post: Its address.
        book: Where records and what became of awards are kept.
    """

    def __init__(self, post: Post, book: Book) -> None:
        self._post = post
        self._book = book
        self._bidder: _Bidder | None = None
        self._sales: dict[str, _Sale] = {}
        self._heard: OrderedDict[str, _Heard] = OrderedDict()
        self._past = PastAwards(book)
        post.serve("lot", self._on_lot)
        for word in ("bid", "pass", "confirm", "decline"):
            post.serve(word, self._on_answer)
        post.serve("bid-refused", self._on_refused)
        post.serve("award", self._on_award)
        post.serve("void", self._on_void)
        post.serve("sold", self._on_sold)

    # --- holding --------------------------------------------------------------------------------

    async def hold(
        self,
        task: str,
        *,
        needs: Collection[str] = (),
        bidders: Sequence[str] | None = None,
        seconds: float = limits.AUCTION_SECONDS,
        confirm_seconds: float = limits.AUCTION_CONFIRM_SECONDS,
        score: Score = default_score,
    ) -> AuctionRecord:
        """Hold an auction; return when somebody has confirmed, or nobody is left.

        Args:
            task: What is to be done.
            needs: Capabilities that a bidder must have.
            bidders: Names or nodeIds; None: everybody trusted who listens, this agent included.
            seconds: How long bids are taken. With `bidders`, less: until all of them have answered.
            confirm_seconds: How long a winner has to confirm.
            score: The higher, the better; gets a bid and what became of its bidder's earlier awards.

        Returns:
            The record: `stage` is confirmed (by `winner`), no-bids or exhausted; signed, and kept.

        Raises:
            UsageError: The task is empty or too long, a bidder is not known, or a time is past its bound.
        """
        args.text("auction", "task", task, limits.AUCTION_TASK_CHARS)
        needs = args.capabilities("auction", "needs", needs)
        seconds = _seconds("seconds", seconds, limits.AUCTION_SECONDS)
        confirm_seconds = _seconds("confirm_seconds", confirm_seconds, limits.AUCTION_CONFIRM_SECONDS)
        args.function("auction", "score", score)
        invited = None if bidders is None else self._post.nodes_of("auction", "bidders", bidders)
        past, world = await self._past.known(), self._post.world
        ends_ms, made = world.clock.now_ms() + int(seconds * 1000), world.entropy.bytes(16).hex()
        lot = Lot(made, task, needs, ends_ms / 1000, confirm_seconds, invited)
        auction = Auction(lot, score, past)
        sale = _Sale(auction, ar.lot_digest(lot), world.clock.monotonic() + seconds)
        self._sales[sale.digest] = sale
        try:
            ended = await self._run(sale)
        finally:
            del self._sales[sale.digest]
        return await self._close(sale, ended)

    async def report(self, lot_id: str, *, done: bool) -> AuctionRecord:
        """Say how the winner of an own auction did its work; later scores know it.

        Raises:
            DecisionError: No such auction is kept here, it is another's, or it ended without a winner.
        """
        record = await asyncio.to_thread(self.record, lot_id)
        if record.auctioneer != self._post.node_id or record.winner is None:
            raise DecisionError(f"auction {lot_id[:64]}: it has no winner to report on here")
        await self._past.remember(record.lot.id, [(record.winner, done)])
        return record

    # --- bidding --------------------------------------------------------------------------------

    def bidder(
        self,
        bid: MakeBid,
        *,
        capabilities: Collection[str] = (),
        accept: Accept | None = None,
        won: Won | None = None,
    ) -> None:
        """Bid for this agent from now on; for lots that need more than `capabilities`, nothing is asked.

        Args:
            bid: Gives terms for a lot, or None.
            capabilities: What this agent can do.
            accept: Says whether an award is accepted; without it every one is.
            won: Told once a lot is confirmed.

        Raises:
            UsageError: What should be called cannot be, or a word can be no capability.
        """
        args.function("bidder", "bid", bid)
        args.function("bidder", "accept", accept, optional=True)
        args.function("bidder", "won", won, optional=True)
        self._bidder = _Bidder(bid, args.capabilities("bidder", "capabilities", capabilities), accept, won)

    # --- looking --------------------------------------------------------------------------------

    def kept(self) -> list[str]:
        """Return the ids of records kept here, the newest first. Blocks."""
        return self._book.ids("auctions")

    def record(self, lot_id: str) -> AuctionRecord:
        """Return a kept record, by its id or how that begins. Blocks.

        Raises:
            DecisionError: It is not kept here.
            UsageError: Several begin so.
            StoreError: What is kept is no such record.
        """
        return meant(self._book, "auctions", lot_id, ar.read_record)

    async def check(self, record: AuctionRecord) -> Finding:
        """Check a record by the keys that are known here."""
        who = {record.auctioneer, *(each.by for each in record.words)}
        known = {each: await self._post.key_of(each) for each in who}
        return ar.check(record, known.get)

    # --- the auctioneer's half ------------------------------------------------------------------

    async def _run(self, sale: _Sale) -> Ended:
        self._do(sale, sale.auction.begin())
        clock = self._post.world.clock
        while sale.ended is None:
            here = self._post.here()
            auction = sale.auction
            if auction.stage == "open":
                self._announce(sale, here)
            elif auction.winner is not None and auction.winner not in here:
                self._do(sale, auction.gone(auction.winner, self._now(sale)))
                continue
            invited, now = auction.lot.invited, self._now(sale)
            early = auction.stage == "open" and invited is not None and invited <= sale.answered
            effects = auction.close(now) if early else auction.tick(now)
            self._do(sale, effects)
            due = auction.next_deadline()
            if sale.ended is not None or due is None or effects:
                continue
            sale.news.clear()
            left = due - sale.auction.lot.deadline + sale.until - clock.monotonic()
            try:
                await asyncio.wait_for(sale.news.wait(), min(max(left, 0.001), limits.DECIDE_LOOK_SECONDS))
            except TimeoutError:
                continue  # nothing came: look again who is here, and what time it is
        return sale.ended

    def _announce(self, sale: _Sale, here: frozenset[str]) -> None:
        lot = sale.auction.lot
        left = max(0.001, sale.until - self._post.world.clock.monotonic())
        for bidder in sorted(here - sale.present - sale.answered):
            if lot.invited is None or bidder in lot.invited:
                body = {"lot": ar.lot_dict(lot)}
                _, receipt = self._post.send(bidder, _KIND, "lot", body, answers=sale.root, seconds=left)
                sale.root = sale.root or receipt.message
                sale.asked.add(bidder)
        sale.present = here

    def _do(self, sale: _Sale, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Award(bidder=bidder, fence=fence):
                    body = {"lot": sale.digest, "fence": fence, "seconds": sale.auction.lot.confirm_seconds}
                    self._say(sale, bidder, "award", body)
                case Withdraw(bidder=bidder, fence=fence, reason=reason):
                    body = {"lot": sale.digest, "fence": fence, "reason": reason}
                    self._say(sale, bidder, "void", body)
                case Ended():
                    sale.ended = effect

    def _say(self, sale: _Sale, to: str, word: str, body: dict[str, object]) -> None:
        seconds = sale.auction.lot.confirm_seconds
        said, _ = self._post.send(to, _KIND, word, body, answers=sale.root, seconds=seconds)
        sale.words.append(said)

    async def _on_answer(self, word: Word, message: Message) -> None:
        """Take a bid, a pass, a confirmation or a refusal."""
        sale = self._sales.get(str(word.body.get("lot")))
        if sale is None:
            if word.word == "bid":
                self._refuse(word, message, "late")
            return
        now, auction = self._now(sale), sale.auction
        if word.word in ("confirm", "decline"):
            fence = word.body.get("fence")
            if type(fence) is not int or word.by != auction.winner or fence != auction.fence:
                self._post.counts["answers-to-void-awards"] += 1
                return
            act = auction.confirm if word.word == "confirm" else auction.decline
            sale.words.append(word)
            self._do(sale, act(word.by, fence, now))
        elif word.word == "bid":
            refused = self._bid(sale, word, now)
            if refused is not None:
                self._refuse(word, message, refused)
        sale.answered.add(word.by)
        sale.news.set()

    def _bid(self, sale: _Sale, word: Word, now: float) -> str | None:
        try:
            bid = ar.read_bid(word.by, word.body)
        except AuctionError:
            return "malformed"
        refused = sale.auction.bid(bid, now)
        if refused is None and all(each.by != word.by for each in sale.words):
            sale.words.append(word)
        self._post.counts["bids" if refused is None else f"bids-{refused}"] += 1
        return refused

    def _refuse(self, word: Word, message: Message, why: str) -> None:
        self._post.world.say("warn", "auction-bid-refused", by=word.by, reason=why)
        told = {"lot": word.body.get("lot"), "why": why}
        self._post.send(word.by, _KIND, "bid-refused", told, answers=message)

    async def _close(self, sale: _Sale, ended: Ended) -> AuctionRecord:
        scores = sale.auction.scores
        for who, why in sorted(sale.auction.unscored.items()):
            self._post.counts["bids-unscored"] += 1
            self._post.world.say("warn", "auction-bid-unscored", lot=sale.auction.lot.id, by=who, detail=why)
        record = AuctionRecord(
            sale.auction.lot,
            self._post.node_id,
            tuple(sale.words),
            ended.stage,
            ended.winner,
            ended.fence,
            {who: each if abs(each) <= limits.JSON_INTEGER else None for who, each in scores.items()},
            ended.passed_over,
            round(self._now(sale) * 1000),
            "" if sale.root is None else sale.root.trace or sale.root.id,
        )
        record = ar.close(self._post.signer, record)
        content = canonical(record.to_dict())
        await asyncio.to_thread(self._book.keep, "auctions", record.lot.id, content)
        silent = [(who, False) for who, why in ended.passed_over if why not in ("declined", "cancelled")]
        await self._past.remember(record.lot.id, silent)
        whole = len(content) <= limits.MESSAGE_PAYLOAD_BYTES - limits.DECIDE_ENVELOPE_BYTES
        body = {"lot": sale.digest, "winner": ended.winner, "fence": ended.fence}
        for bidder in sorted({each.bidder for each in ended.bids}):
            told = {**body, "record": record.to_dict() if whole else None}
            self._post.send(bidder, _KIND, "sold", told, answers=sale.root)
        return record

    def _now(self, sale: _Sale) -> float:
        """Return the time on the auction's own clock, in seconds since the epoch."""
        return sale.auction.lot.deadline + self._post.world.clock.monotonic() - sale.until

    # --- the bidder's half ----------------------------------------------------------------------

    async def _on_lot(self, word: Word, message: Message) -> None:
        try:
            lot = ar.read_lot(word.body.get("lot"))
        except AuctionError as error:
            self._post.world.say("warn", "auction-unreadable", by=word.by, detail=str(error))
            return
        now = self._post.world.clock.monotonic()
        for over in [each for each, heard in self._heard.items() if heard.until < now]:
            del self._heard[over]
        left = max(0.0, (message.deadline_ms - message.timestamp_ms) / 1000)
        digest = ar.lot_digest(lot)
        if digest not in self._heard:
            if len(self._heard) >= limits.DECIDE_OPEN or not is_id(lot.id):
                self._post.counts["lots-refused"] += 1
                self._post.world.say("warn", "auction-not-taken", by=word.by, lot=lot.id[:64])
                return
            after = lot.confirm_seconds * limits.AUCTION_AWARDS_WAITED + limits.DECIDE_AFTER_SECONDS
            until = now + min(left, limits.DECIDE_SECONDS_MOST) + after
            self._heard[digest] = _Heard(lot, word.by, message, until)
        self._post.start(self._offer(digest, self._heard[digest], left))

    async def _offer(self, digest: str, heard: _Heard, left: float) -> None:
        """Ask this agent for its terms, in time, and send them."""
        bidder = self._bidder
        if bidder is None or not heard.lot.needs <= bidder.capabilities:
            self._answer(heard, "pass", {"lot": digest})
            return
        try:
            terms = heard.terms or await asyncio.wait_for(bidder.bid(heard.lot), left)
        except TimeoutError:
            self._post.world.say("warn", "auction-no-terms-in-time", lot=heard.lot.id)
            return
        except Exception as error:  # contained: nobody waits for a bid that does not come
            self._failed("auction-bid-failed", heard, error)
            terms = None
        heard.terms = terms
        if terms is None:
            self._answer(heard, "pass", {"lot": digest})
            return
        bid = Bid(self._post.node_id, bidder.capabilities, terms.load, terms.price, terms.eta_seconds)
        self._answer(heard, "bid", ar.bid_body(bid, digest))

    async def _on_award(self, word: Word, message: Message) -> None:
        digest, fence = str(word.body.get("lot")), word.body.get("fence")
        heard, bidder = self._heard.get(digest), self._bidder
        if type(fence) is not int or (heard is not None and heard.auctioneer != word.by):
            return
        body = {"lot": digest, "fence": fence}
        if heard is None or heard.terms is None or bidder is None:  # restarted since: it knows of no bid
            self._post.send(word.by, _KIND, "decline", body, answers=message)
            return
        self._post.start(self._decide(heard, bidder, body, message))

    async def _decide(
        self, heard: _Heard, bidder: _Bidder, body: dict[str, object], message: Message
    ) -> None:
        try:
            accepts = bidder.accept is None or await asyncio.wait_for(
                bidder.accept(heard.lot), heard.lot.confirm_seconds
            )
        except TimeoutError:  # its time is over there too: the next one has it
            self._post.world.say("warn", "auction-not-accepted-in-time", lot=heard.lot.id)
            return
        except Exception as error:  # contained: the next best has it at once
            self._failed("auction-accept-failed", heard, error)
            accepts = False
        heard.accepted = int(str(body["fence"])) if accepts else 0
        self._answer(heard, "confirm" if accepts else "decline", body, message)

    def _failed(self, what: str, heard: _Heard, error: Exception) -> None:
        why = f"{type(error).__name__}: {error}"[: limits.PROFILE_TEXT_CHARS]
        self._post.counts[what] += 1
        self._post.world.say("warn", what, lot=heard.lot.id, detail=why)

    def _answer(
        self, heard: _Heard, word: str, body: dict[str, object], message: Message | None = None
    ) -> None:
        self._post.send(heard.auctioneer, _KIND, word, body, answers=message or heard.message)

    async def _on_refused(self, word: Word, _: Message) -> None:
        heard = self._heard.get(str(word.body.get("lot")))
        if heard is not None and heard.auctioneer == word.by:
            heard.terms = None
            why = str(word.body.get("why"))[: limits.VOTE_ID_CHARS]
            self._post.world.say("warn", "auction-own-bid-refused", lot=heard.lot.id, reason=why)

    async def _on_void(self, word: Word, _: Message) -> None:
        heard = self._heard.get(str(word.body.get("lot")))
        if heard is not None and heard.auctioneer == word.by and word.body.get("fence") == heard.accepted:
            heard.accepted = 0

    async def _on_sold(self, word: Word, _: Message) -> None:
        heard = self._heard.pop(str(word.body.get("lot")), None)
        if heard is None or heard.auctioneer != word.by:
            return
        if word.body.get("record") is not None:
            await self._keep(word, heard)
        mine = word.body.get("winner") == self._post.node_id and word.body.get("fence") == heard.accepted
        if mine and heard.accepted and self._bidder is not None and self._bidder.won is not None:
            self._post.start(self._bidder.won(heard.lot))

    async def _keep(self, word: Word, heard: _Heard) -> None:
        try:
            record = ar.read_record(word.body["record"])
        except AuctionError as error:
            self._post.world.say("warn", "auction-record-unreadable", by=word.by, detail=str(error))
            return
        if ar.lot_digest(record.lot) != ar.lot_digest(heard.lot) or record.auctioneer != word.by:
            return
        finding = await self.check(record)
        left_out = heard.terms is not None and all(each.by != self._post.node_id for each in record.of("bid"))
        if not finding.holds or left_out:
            why = finding.problems[0] if finding.problems else "the bid of this agent is left out"
            self._post.counts["auctions-contested"] += 1
            self._post.world.say("warn", "auction-contested", lot=record.lot.id, by=word.by, detail=why)
        await asyncio.to_thread(self._book.keep, "auctions", record.lot.id, canonical(record.to_dict()))


def _seconds(name: str, value: object, usual: float) -> float:
    return args.seconds("auction", name, value, limits.DECIDE_SECONDS_MOST, usual=usual)
