"""`covey send --wait` and `covey outbox` over real processes: each state as it comes, and what waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import ROOM, Ended, Program, Running
from tests.e2e.test_cli_run import CONFIG, MESH, write

AWAY = "0190aaaa-0000-7000-8000-0000000000ff"


@pytest.fixture
def writer(covey: Program, tmp_path: Path) -> Iterator[Running]:
    with covey.start("run", "--config", write(tmp_path, CONFIG + MESH), "--json") as running:
        running.event("ready")
        yield running


def states(ended: Ended) -> list[str]:
    """Return the states that were shown, in order; the last line is the result."""
    lines = [json.loads(line) for line in ended.out.splitlines()]
    return [line["state"] for line in lines if line.get("event") == "send-state"]


def test_send_waits_until_the_agent_has_finished_with_a_block(covey: Program, writer: Running) -> None:
    said = covey("send", "--to", "writer", "--focus", "is it ready", "--wait", "--json")
    assert (said.code, states(said)[-1]) == (0, "executed"), said.out + said.err
    (send,) = json.loads(said.out.splitlines()[-1])["sends"]
    assert send["reason"].startswith("replied: cmb-")
    only = covey("send", "--to", "writer", "--focus", "and now", "--wait", "delivered")
    assert only.code == 0
    assert "delivered by writer" in only.out or "executed by writer" in only.out


def test_send_through_a_running_peer_follows_what_it_sent(covey: Program, writer: Running) -> None:
    with covey.start("listen", "ann", "--json") as ann:
        ann.event("listening")
        assert ann.event("peer-joined")["peer"]["name"] == "writer"
        said = covey("send", "--to", "writer", "--focus", "is it ready", "--wait", "--peer", "ann", "--json")
        assert (said.code, states(said)[-1]) == (0, "executed"), said.out + said.err
        assert states(said)[0] == "accepted"
        assert "unknown" not in states(said), "the outbox has no word yet: that is no state of its own"
        back = covey("send", "--to", "ann", "--focus", "only shown", "--wait", "--timeout", "1", "--json")
        assert (back.code, states(back)[-1]) == (1, "delivered"), (
            "a listener shows it; nobody finishes with it"
        )
        assert json.loads(back.out.splitlines()[-1])["error"]["code"] == "not_executed"


def test_outbox_says_what_waits_and_what_expired_does_not(covey: Program) -> None:
    kept = covey("send", "--to", AWAY, "--focus", "for later", "--timeout", "0.2")
    assert kept.code == 1
    assert "covey outbox observer" in kept.err
    soon = covey(
        "send", "--to", AWAY, "--focus", "or never", "--deadline", "0.2", "--wait", "--timeout", "3", "--json"
    )
    assert (soon.code, states(soon)) == (1, ["unknown", "expired"]), soon.out + soon.err
    shown = covey("outbox", "observer", "--json").json["outbox"]
    assert [(row["node_id"], row["number"], row["state"]) for row in shown] == [(AWAY, 1, "unknown")]
    text = covey("outbox", "observer").out
    assert f"never met {AWAY}: 1 since" in text
    assert "waits" in text
    with covey.start("listen", "observer", "--room", ROOM, "--json") as running:
        running.event("listening")
        assert covey("outbox", "observer", "--json").json["outbox"] == shown
        asked = ["send", "--peer", "observer", "--to", AWAY, "--wait", "--timeout", "0.5"]
        away = covey(*asked, "--focus", "to nobody")
        assert f"unknown by {AWAY}: not connected" in away.out, away.out + away.err
        assert f"{AWAY}: unknown (not connected" in away.err
        assert away.out.count("unknown by") == 1
    nobody = covey("outbox", "nobody")
    assert nobody.code == 1
    assert 'no peer named "nobody"' in nobody.err


def test_what_send_cannot_wait_for_is_said(covey: Program) -> None:
    ended = covey("send", "--to", "bob", "--focus", "x", "--wait", "5")
    assert ended.code == 2
    assert "delivered, executed" in ended.err
    ended = covey("send", "--to", "bob", "--focus", "x", "--deadline", "0")
    assert ended.code == 2
