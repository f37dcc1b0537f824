"""Handing on over real processes: a block reaches who was away while its author was there."""

from __future__ import annotations

import json
import signal

from tests.e2e.program import Program, Running


def stopped(running: Running) -> None:
    running.signal(signal.SIGINT)
    assert running.end().code == 0


def met(running: Running, name: str) -> None:
    while running.event("peer-joined")["peer"]["name"] != name:
        pass


def test_a_block_reaches_who_was_away_while_its_author_spoke(covey: Program) -> None:
    first = ("observe", "--peer", "author", "--focus", "the parser drops the last frame")
    with covey.start("listen", "between", "--forward", "--json") as between:
        between.event("listening")
        with covey.start("listen", "away", "--json") as away:
            away.event("listening")
            met(away, "between")
            assert covey(*first).code == 0
            away.event("delivered")
            stopped(away)
        second = covey("observe", "--peer", "author", "--focus", "salaries rise in March", "--json")
        key = second.json["block"]["key"]
        while between.event("delivered")["delivery"]["block"]["key"] != key:
            pass
        with covey.start("listen", "away", "--json") as away:
            while True:
                heard = away.event("delivered")["delivery"]
                if heard["block"]["key"] == key:
                    break
            assert heard["block"]["author"] == "author", "as its author signed it"
            counters = json.loads(covey("status", "between", "--json").out)["node"]["counters"]
            stopped(away)
    assert counters["forward.sent"] >= 1
    assert counters["forward.not.held"] >= 1, "what it had heard already is not sent again"
