"""Membership over real processes: one killed, one stopped and going on, one that says goodbye."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.program import Program, Running


@pytest.fixture
def three(covey: Program) -> Iterator[dict[str, Running]]:
    """Three peers in a room of this test's own, each of which has seen both others join."""
    room = f"members-{os.urandom(4).hex()}"
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(covey.start("listen", "--name", name, "--room", room, "--json"))
            for name in ("ann", "bob", "cid")
        }
        for name, listener in running.items():
            wanted = set(running) - {name}
            while wanted:
                wanted.discard(listener.event("member-joined")["name"])
        yield running


def states(covey: Program, peer: str) -> dict[str, str]:
    return {member["name"]: member["state"] for member in covey("peers", peer, "--json").json["members"]}


def test_s09_s16_a_killed_a_stopped_and_a_leaving_process_are_told_apart(
    covey: Program, three: dict[str, Running]
) -> None:
    assert states(covey, "ann") == {"bob": "alive", "cid": "alive"}

    three["bob"].signal(signal.SIGKILL)
    gone = three["ann"].event("member-left")
    assert (gone["name"], gone["reason"]) == ("bob", "failed")
    assert states(covey, "ann")["bob"] == "dead"
    assert "bob: failed" in covey("peers", "ann").out

    three["cid"].signal(signal.SIGSTOP)
    gone = three["ann"].event("member-left")
    assert (gone["name"], gone["reason"]) == ("cid", "failed")
    three["cid"].signal(signal.SIGCONT)
    back = three["ann"].event("member-joined")
    assert back["name"] == "cid"
    assert back["incarnation"] > gone["incarnation"]

    three["cid"].signal(signal.SIGTERM)
    gone = three["ann"].event("member-left")
    assert (gone["name"], gone["reason"]) == ("cid", "left")
    assert three["cid"].process.wait(timeout=20) == 0
