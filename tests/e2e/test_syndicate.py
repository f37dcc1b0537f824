"""Two agents of one machine with opposite policies, and a peer that hears what one of them shares."""

from __future__ import annotations

from contextlib import ExitStack

from tests.e2e.program import Program
from tests.e2e.test_state import listening, met


def holds(covey: Program, peer: str, scope: str, name: str, value: object) -> None:
    """Wait, change by change, until a scope of another agent holds a value here."""
    with covey.start("state", "watch", peer, "--json") as watching:
        watching.event("watching")
        while True:
            said = covey("state", "get", peer, name, "--scope", scope, "--json")
            if said.code == 0 and said.json["found"]["value"] == value:
                return
            watching.event("state")


def test_a24_an_agents_policy_is_its_own_and_what_left_is_written_down(covey: Program) -> None:
    with ExitStack() as stack:
        running = {name: stack.enter_context(listening(covey, name)) for name in ("ann", "bob", "eve")}
        met(covey, *running)
        for name in ("ann", "bob"):
            kept = covey("syndicate", "keep", name, "session", "task", f'{{"of": "{name}", "key": 1}}')
            assert kept.code == 0, kept.err
        assert covey("syndicate", "show", "ann").out == "nothing leaves\n"
        assert covey("syndicate", "audit", "ann").out == "nothing has left\n"
        words = ("session", "--to", "eve", "--without", "key")
        assert covey("syndicate", "allow", "ann", *words).code == 0
        shown = covey("syndicate", "show", "ann", "--json").json
        (rule,) = shown["rules"]
        assert (rule["class"], rule["peer"], rule["names"]) == ("session", "eve", ["task"])
        scope = f"agent:{shown['author']}:{rule['to']}:session"
        holds(covey, "eve", scope, "task", {"of": "ann"})
        scopes = [each["scope"] for each in covey("state", "status", "eve", "--json").json["scopes"]]
        assert len(scopes) == 2, "the room's, and one of ann's; none of bob's"
        # Deleted at its holder once taken back.
        assert covey("syndicate", "retract", "ann", "session", "--to", "eve").code == 0
        with covey.start("state", "watch", "eve", "--json") as watching:
            watching.event("watching")
            while covey("state", "get", "eve", "task", "--scope", scope).code == 0:
                watching.event("state")
        lines = covey("syndicate", "audit", "ann", "--json").json["lines"]
        eve = covey("status", "eve", "--json").json["node"]["node_id"]
        assert {(line["class"], line["node_id"]) for line in lines} == {("session", eve)}
        assert all(line["verified"] and line["bytes"] > 0 for line in lines)
        assert covey("syndicate", "audit", "bob").out == "nothing has left\n"
        assert covey("syndicate", "allow", "ann", "secrets", "--to", "*").code == 2
        assert covey("syndicate", "allow", "ann", "session").code == 2
        nobody = covey("syndicate", "allow", "ann", "session", "--to", "boob")
        assert (nobody.code, "connected: bob, eve" in nobody.err) == (2, True), nobody.err
        assert covey("syndicate", "keep", "ann", "diary", "x", "1").code == 2
        assert "session task" in covey("syndicate", "entries", "ann").out
        assert covey("syndicate", "forget", "ann", "session", "task").code == 0
