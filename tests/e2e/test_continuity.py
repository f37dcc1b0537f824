"""An agent outlives its node: real processes that are killed and stopped, the commands a person would use."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from tests.e2e.program import Program, Running
from tests.e2e.test_state import listening

SECONDS = 60


def room(covey: Program, stack: ExitStack, *names: str) -> dict[str, Running]:
    """Start peers, and wait until each has met all others; one may be met before it says that it listens."""
    running = {name: stack.enter_context(listening(covey, name)) for name in names}
    until = time.monotonic() + SECONDS
    for name in names:
        while len(covey("peers", name, "--json").json["peers"]) < len(names) - 1:
            assert time.monotonic() < until, f"{name} did not meet everybody"
    return running


def status(covey: Program, peer: str) -> dict[str, Any]:
    """Return what a peer says of the one agent there is."""
    found = covey("continuity", "status", peer, "--json").json["agents"]
    return found[0] if found else {}


def eventually(covey: Program, peer: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask until it is so; each question is a process of its own, so nobody spins."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        found = status(covey, peer)
        if found and holds(found):
            return found
    raise AssertionError(f"not in {SECONDS} s: {status(covey, peer)}")


def replicated(found: dict[str, Any]) -> bool:
    """Tell whether both standbys say that they hold everything."""
    marks = [member["acknowledged"] for member in found["members"] if member["role"] == "standby"]
    return found["mark"] != [1, 0] and all(mark == found["mark"] for mark in marks)


def entries(covey: Program, peer: str) -> dict[tuple[str, str], Any]:
    found = covey("syndicate", "entries", peer, "--json").json["entries"]
    return {(each["class"], each["name"]): each["value"] for each in found}


def declared(covey: Program, *standbys: str) -> str:
    """Let ann's session be handed on; return ann's author."""
    for standby in standbys:
        assert covey("agent", "allow", standby, "--from", "ann").code == 0
    words = [word for standby in standbys for word in ("--standby", standby)]
    said = covey("continuity", "declare", "ann", *words, "--class", "session")
    assert said.code == 0, said.err
    assert "2 of them decide a takeover" in said.out and "would not take it" not in said.out
    return str(status(covey, "ann")["agent"])


def keep(covey: Program, peer: str, label: str, name: str, value: str) -> None:
    done = covey("syndicate", "keep", peer, label, name, value)
    assert done.code == 0, done.err


def test_a07_a23_a25_a_killed_nodes_agent_goes_on_at_one_of_those_who_hold_it(
    covey: Program,
) -> None:
    with ExitStack() as stack:
        running = room(covey, stack, "ann", "bob", "cat")
        agent = declared(covey, "bob", "cat")
        keep(covey, "ann", "session", "task", '{"step": 1}')
        keep(covey, "ann", "memory:private", "secret", '"canary of memory"')
        assert covey("diary", "write", "ann", "canary of diary").code == 0
        keep(covey, "ann", "session", "task", '{"step": 2}')
        found = eventually(covey, "ann", replicated)
        assert [member["name"] for member in found["members"]] == ["ann", "bob", "cat"]
        running["ann"].signal(signal.SIGKILL)
        taken = eventually(covey, "bob", lambda found: found["here"])
        assert (taken["epoch"], taken["why"], taken["decided"]) == (2, "failed", True)
        assert taken["taken"]["announced_and_missing"] == 0
        assert not eventually(covey, "cat", lambda found: found["holder"] == "bob")["here"]
        assert entries(covey, "bob") == {(f"as:{agent}:session", "task"): {"step": 2}}, "and nothing else"
        keep(covey, "bob", f"as:{agent}:session", "task", '{"step": 3}')
        shown = covey("continuity", "status", "bob").out
        assert "ann  held here since epoch 2" in shown and "lost: whatever it wrote after" in shown
        # It comes back where nobody answers, and writes; then the others answer again.
        for name in ("bob", "cat"):
            running[name].signal(signal.SIGSTOP)
        stack.enter_context(listening(covey, "ann"))
        keep(covey, "ann", "session", "task", '"too late"')
        for name in ("bob", "cat"):
            running[name].signal(signal.SIGCONT)
        found = eventually(covey, "ann", lambda found: found["holder"] == "bob" and bool(found["late"]))
        assert found["late"] == [["late:2:session", "task"]]
        assert entries(covey, "ann")["late:2:session", "task"] == "too late"
        assert entries(covey, "bob")[f"as:{agent}:session", "task"] == {"step": 3}
        late = covey("syndicate", "keep", "ann", "session", "task", '{"step": "late"}', "--json")
        assert (late.code, late.json["error"]["code"]) == (1, "fenced")
        back = covey("continuity", "handback", "bob", "ann")
        assert back.code == 0, back.err
        assert back.out == "ann holds its own agent again since epoch 3\n"
        eventually(covey, "ann", lambda found: found["here"])
        shown = covey("continuity", "status", "ann").out
        assert "handed over by bob" in shown and "nothing is lost" in shown and "lost: whatever" not in shown
        held = entries(covey, "ann")
        assert held["session", "task"] == {"step": 3}
        assert held["memory:private", "secret"] == "canary of memory"
        assert covey("syndicate", "keep", "bob", f"as:{agent}:session", "x", "1").code == 1


def test_a07_an_owner_that_was_stopped_comes_back_late_and_is_told_what_was_refused(covey: Program) -> None:
    with ExitStack() as stack:
        running = room(covey, stack, "ann", "bob", "cat")
        agent = declared(covey, "bob", "cat")
        keep(covey, "ann", "session", "task", '"before"')
        eventually(covey, "ann", replicated)
        running["ann"].signal(signal.SIGSTOP)
        # It waits in the stopped peer's socket: the first thing that peer does when it goes on.
        with covey.start("syndicate", "keep", "ann", "session", "task", '"too late"') as write:
            eventually(covey, "bob", lambda found: found["here"])
            running["ann"].signal(signal.SIGCONT)
            late = write.end()
        found = eventually(covey, "ann", lambda found: found["holder"] == "bob")
        assert entries(covey, "bob") == {(f"as:{agent}:session", "task"): "before"}
        if late.code == 0:  # it was written before the peer knew: refused by the others, set aside here
            found = eventually(covey, "ann", lambda found: bool(found["late"]))
            assert found["late"] == [["late:2:session", "task"]]
            assert entries(covey, "ann")["late:2:session", "task"] == "too late"
        else:
            assert "bob holds ann since epoch 2" in late.err
        scope = f"agent:{agent}:{covey('state', 'status', 'cat', '--json').json['author']}:session"
        there = covey("state", "get", "cat", "task", "--scope", scope, "--json").json
        assert there["found"]["value"] == "before"


def test_two_voters_are_told_that_nobody_takes_over_by_itself(covey: Program) -> None:
    with ExitStack() as stack:
        room(covey, stack, "ann", "bob")
        words = ("--standby", "bob", "--class", "session")
        said = covey("continuity", "declare", "ann", *words)
        assert said.code == 0 and "automatic takeover is impossible: 2 voters" in said.out
        assert "bob would not take it yet: no consent" in said.out
        assert covey("continuity", "declare", "ann", *words).out.startswith("plan 1 (unchanged)")
        assert covey("continuity", "declare", "ann", "--standby", "nobody", "--class", "session").code == 1
        assert covey("continuity", "declare", "ann").code == 2
        assert covey("continuity", "adopt", "bob", "nobody").code == 1
        agent = status(covey, "ann")["agent"]
        forced = covey("continuity", "adopt", "bob", "ann", "--force")
        assert forced.code == 0 and "held here: ann since epoch 2" in forced.out, forced.err
        found = eventually(covey, "ann", lambda found: found["holder"] == "bob")
        assert not found["decided"] and found["agent"] == agent


def test_a26_an_agent_is_pushed_to_a_node_that_agreed_and_can(covey: Program, tmp_path: Any) -> None:
    with ExitStack() as stack:
        room(covey, stack, "ann", "bob")
        keep(covey, "ann", "session", "task", '{"step": 1}')
        config = tmp_path / "agent.toml"
        config.write_text('[identity]\nname = "ann"\n')
        push = ("agent", "push", "ann", "--to", "bob", "--class", "session", "--config", str(config))
        refused = covey(*push)
        assert refused.code == 1 and "no consent" in refused.err
        assert covey("agent", "allow", "bob", "--from", "ann").code == 0
        moved = covey(*push)
        assert moved.code == 0, moved.err
        assert "viable: bob" in moved.out and "moved: session: 1 entry\n" in moved.out
        found = status(covey, "bob")
        assert found["here"] and found["why"] == "released" and found["decided"]
        agent = found["agent"]
        assert entries(covey, "bob")[f"as:{agent}:session", "task"] == {"step": 1}
        assert covey("agent", "config", "bob", "ann").out == config.read_text()
        assert covey("syndicate", "keep", "ann", "session", "task", "2").code == 1
        assert covey("agent", "deny", "bob", "--from", "ann").code == 0
        assert covey("agent", "show", "bob").out == "takes nobody's agents\n"
