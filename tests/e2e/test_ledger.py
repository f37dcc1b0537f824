"""Accounts over real processes: issued, paid, refused, capped; read and audited by another peer."""

from __future__ import annotations

from contextlib import ExitStack

from tests.e2e.program import Program
from tests.e2e.test_state import listening


def test_a28_agents_pay_each_other_within_what_they_hold_and_their_caps(covey: Program) -> None:
    with ExitStack() as stack:
        ann = stack.enter_context(listening(covey, "ann"))
        stack.enter_context(listening(covey, "bob"))
        ann.event("peer-joined")
        assert covey("ledger", "accounts", "ann").out == "no accounts\n"
        assert covey("ledger", "grant", "ann", "tokens", "100").out.startswith("grant: 100 tokens")
        assert covey("pay", "ann", "bob", "30", "tokens", "--memo", "two reviews").code == 0
        over = covey("pay", "ann", "bob", "71", "tokens", "--json")
        assert (over.code, over.json["error"]["code"]) == (1, "over_budget")
        assert covey("ledger", "cap", "ann", "tokens", "--each", "5").out == "cap: tokens: 5 each\n"
        capped = covey("pay", "ann", "bob", "6", "tokens", "--json")
        assert (capped.code, capped.json["error"]["code"]) == (1, "ledger_cap")
        with covey.start("state", "watch", "bob", "ledger/", "--json") as watching:
            watching.event("watching")
            while len(covey("ledger", "journal", "bob", "--json").json["entries"]) < 2:
                watching.event("state")
        assert covey("ledger", "spend", "bob", "tokens", "30").code == 0
        assert covey("pay", "bob", "ann", "1", "tokens").code == 1
        assert "bob: 0 (this agent)" in covey("ledger", "accounts", "bob").out
        assert "two reviews" in covey("ledger", "journal", "bob").out
        audit = covey("ledger", "audit", "bob")
        assert (audit.code, audit.out) == (0, "tokens of ann: 3 entries, balanced\n")
        beside = covey("state", "spend", "ann", "ledger/tokens", "1")
        assert (beside.code, "covey pay" in beside.err) == (2, True)
        assert covey("pay", "ann", "nobody", "1", "tokens").code == 2
        assert covey("ledger", "grant", "ann", "tokens").code == 2
