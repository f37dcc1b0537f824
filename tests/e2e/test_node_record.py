"""The node record as a person keeps it, and as others of the room read it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.program import Program
from tests.e2e.test_state import listening


def test_a16_a_host_says_which_agents_it_runs_and_others_verify_it(covey: Program, tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        covey("keygen", name)
    assert covey("node", "show").code == 1
    made = covey("node", "make", "ann", "--json").json
    assert covey("node", "make", "ann").code == 1, "there is one already"
    grown = covey("node", "add", "bob", "--json").json
    assert (grown["node"], grown["sequence"]) == (made["node"], 2)
    assert {agent["name"] for agent in grown["agents"]} == {"ann", "bob"}
    assert covey("node", "remove", "eve").code == 1
    out = tmp_path / "record.json"
    assert covey("node", "show", "--out", str(out)).code == 0
    assert covey("node", "verify", str(out), "--json").json["node"] == made["node"]
    forged = json.loads(out.read_text())
    forged["records"][1]["signatures"].popitem()
    out.write_text(json.dumps(forged))
    refused = covey("node", "verify", str(out), "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "unsigned_agent")
    with ExitStack() as stack:
        ann = stack.enter_context(listening(covey, "ann"))
        stack.enter_context(listening(covey, "eve"))
        ann.event("peer-joined")
        assert covey("node", "publish", "ann").code == 0
        with covey.start("state", "watch", "eve", "node/", "--json") as watching:
            watching.event("watching")
            while not covey("node", "seen", "eve", "--json").json["nodes"]:
                watching.event("state")
        seen = covey("node", "seen", "eve", "--json").json
        assert [node["node"] for node in seen["nodes"]] == [made["node"]]
        assert covey("state", "set", "eve", f"node/{made['node']}/x", "forged").code == 0
        assert covey("node", "seen", "eve", "--json").json["refused"] == 1
