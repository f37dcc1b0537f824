"""What is kept of an auction: lot, bids, awards and answers as their authors signed them, and how it ended.

Rules: pure. Whoever checks a record needs the keys and nothing else. How bids were scored is the auctioneer's
affair and stands there as numbers; that awards went by them, best first, and that the winner confirmed, is
checked. Which bids came in time is what the auctioneer's signature answers for.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, get_args

from covey import limits
from covey.fleet import signed_word as sw
from covey.fleet.auction import Bid, Lot, Stage, ranked
from covey.fleet.signed_word import Signer, Word, WordError, canonical, written
from covey.fleet.vote_record import Finding, KeyOf
from covey.values import dataclass

RECORD: Final = "x-covey-auction-record-v1"
"""The kind under which an auctioneer signs a record."""
_LOT: Final = frozenset({"id", "task", "needs", "deadline_ms", "confirm_seconds", "invited"})
_MEMBERS: Final = frozenset(
    {
        "schema",
        "lot",
        "auctioneer",
        "words",
        "stage",
        "winner",
        "fence",
        "scores",
        "passed_over",
        "ended_ms",
        "trace",
        "signature",
    }
)


class AuctionError(ValueError):
    """A lot, a bid or a record that is none; says which part, and what was expected."""


@dataclass(frozen=True, slots=True)
class AuctionRecord:
    """An auction that is over.

    `words` are the signed bids, awards, voids, confirmations and refusals in the order they came to the
    auctioneer or left it. `scores` has each bidder's, or None where it was no number.
    """

    lot: Lot
    auctioneer: str
    words: tuple[Word, ...]
    stage: Stage
    winner: str | None
    fence: int
    scores: Mapping[str, float | None]
    passed_over: tuple[tuple[str, str], ...] = ()
    ended_ms: int = 0
    trace: str = ""
    signature: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**self._unsigned(), "signature": written(self.signature)}

    def body(self) -> bytes:
        """Return what the auctioneer signs."""
        return canonical(self._unsigned())

    def of(self, kind: str) -> list[Word]:
        """Return the words of one kind, in order."""
        return [each for each in self.words if each.word == kind]

    def bids(self) -> list[Bid]:
        """Return the bids that were made."""
        return [read_bid(each.by, each.body) for each in self.of("bid")]

    def _unsigned(self) -> dict[str, Any]:
        return {
            "schema": RECORD,
            "lot": lot_dict(self.lot),
            "auctioneer": self.auctioneer,
            "words": [each.to_dict() for each in self.words],
            "stage": self.stage,
            "winner": self.winner,
            "fence": self.fence,
            "scores": dict(self.scores),
            "passed_over": [list(each) for each in self.passed_over],
            "ended_ms": self.ended_ms,
            "trace": self.trace,
        }


def close(signer: Signer, record: AuctionRecord) -> AuctionRecord:
    """Return a record signed by its auctioneer."""
    return replace(record, signature=signer.sign_statement(RECORD, record.body()))


def check(record: AuctionRecord, key_of: KeyOf) -> Finding:
    """Check a record by the keys that are known here."""
    found: list[str] = []
    key = key_of(record.auctioneer)
    if key is None:
        found.append(f"auctioneer {record.auctioneer}: its key is not known here")
    elif not sw.signed(RECORD, record.body(), record.signature, key):
        found.append(f"auctioneer {record.auctioneer}: did not sign this record")
    digest = lot_digest(record.lot)
    for word in record.words:
        found += _wrong(word, record, digest, key_of)
    if not found:  # only what is signed is worth being held against the rules
        found += _order(record)
    return Finding(tuple(found), len(record.of("bid")))


def lot_dict(lot: Lot) -> dict[str, Any]:
    """Return a lot as plain JSON values."""
    return {
        "id": lot.id,
        "task": lot.task,
        "needs": sorted(lot.needs),
        "deadline_ms": round(lot.deadline * 1000),
        "confirm_seconds": float(lot.confirm_seconds),
        "invited": None if lot.invited is None else sorted(lot.invited),
    }


def lot_digest(lot: Lot) -> str:
    """Return what bids and awards are bound to: everything a lot says."""
    return hashlib.sha256(canonical(lot_dict(lot))).hexdigest()


def read_lot(value: object) -> Lot:
    """Read a lot that somebody else announced; its deadline in seconds since the epoch.

    Raises:
        AuctionError: It is none, or past a bound.
    """
    if not isinstance(value, Mapping) or set(value) != _LOT:
        raise AuctionError(f"lot: expected {', '.join(sorted(_LOT))}")
    for name, most in (("id", limits.VOTE_ID_CHARS), ("task", limits.AUCTION_TASK_CHARS)):
        if not isinstance(value[name], str) or not 0 < len(value[name]) <= most:
            raise AuctionError(f"{name}: expected 1 to {most} characters")
        if any("\ud800" <= each <= "\udfff" for each in value[name]):
            raise AuctionError(f"{name}: this is no Unicode")
    deadline, confirm = value["deadline_ms"], _number("confirm_seconds", value["confirm_seconds"])
    if type(deadline) is not int or not 0 <= deadline <= limits.JSON_INTEGER:
        raise AuctionError("deadline_ms: expected milliseconds")
    needs = _words("needs", value["needs"], limits.PROFILE_CAPABILITIES)
    invited = value["invited"]
    among = None if invited is None else _words("invited", invited, limits.AUCTION_BIDS)
    return Lot(value["id"], value["task"], needs, deadline / 1000, confirm, among)


def bid_body(bid: Bid, digest: str) -> dict[str, Any]:
    """Return what a bidder says."""
    return {
        "lot": digest,
        "capabilities": sorted(bid.capabilities),
        "load": float(bid.load),
        "price": float(bid.price),
        "eta_seconds": float(bid.eta_seconds),
    }


def read_bid(bidder: str, body: Mapping[str, Any]) -> Bid:
    """Read a bid.

    Raises:
        AuctionError: It is none.
    """
    return Bid(
        bidder,
        _words("capabilities", body.get("capabilities"), limits.PROFILE_CAPABILITIES),
        _number("load", body.get("load")),
        _number("price", body.get("price")),
        _number("eta_seconds", body.get("eta_seconds")),
    )


def read_record(value: object) -> AuctionRecord:
    """Read a record; nothing of it is checked but its shape.

    Raises:
        AuctionError: It is none.
    """
    if not isinstance(value, Mapping) or set(value) != _MEMBERS or value["schema"] != RECORD:
        raise AuctionError("record: this is no record of an auction")
    if value["stage"] not in get_args(Stage) or value["stage"] in ("open", "awarding"):
        raise AuctionError("stage: unknown")
    if not isinstance(value["winner"], str | None):
        raise AuctionError("winner: expected a nodeId or null")
    for name in ("fence", "ended_ms"):
        if type(value[name]) is not int or not 0 <= value[name] <= limits.JSON_INTEGER:
            raise AuctionError(f"{name}: expected a whole number")
    if not all(isinstance(value[name], str) for name in ("auctioneer", "trace")):
        raise AuctionError("record: expected auctioneer and trace")
    scores, passed = value["scores"], value["passed_over"]
    if not isinstance(scores, Mapping) or len(scores) > limits.AUCTION_BIDS:
        raise AuctionError("scores: expected one for each bidder")
    if not isinstance(passed, list) or any(
        not isinstance(each, list) or len(each) != 2 or not all(isinstance(e, str) for e in each)
        for each in passed
    ):
        raise AuctionError("passed_over: expected pairs of bidder and reason")
    if not isinstance(value["words"], list) or len(value["words"]) > limits.AUCTION_BIDS * 4:
        raise AuctionError("words: expected the words of an auction")
    try:
        words = tuple(sw.read(each) for each in value["words"])
        signature = sw.signature(value["signature"])
    except WordError as error:
        raise AuctionError(str(error)) from error
    return AuctionRecord(
        read_lot(value["lot"]),
        value["auctioneer"],
        words,
        value["stage"],
        value["winner"],
        value["fence"],
        {who: None if each is None else _any_number("score", each) for who, each in scores.items()},
        tuple((who, why) for who, why in passed),
        value["ended_ms"],
        value["trace"],
        signature,
    )


def _wrong(word: Word, record: AuctionRecord, digest: str, key_of: KeyOf) -> list[str]:
    who = f"{word.word} of {word.by}"
    own = word.word in ("award", "void")
    if (word.by if own else word.to) != record.auctioneer:
        return [f"{who}: is of another auctioneer"]
    if word.body.get("lot") != digest:
        return [f"{who}: is of another lot"]
    key = key_of(word.by)
    if key is None:
        return [f"{who}: its key is not known here"]
    if not sw.holds(word, key):
        return [f"{who}: is not signed by it"]
    if word.word != "bid":
        return []
    try:
        bid = read_bid(word.by, word.body)
    except AuctionError as error:
        return [f"{who}: {error}"]
    invited = record.lot.invited is None or bid.bidder in record.lot.invited
    return [] if invited and record.lot.needs <= bid.capabilities else [f"{who}: was not able or not invited"]


def _order(record: AuctionRecord) -> list[str]:
    """Hold what happened against the rules: one bid each, best first, rising fences, a confirmed winner."""
    bids = record.bids()
    bidders = [each.bidder for each in bids]
    if len(set(bidders)) != len(bidders) or set(record.scores) != set(bidders):
        return ["bids: expected one of each bidder, with its score"]
    awards = record.of("award")
    said = [(each.to, each.body.get("fence")) for each in awards]
    best = ranked(bids, lambda bid, _: _or_nan(record.scores[bid.bidder]), {}, record.lot.id)
    gone = {who for who, why in record.passed_over if why == "gone"}
    awarded = {who for who, _ in said}
    last = max((best.index(who) for who in awarded if who in best), default=-1)
    skipped = [who for who in best[: last + 1] if who not in awarded and who not in gone]
    found = [f"awards: {who} had a better score and was passed over" for who in skipped]
    if [best.index(who) if who in best else -1 for who, _ in said] != sorted(
        best.index(who) if who in best else -2 for who, _ in said
    ):
        found.append("awards: they did not go by the scores")
    if [fence for _, fence in said] != list(range(1, len(said) + 1)):
        found.append("awards: expected fences from 1, each one more")
    return found + _end(record, best, awards)


def _end(record: AuctionRecord, best: Sequence[str], awards: Sequence[Word]) -> list[str]:
    confirmed = [(each.by, each.body.get("fence")) for each in record.of("confirm")]
    passed = {who for who, _ in record.passed_over}
    match record.stage:
        case "confirmed":
            holds = (
                bool(awards)
                and record.winner == awards[-1].to
                and record.fence == awards[-1].body.get("fence")
                and (record.winner, record.fence) in confirmed
            )
        case "no-bids":
            holds = not best and record.winner is None
        case "exhausted":
            holds = bool(best) and record.winner is None and passed >= set(best)
        case _:
            holds = record.winner is None
    return [] if holds else [f"outcome: says {record.stage}, and what was said does not"]


def _or_nan(score: float | None) -> float:
    return math.nan if score is None else score


def _words(name: str, value: object, most: int) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > most:
        raise AuctionError(f"{name}: expected a list of at most {most}")
    if any(not isinstance(each, str) or not 0 < len(each) <= limits.VOTE_ID_CHARS for each in value):
        raise AuctionError(f"{name}: expected words of at most {limits.VOTE_ID_CHARS} characters")
    return frozenset(value)


def _number(name: str, value: object) -> float:
    number = _any_number(name, value)
    if number < 0.0:
        raise AuctionError(f"{name}: expected a number from 0")
    return number


def _any_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= limits.JSON_INTEGER:
        raise AuctionError(f"{name}: expected a number")
    return float(value)
