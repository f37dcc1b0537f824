"""Channels over real processes: said, read, watched by members; a removed one carries what it cannot read."""

from __future__ import annotations

from contextlib import ExitStack

from tests.e2e.program import Program
from tests.e2e.test_state import listening, met

CANARY = "the-plan-that-only-members-read"


def test_a30_a_channel_is_read_by_its_members_only_and_a_removed_one_reads_no_further(covey: Program) -> None:
    with ExitStack() as stack:
        running = {name: stack.enter_context(listening(covey, name)) for name in ("ann", "bob", "eve")}
        met(covey, *running)
        assert covey("channel", "list", "ann").out == "no channels\n"
        assert covey("syndicate", "audit", "ann").out == "nothing has left\n"
        opened = covey("channel", "open", "ann", "plans", "--member", "bob", "--member", "eve", "--json")
        assert sorted(each["name"] for each in opened.json["members"]) == ["ann", "bob", "eve"]
        watching = {
            name: stack.enter_context(covey.start("channel", "watch", name, "--json"))
            for name in ("bob", "eve")
        }
        for each in watching.values():
            each.event("watching")
        assert covey("channel", "send", "ann", "plans", "hello both").code == 0
        for each in watching.values():
            heard = each.event("channel")
            assert (heard["channel"], heard["name"], heard["value"]) == ("plans", "ann", "hello both")
        removed = covey("channel", "remove", "ann", "plans", "eve")
        assert (removed.code, "key 2): " in removed.out) == (0, True)
        assert covey("channel", "send", "ann", "plans", f'{{"plan": "{CANARY}"}}').code == 0
        assert watching["bob"].event("channel")["value"] == {"plan": CANARY}
        with covey.start("state", "watch", "eve", "--json") as changes:
            changes.event("watching")
            while "no member any more" not in covey("channel", "list", "eve").out:
                changes.event("state")
        late = covey("channel", "send", "eve", "plans", "still here?", "--json")
        assert (late.code, late.json["error"]["code"]) == (1, "not_member")
        assert CANARY in covey("channel", "read", "bob", "plans").out
        assert CANARY not in covey("channel", "read", "eve", "plans").out
        left = covey("syndicate", "audit", "ann", "--json").json["lines"]
        assert {line["class"] for line in left} == {"channels"}, "what left is written down"
        assert covey("channel", "add", "bob", "plans", "eve").code == 1
        assert covey("channel", "send", "ann", "plans").code == 2
        assert covey("channel", "read", "ann", "nothing").code == 1
        for each in running.values():
            each.process.terminate()
            each.end()
    kept = covey.home / "peers"
    ours = [path.read_bytes() for path in (kept / "eve").rglob("*") if path.is_file()]
    assert ours and not any(CANARY.encode() in data for data in ours)
