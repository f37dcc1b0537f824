"""An auction among real processes: the best bidder is killed when it has won, and the next one does it."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.program import ROOM, Program, Running
from tests.e2e.test_node_killed import ROOT
from tests.e2e.test_state import listening, met

SECONDS = 30


def bidder(covey: Program, name: str, load: str, does: str) -> Running:
    words = [sys.executable, "-m", "tests.e2e.deciding_peer", str(covey.home), ROOM, name, load, does]
    paths = f"{ROOT / 'python'}:{ROOT}"
    running = Running(words, {**covey.env, "PYTHONPATH": paths})
    running.event("ready")
    return running


def test_s12_a_winner_that_is_killed_gives_way_and_the_record_is_verified_offline(
    covey: Program, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stack.enter_context(listening(covey, "ann"))
        best = stack.enter_context(bidder(covey, "bob", "0.1", "hang"))
        next_best = stack.enter_context(bidder(covey, "cid", "0.6", "accept"))
        met(covey, "ann", "bob", "cid")
        hold = ("auction", "hold", "ann", "the summary", "--need", "translate", "--seconds", str(SECONDS))
        by = ("--bidder", "bob", "--bidder", "cid", "--confirm-seconds", str(SECONDS), "--json")
        with covey.start(*hold, *by) as holding:
            best.event("award")
            best.process.kill()
            ended = holding.end()
        assert next_best.event("won")["task"] == "the summary"
        assert ended.code == 0
        record = ended.json["record"]
        assert record["stage"] == "confirmed" and record["fence"] == 2
        assert [why for _, why in record["passed_over"]] == ["gone"]
        assert covey("auction", "report", "ann", record["lot"]["id"][:12]).out == "done: the summary: cid\n"
        nobody = covey("auction", "hold", "ann", "x", "--need", "dance", "--seconds", "0.3")
        assert (nobody.code, nobody.out.splitlines()[0]) == (1, "x: no-bids")
        assert covey("auction", "hold", "ann", "x", "--bidder", "nobody").code == 2
        assert covey("auction", "report", "ann", "0123abcd").code == 1, "it is not there"
    shown = covey("auction", "show", "cid", record["lot"]["id"][:12])
    assert shown.code == 0 and "the summary: confirmed: cid" in shown.out
    assert "bob: load 10%" in shown.out and ": gone" in shown.out and "holds: " in shown.out
    assert "confirmed: cid  the summary  by ann" in covey("auction", "list", "ann").out
    record["scores"][record["winner"]] = 99.0
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    forged = covey("auction", "verify", "cid", "--file", str(path))
    assert forged.code == 1 and "did not sign this record" in forged.out
