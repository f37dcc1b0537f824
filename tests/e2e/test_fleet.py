"""Agents of different processes find, ask and trust each other; one is killed; the tree is read offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.agents import Agent, begins
from tests.e2e.program import Program

SECONDS = 40


@pytest.fixture
def begin(covey: Program) -> Iterator[Callable[[str], Agent]]:
    with begins("fleet_peer", covey) as start:
        yield start


def told(covey: Program, *words: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask a command until its answer is as wanted: gossip has no event of its own."""
    for _ in range(SECONDS):
        found = covey(*words, "--json").json
        if enough(found):
            return found
    raise AssertionError(f"{words}: {found}")


def test_s02_s03_s22_s24_s25_agents_of_two_processes_are_found_asked_traced_and_converge(
    covey: Program, begin: Callable[[str], Agent]
) -> None:
    ann, bob = begin("ann"), begin("bob")
    ann.ask(ask="bob")
    answered = ann.event("answered")
    assert answered["payload"] == {"by": "bob", "origin": ann.node_id}

    found = told(covey, "capabilities", "ann", "--find", "only-bob", enough=lambda f: bool(f["agents"]))
    (offer,) = found["agents"]
    assert (offer["nickname"], offer["node_id"], offer["capacity"]) == ("bob", bob.node_id, 2)
    assert "only-bob" in covey("capabilities", "ann").out

    ann.ask(set="shared")
    ann.event("set")
    found = told(
        covey, "converge", "bob", enough=lambda f: any(p["equal"] for s in f["scopes"] for p in s["peers"])
    )
    (lag,) = [peer for scope in found["scopes"] for peer in scope["peers"] if peer["equal"]]
    assert lag["node_id"] == ann.node_id and lag["synced_ms"] is not None and not lag["alarm"]
    assert "equal, last sync" in covey("converge", "bob").out

    ann.kill()
    told(
        covey, "converge", "bob", enough=lambda f: not any(p["here"] for s in f["scopes"] for p in s["peers"])
    )
    assert "ann (away): equal, last sync" in covey("converge", "bob").out, "by name, also when it is gone"
    bob.kill()
    shown = covey("trace", "ann", answered["trace"]).out
    assert "REQUEST ann to bob" in shown and "RESPONSE bob to ann" in shown
    assert "ann: sent to bob" in shown and "bob: heard from ann" in shown
    steps = covey("trace", "bob", answered["trace"][:12], "--json").json["steps"]
    assert [(step["level"], step["type"]) for step in steps] == [(0, "REQUEST"), (1, "RESPONSE")]
    assert covey("trace", "ann", "0123456789ab").code == 2


def test_s02_a_signed_message_reaches_an_agent_that_was_killed_once_it_is_back_and_once(
    covey: Program, begin: Callable[[str], Agent]
) -> None:
    ann, bob = begin("ann"), begin("bob")
    ann.ask(ask="bob")
    ann.event("answered")
    bob.kill()
    ann.ask(sign=f"bob@{bob.node_id}", n=1)
    sent = ann.event("signed")
    assert sent["carried"] == 1
    again = begin("bob")
    assert again.event("worked") == {"event": "worked", "n": 1, "by": ann.node_id}
    assert ann.event("fate", id=sent["id"], state="executed")
    again.kill()
    third = begin("bob")
    ann.ask(sign=f"bob@{bob.node_id}", n=2)
    assert third.event("worked")["n"] == 2, "the first one is not delivered again"
