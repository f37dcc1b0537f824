"""Listening under weights of one's own, over real processes: the peer remembers all the same."""

from __future__ import annotations

from tests.e2e.program import Program


def test_a_listener_with_weights_hears_what_passes_them_and_the_peer_remembers_all(covey: Program) -> None:
    with covey.start("listen", "node", "--json") as node:
        node.event("listening")
        with covey.start("listen", "node", "--weigh", "mood=2", "--json") as affect:
            affect.event("listening")
            plain = covey("observe", "--focus", "the parser drops frames", "--json")
            moody = covey("observe", "--focus", "the tests are green", "--mood", "relieved", "--json")
            assert (plain.code, moody.code) == (0, 0)
            heard = affect.event("delivered")["delivery"]["block"]
            assert heard["key"] == moody.json["block"]["key"], "what says nothing of moods was not heard"
            status = covey("status", "node", "--json").json
        wrong = covey("listen", "node", "--weigh", "colour=1")
        alone = covey("listen", "node", "--up-to", "0.3")
    assert status["events_narrowed"] >= 1
    assert (wrong.code, alone.code) == (2, 2)
    assert "no such category: colour" in wrong.err and "--weigh" in alone.err
    found = covey("recall", "node", "parser", "--json").json["blocks"]
    assert [each["key"] for each in found] == [plain.json["block"]["key"]]
