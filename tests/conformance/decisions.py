"""What agents say when they decide together, as vectors: made from fixed keys, the same every time.

Written anew by `python -m tests.conformance.decisions`; a change of the file is a change of the wire.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from covey import _core
from covey.fleet import auction_record as ar
from covey.fleet import signed_word as sw
from covey.fleet import solve_record as sr
from covey.fleet import vote_record as vr
from covey.fleet.auction import Bid, Lot
from covey.fleet.auction_record import AuctionRecord
from covey.fleet.solve import option, options, question
from covey.fleet.solve_record import SolveRecord
from covey.fleet.transcript import SAID, Item, Problem, read_said, said_body
from covey.fleet.vote import STATEMENT, Ballot, Question, count
from covey.fleet.vote_record import VoteRecord

FILE = Path(__file__).with_name("decisions-v1.json")
ANN, BOB = (
    _core.Identity(
        f"01900000-0000-7000-8000-{n:012x}", name, hashlib.sha256(f"covey {name}".encode()).digest()
    )
    for n, name in ((1, "ann"), (2, "bob"))
)


def vote(asked: Question) -> VoteRecord:
    """Return a vote in which both say yes to the first option."""
    ballots = []
    for who in (ANN, BOB):
        unsigned = Ballot(asked.digest(), who.node_id, asked.options[0])
        signature = who.sign_statement(STATEMENT, unsigned.body())
        ballots.append(Ballot(unsigned.vote, unsigned.voter, unsigned.option, signature))
    return vr.close(ANN, VoteRecord(count(asked, ballots), ANN.node_id, (), 1_763_683_200_000, "a" * 32))


def auction() -> AuctionRecord:
    """Return an auction that bob wins."""
    lot = Lot("b" * 32, "the summary", frozenset({"translate"}), 1_763_683_200.5, 5.0, None)
    digest = ar.lot_digest(lot)
    bid = Bid(BOB.node_id, frozenset({"translate"}), 0.25, 1.0, 30.0)
    words = (
        sw.say(BOB, "bid", ANN.node_id, ar.bid_body(bid, digest)),
        sw.say(ANN, "award", BOB.node_id, {"lot": digest, "fence": 1, "seconds": 5.0}),
        sw.say(BOB, "confirm", ANN.node_id, {"lot": digest, "fence": 1}),
    )
    scores = {BOB.node_id: 1.5}
    return ar.close(
        ANN,
        AuctionRecord(
            lot, ANN.node_id, words, "confirmed", BOB.node_id, 1, scores, (), 1_763_683_201_000, "b" * 32
        ),
    )


def solve() -> SolveRecord:
    """Return a problem that bob solves."""
    seconds = {"brainstorm": 10.0, "critique": 15.0, "vote": 10.0, "implement": 60.0}
    problem = Problem("c" * 32, "the parser drops ünïcode", (ANN.node_id, BOB.node_id), seconds)  # type: ignore[arg-type]  # the four phases
    digest = problem.digest()
    idea_word = sw.say(BOB, SAID, ANN.node_id, said_body(digest, "brainstorm", [Item("decode late")]))
    (idea,) = read_said(idea_word)[1]
    remark = Item("and test it", (idea.id,), 0.75)
    remark_word = sw.say(ANN, SAID, ANN.node_id, said_body(digest, "critique", [remark]))
    entries = [idea, *read_said(remark_word)[1]]
    asked = Question(
        "d" * 32,
        question(problem),
        options(entries),
        problem.members,
        1_763_683_200_000,
        0.5,
        0.0,
        "by-hash",
    )
    held = vote(asked)
    made = Item("done", (idea.id,))
    made_word = sw.say(BOB, SAID, ANN.node_id, said_body(digest, "implement", [made]))
    (result,) = read_said(made_word)[1]
    words = (idea_word, remark_word, made_word)
    if held.outcome.winner != option(idea):
        raise ValueError("the vote is about something else")
    record = SolveRecord(problem, ANN.node_id, words, held, "solved", idea.id, result.id, (), 1, "c" * 32)
    return sr.close(ANN, record)


def statement(name: str, kind: str, body: bytes, signature: bytes, by: _core.Identity) -> dict[str, str]:
    """Return what is signed, and by which key."""
    return {
        "name": name,
        "kind": kind,
        "body": body.decode(),
        "signatureHex": signature.hex(),
        "publicKeyHex": bytes(by.public_key).hex(),
    }


def vectors() -> dict[str, Any]:
    """Return the whole file."""
    asked = Question(
        "a" * 32, "ship it?", ("yes", "no"), (BOB.node_id, ANN.node_id), 1_763_683_200_000, 0.5, 0.5
    )
    held, sold, solved = vote(asked), auction(), solve()
    ballot = held.outcome.ballots[0]
    word = sold.words[0]
    signed = sw.canonical([word.word, word.by, word.to, dict(word.body)])
    return {
        "digests": {
            "question": asked.digest(),
            "lot": ar.lot_digest(sold.lot),
            "problem": solved.problem.digest(),
            "entries": [each.id for each in solved.entries()],
        },
        "statements": [
            statement("ballot", STATEMENT, ballot.body(), ballot.signature, ANN),
            statement("word", sw.STATEMENT, signed, word.signature, BOB),
            statement("vote", vr.RECORD, held.body(), held.signature, ANN),
            statement("auction", ar.RECORD, sold.body(), sold.signature, ANN),
            statement("solve", sr.RECORD, solved.body(), solved.signature, ANN),
        ],
        "records": {"vote": held.to_dict(), "auction": sold.to_dict(), "solve": solved.to_dict()},
    }


def written() -> str:
    """Return the file's text."""
    return json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
