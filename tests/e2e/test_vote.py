"""A vote among real processes: one is killed in the middle of it; what is kept is counted again offline."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.program import Program
from tests.e2e.test_state import listening, met

SECONDS = 7


def opened(covey: Program, name: str) -> str:
    """Return the id of the one vote that is open at a peer, as soon as there is one."""
    for _ in range(60):
        found = covey("vote", "list", name, "--json").json["open"]
        if found:
            return str(found[0]["id"])
    raise AssertionError(f"{name} was never asked")


def test_s11_a_vote_of_four_processes_ends_although_one_is_killed_and_is_verified_offline(
    covey: Program, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        peers = {name: stack.enter_context(listening(covey, name)) for name in ("ann", "bob", "cid", "dan")}
        met(covey, *peers)
        call = ("vote", "call", "ann", "ship it?", "--option", "yes", "--option", "no")
        with covey.start(*call, "--seconds", str(SECONDS), "--json") as calling:
            asked = {name: opened(covey, name) for name in ("bob", "cid", "dan")}
            assert len(set(asked.values())) == 1
            peers["dan"].process.kill()
            assert covey("vote", "cast", "bob", asked["bob"][:8], "yes").out == "voted: yes: ship it?\n"
            assert covey("vote", "cast", "bob", asked["bob"], "no").code == 1
            assert covey("vote", "cast", "cid", asked["cid"], "yes").code == 0
            ended = calling.end()
        assert ended.code == 0
        record = ended.json["record"]
        assert (record["outcome"]["kind"], record["outcome"]["winner"]) == ("decided", "yes")
        assert record["outcome"]["counts"] == {"yes": 2, "no": 0}
        assert len(record["outcome"]["missing"]) == 2 and record["outcome"]["confidence"] == 0.5
        for _ in range(60):
            if covey("vote", "list", "cid", "--json").json["kept"]:
                break
    shown = covey("vote", "show", "cid", record["question"]["id"][:12])
    assert shown.code == 0 and "ship it?: decided: yes" in shown.out
    assert "bob: yes" in shown.out and "holds: 2 ballots" in shown.out
    assert "decided: yes  ship it?" in covey("vote", "list", "bob").out
    tree = covey("trace", "ann", record["trace"]).out
    assert tree.count("CONSENSUS_VOTE") >= 7, "questions, ballots, and what became of them"
    forged = json.loads(json.dumps(record))
    forged["outcome"]["winner"], forged["outcome"]["counts"] = "no", {"yes": 0, "no": 2}
    path = tmp_path / "record.json"
    path.write_text(json.dumps(forged))
    found = covey("vote", "verify", "bob", "--file", str(path))
    assert found.code == 1 and "does not hold: outcome" in found.out
    path.write_text(json.dumps({"record": record}))
    assert covey("vote", "verify", "bob", "--file", str(path)).code == 0
    path.write_text("[]")
    assert covey("vote", "verify", "bob", "--file", str(path)).code == 2
