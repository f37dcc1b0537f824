"""A vote among real processes: one is killed in the middle of it; what is kept is counted again offline."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from covey import limits
from tests.e2e.program import Program
from tests.e2e.test_auction import bidder
from tests.e2e.test_state import listening, met

SECONDS = 5


def opened(covey: Program, name: str, text: str) -> str:
    """Return the id of the vote with this text that is open at a peer, as soon as there is one."""
    for _ in range(60):
        found = covey("vote", "list", name, "--json").json["open"]
        if asked := [each["id"] for each in found if each["text"] == text]:
            return str(asked[0])
    raise AssertionError(f"{name} was never asked")


def test_s11_a_vote_of_processes_ends_although_one_is_killed_and_is_verified_offline(
    covey: Program, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stack.enter_context(listening(covey, "ann"))
        stack.enter_context(listening(covey, "cid"))
        stack.enter_context(bidder(covey, "bob", "0", "accept"))
        dan = stack.enter_context(bidder(covey, "dan", "0", "hang"))
        met(covey, "ann", "bob", "cid", "dan")
        call = ("vote", "call", "ann", "ship it?", "--option", "yes", "--option", "no", "--json")
        with covey.start(*call, "--seconds", str(SECONDS), "--quorum", "0.25") as calling:
            dan.event("question")
            dan.process.kill()
            ended = calling.end()
        assert ended.code == 0
        record = ended.json["record"]
        assert (record["outcome"]["kind"], record["outcome"]["winner"]) == ("decided", "yes")
        assert record["outcome"]["counts"] == {"yes": 1, "no": 0}
        assert len(record["outcome"]["missing"]) == 3 and record["outcome"]["confidence"] == 0.25
        by_hand(covey)
        asked_wrongly(covey)
        for _ in range(60):
            if covey("vote", "list", "cid").out.count("by ann") == 2:
                break
    vote_id = record["question"]["id"]
    shown = covey("vote", "show", "cid", vote_id[:12])
    assert shown.code == 0 and "ship it?: decided: yes" in shown.out
    assert "bob: yes" in shown.out and "silent: " in shown.out and "holds: 1 ballots" in shown.out
    tree = covey("trace", "ann", record["trace"]).out
    assert tree.count("CONSENSUS_VOTE") >= 6, "questions, a ballot, and what became of it"
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"record": record}))
    assert covey("vote", "verify", "bob", "--file", str(path)).code == 0
    record["outcome"]["winner"], record["outcome"]["counts"] = "no", {"yes": 0, "no": 1}
    path.write_text(json.dumps(record))
    found = covey("vote", "verify", "bob", "--file", str(path))
    assert found.code == 1 and "does not hold: outcome" in found.out
    path.write_text("[]")
    assert covey("vote", "verify", "bob", "--file", str(path)).code == 2


@pytest.mark.parametrize(
    "options", [(), ("yes",), ("yes", "yes"), tuple(map(str, range(limits.VOTE_OPTIONS + 1)))]
)
def test_a_vote_that_nobody_could_cast_is_asked_wrongly(covey: Program, options: Iterable[str]) -> None:
    named = [word for each in options for word in ("--option", each)]
    ended = covey("vote", "call", "ann", "ship it?", *named)
    assert ended.code == 2
    assert "different options" in ended.err and "--option yes --option no" in ended.err


def by_hand(covey: Program) -> None:
    """Hold a vote in which two people vote for their peers: it ends with the second ballot."""
    call = ("vote", "call", "ann", "again?", "--option", "yes", "--option", "no", "--voter", "ann")
    with covey.start(*call, "--voter", "cid", "--seconds", "60", "--json") as calling:
        asked = opened(covey, "cid", "again?")
        assert covey("vote", "cast", "cid", asked[:8], "yes").out == "voted: yes: again?\n"
        assert covey("vote", "cast", "cid", asked, "no").code == 1
        assert covey("vote", "cast", "ann", asked).out == "voted: abstained: again?\n"
        ended = calling.end()
    assert ended.code == 0 and ended.json["record"]["outcome"]["confidence"] == 0.5


def asked_wrongly(covey: Program) -> None:
    """Say what a running peer cannot take, and ask for what is not there."""
    call = ("vote", "call", "ann", "whose?", "--option", "a", "--option", "b")
    nobody = covey(*call, "--voter", "nobody", "--json")
    assert (nobody.code, nobody.json["error"]["code"]) == (2, "usage")
    assert 'no peer named "nobody" is known here' in covey(*call, "--voter", "nobody").err
    assert covey(*call, "--majority", "1").code == 2
    assert covey("vote", "show", "ann", "0123abcd").code == 1
    assert covey("vote", "cast", "cid", "0123abcd", "a").code == 1
