"""Attestations between real processes: what one decides the other holds, checks, and shows if it was bent."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from tests.e2e.program import Program, Running

SECONDS = 30


def until(question: Callable[[], bool]) -> None:
    """Ask until it is so: what one process signs shows in another when its frames have arrived."""
    end = time.monotonic() + SECONDS
    while not question():
        assert time.monotonic() < end, "it never came"


def listening(covey: Program, name: str) -> Running:
    started = covey.start("listen", name, "--json", "--attest")
    started.event("listening")
    return started


def attester(covey: Program, holder: str, node_id: str) -> dict[str, Any]:
    found = covey("attest", "list", holder, "--json").json["attesters"]
    return next((each for each in found if each["node_id"] == node_id), {})


def test_what_one_decides_the_other_holds_and_can_check(covey: Program) -> None:
    ids = {name: covey("keygen", name, "--json").json["node_id"] for name in ("ann", "bob")}
    with listening(covey, "ann"), listening(covey, "bob"):
        with IpcClient(Home.resolve({"COVEY_HOME": str(covey.home)}).socket_path("ann")) as ann:
            until(lambda: ann.request("status")["node"]["peers"] == 1)
            for number in range(8):
                ann.request("observe", {"categories": {"focus": f"matter {number} of eight"}})
        until(lambda: attester(covey, "ann", ids["bob"]).get("checkpoints") == 1)
        held = attester(covey, "ann", ids["bob"])
        assert (held["attestations"], held["upto"], held["two_histories"]) == (8, 8, False)
        until(lambda: attester(covey, "bob", ids["bob"]).get("witnesses") == 1)
        checked = covey("attest", "verify", "ann", "--json")
        assert (checked.code, checked.json["problems"]) == (0, [])
        assert checked.json["counts"]["attestation"] == 8
        frames = [json.loads(line) for line in covey("attest", "export", "ann").out.splitlines()]
        kinds = [frame["type"] for frame in frames]
        assert kinds.count("sym-attest-attestation") == 8
        assert {"sym-attest-checkpoint", "sym-attest-witness"} <= set(kinds)
    assert covey("attest", "verify", "ann").code == 0, "also from the store of one that does not run"
    store = sqlite3.connect(covey.home / "peers" / "ann" / "store.db")
    with store:
        store.execute(
            "UPDATE attest SET frame = CAST(replace(CAST(frame AS TEXT), '\"seq\":3', '\"seq\":9') AS BLOB)"
        )
    store.close()
    bent = covey("attest", "verify", "ann", "--json")
    assert bent.code == 1
    assert bent.json["problems"][0]["signer"] == ids["bob"]
    assert bent.json["unproved_checkpoints"] == 1


def test_a_peer_that_does_not_attest_says_how_it_would(covey: Program) -> None:
    with covey.start("listen", "carl", "--json") as carl:
        carl.event("listening")
        refused = covey("attest", "list", "carl")
        assert (refused.code, "attest = true" in refused.err) == (1, True)
    empty = covey("attest", "list", "carl")
    assert (empty.code, "attest = true" in empty.out) == (0, True)
    assert covey("attest", "list", "carl", "--out", "x").code == 2


def test_a_peer_that_is_not_there_is_named_with_those_that_are(covey: Program) -> None:
    assert covey("keygen", "writer").code == 0
    for verb in ("list", "verify"):
        ended = covey("attest", verb, "writr")
        assert (ended.code, 'no peer named "writr"' in ended.err) == (1, True), ended.err
        assert "did you mean writer?" in ended.err
